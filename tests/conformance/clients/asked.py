"""What a request asks for, in whichever dialect: read from the forwarded bytes, as a provider would.

The three dialects differ in where things stand, and hardly in what they are called: so things are looked for
by their look, at any depth.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.conformance.clients.facts import (
    ARGUMENTS,
    DOCUMENT,
    PROMPT,
    TOOL_NAME,
    answer_of,
    read_facts,
    structured_of,
)

CALL_ID = "call_7QxZ"
SHORTENED = 0.9
"""A text of at most this share of its length, with nothing in it that was not there, was compressed."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the answer says: a text, or a call of a tool."""

    text: str = ""
    call: tuple[str, str] | None = None
    """Name and arguments."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why the request is refused."""

    message: str


def reply_to(body: bytes) -> Reply | Fault:
    """The answer that the body deserves."""
    asked = json.loads(body)
    facts = read_facts("\n".join(strings(asked)))
    results = [found for found in objects(asked) if _is_result(found)]
    if results:
        fault = _fault(asked, results)
        return Fault(fault) if fault else Reply(answer_of(facts))
    if any(found.get("type") == "json_schema" for found in objects(asked)):
        return Reply(json.dumps(structured_of(facts)))
    tools = [_name(tool) for tool in asked.get("tools") or []]
    if TOOL_NAME in tools:
        return Reply(call=(TOOL_NAME, json.dumps(ARGUMENTS)))
    if tools:  # how some clients ask for structured output
        return Reply(call=(tools[0], json.dumps(structured_of(facts))))
    return Reply(answer_of(facts))


def is_compressed(body: bytes) -> bool:
    """Whether the document came shortened, and nothing but shortened."""
    texts = [text for text in strings(json.loads(body)) if len(text) > len(PROMPT) // 4]
    rest = iter(PROMPT)
    return (
        len(texts) == 1
        and len(texts[0]) <= SHORTENED * len(DOCUMENT)
        and all(char in rest for char in texts[0])
    )


def objects(value: object) -> Iterator[Mapping[str, Any]]:
    """Every object inside a value, outermost first."""
    if isinstance(value, dict):
        yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in inner:
        yield from objects(one)


def strings(value: object) -> Iterator[str]:
    """Every string inside a value."""
    if isinstance(value, str):
        yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in inner:
        yield from strings(one)


def _is_result(found: Mapping[str, Any]) -> bool:
    return found.get("role") == "tool" or found.get("type") in ("function_call_output", "tool_result")


def _name(tool: Mapping[str, Any]) -> str:
    name = tool.get("function", tool).get("name")
    return name if isinstance(name, str) else ""


def _fault(asked: object, results: list[Mapping[str, Any]]) -> str:
    """What of the call did not come back as it was made."""
    names = {
        found.get("tool_call_id") or found.get("call_id") or found.get("tool_use_id") for found in results
    }
    if names != {CALL_ID}:
        return f"the result is of {names}"
    made = [arguments for found in objects(asked) if (arguments := _arguments(found)) is not None]
    return "" if made == [ARGUMENTS] else f"the call came back as {made}"


def _arguments(found: Mapping[str, Any]) -> object:
    """Of a call as clients send it back; None if it is none."""
    if found.get("type") == "tool_use":
        return found.get("input")
    raw = found.get("arguments")
    return json.loads(raw) if isinstance(raw, str) else None
