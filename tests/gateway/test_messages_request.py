"""What of a request to `/v1/messages` is translated: what is listed, and nothing somebody would fetch."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.refusal import Refusal
from gateway.upstreams.messages_request import LEFT_OUT, SENT, checked

HELLO: list[Any] = [{"role": "user", "content": "hi"}]
PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}


def asked(**members: Any) -> dict[str, Any]:
    return checked({"model": "m", "max_tokens": 5, "messages": HELLO, **members})


def refused(**members: Any) -> str:
    with pytest.raises(Refusal) as caught:
        asked(**members)
    assert (caught.value.status, caught.value.code) == (400, "not_translated")
    return caught.value.message


def said(*blocks: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(blocks)}]}


def test_what_goes_on_is_what_is_listed() -> None:
    members: dict[str, Any] = {
        "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
        "stop_sequences": ["x"],
        "temperature": 0.5,
        "thinking": {"type": "adaptive"},
        "output_config": {"effort": "high"},
        "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True},
        "tools": [{"name": "f", "input_schema": {}}, {"type": "custom", "name": "g", "input_schema": {}}],
        "top_k": 3,
        "top_p": 0.5,
        "stream": True,
    }
    assert asked(**members, metadata={"user_id": "u"}, service_tier="auto", container=None) == {
        "model": "m",
        "max_tokens": 5,
        "messages": HELLO,
        **members,
    }
    assert asked()["stream"] is False


@given(st.dictionaries(st.text(max_size=12), st.none() | st.booleans() | st.text(max_size=5), max_size=5))
def test_nothing_else_ever_goes_on(members: dict[str, Any]) -> None:
    try:
        sent = asked(**members)
    except Refusal:
        return
    assert sent.keys() <= SENT
    assert not members.keys() & sent.keys() - SENT
    assert not sent.keys() & LEFT_OUT


@pytest.mark.parametrize(
    "block",
    [
        {"type": "text", "text": "a", "citations": None, "cache_control": {"type": "ephemeral"}},
        PICTURE,
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "AA=="}},
        {"type": "tool_use", "id": "t", "name": "f", "input": {}, "provider_specific_fields": {"a": "b"}},
        {"type": "tool_result", "tool_use_id": "t"},
        {"type": "tool_result", "tool_use_id": "t", "content": "a", "is_error": True},
        {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "a"}, PICTURE]},
        {"type": "thinking", "thinking": "a", "signature": "b"},
        {"type": "redacted_thinking", "data": "a"},
    ],
)
def test_blocks_that_are_translated(block: dict[str, Any]) -> None:
    assert asked(**said(block))["messages"] == said(block)["messages"]


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"stream": "yes"}, "stream"),
        ({"system": 3}, "system"),
        ({"system": [{"type": "image"}]}, "system[0]"),
        ({"thinking": "on"}, "thinking"),
        ({"thinking": {"type": "enabled", "url": "http://evil"}}, "thinking.url"),
        ({"output_config": {"task_budget": 1}}, "output_config.task_budget"),
        ({"tool_choice": {"type": "auto", "x": 1}}, "tool_choice.x"),
        ({"tools": [{"type": "bash_20250124", "name": "bash"}]}, "tools[0]"),
        ({"tools": "f"}, "tools"),
        ({"context_management": {"edits": []}}, "context_management"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "system", "content": "a"}]}, "messages[0]"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": "a", "name": "n"}]}, "messages[0].name"),
        (said("a"), "messages[0].content[0]"),
        (said({"type": "search_result"}), "messages[0].content[0]"),
        (said({"type": ["text"]}), "messages[0].content[0]"),
        (said({"type": "text"}), "messages[0].content[0].text"),
        (said({"type": "text", "text": "a", "x": 1}), "messages[0].content[0].x"),
        (
            said({"type": "image", "source": {"type": "url", "url": "http://evil"}}),
            "messages[0].content[0].source",
        ),
        (
            said({"type": "document", "source": {"type": "text", "data": "a"}}),
            "messages[0].content[0].source",
        ),
        (said({"type": "tool_result", "content": 3}), "messages[0].content[0].content"),
        (
            said({"type": "tool_result", "content": [{"type": "image", "source": {"type": "file"}}]}),
            "messages[0].content[0].content[0].source",
        ),
    ],
)
def test_anything_else_is_refused_by_name(members: dict[str, Any], named: str) -> None:
    message = refused(**members)
    assert message.startswith(f"{named}: ")
    assert "evil" not in message


@pytest.mark.parametrize("name", ["title", "context"])
def test_what_litellm_would_drop_of_a_document_is_refused(name: str) -> None:
    document = {**PICTURE, "type": "document", name: "which the model would have read"}
    assert refused(**said(document)).startswith(f"messages[0].content[0].{name}: ")
