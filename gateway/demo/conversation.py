"""The demo's conversation: an operations assistant is handed a transcript, a document and a tool's result."""

from __future__ import annotations

from importlib import resources
from typing import Any

Json = dict[str, Any]

SYSTEM = "You are an operations assistant. Answer briefly and quote figures exactly."


def text(name: str) -> str:
    """One of the long texts: meeting, meeting_ko, document or tool_result."""
    return (resources.files("gateway.demo") / f"{name}.txt").read_text("utf-8")


def turns() -> list[tuple[str, list[Json]]]:
    """What is added to the conversation at each turn, with a title."""
    search = {
        "id": "call_1",
        "type": "function",
        "function": {
            "name": "search_tickets",
            "arguments": '{"query": "checkout latency", "since": "2026-11-01"}',
        },
    }
    return [
        ("meeting transcript", [_system(), _user(f"{text('meeting')}\nWhat was decided, and by when?")]),
        ("retrieved document", [_user(f"{text('document')}\nMay we deduct 20% for a used product?")]),
        (
            "tool result",
            [
                _user("And which tickets are open on the checkout latency?"),
                {"role": "assistant", "content": None, "tool_calls": [search]},
                {"role": "tool", "tool_call_id": "call_1", "content": text("tool_result")},
            ],
        ),
        ("Korean transcript", [_user(f"{text('meeting_ko')}\n배포 전에 무엇을 해야 하나요?")]),
    ]


def _system() -> Json:
    return {"role": "system", "content": SYSTEM}


def _user(content: str) -> Json:
    return {"role": "user", "content": content}
