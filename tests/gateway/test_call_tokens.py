"""gateway.call_tokens: tools and calls to them, in each dialect, counted once and by what they say."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from compressor import counter
from gateway.call_tokens import MAX_COUNTED, CallTokens
from gateway.dialects import ChatRequest, Dialect
from gateway.dialects.paths import DIALECTS

O200K = "o200k_base"
TOOLS = [{"type": "function", "function": {"name": "search", "description": "Looks things up."}}]
GIVEN = {"query": "café \\u00e9 and more", "limit": 10}
CALL = {"name": "search", "arguments": json.dumps(GIVEN)}
FUNCTION = {"id": "call_1", "type": "function", "function": CALL}
CUSTOM = {"id": "call_2", "type": "custom", "custom": {"name": "run", "input": "select 1"}}


def tokens(text: str) -> int:
    return counter(O200K).count(text)


def counted(dialect: str, body: dict[str, Any], known: CallTokens | None = None) -> list[int]:
    raw = json.dumps(body).encode()
    speaks: Dialect = DIALECTS[dialect]
    request = speaks.parse(raw)
    assert isinstance(request, ChatRequest), request
    return (known or CallTokens()).count(O200K, raw, request)


def of_call(*, is_object: bool = False) -> int:
    given = orjson.dumps(GIVEN).decode() if is_object else json.dumps(GIVEN)
    return tokens(f"search\n{given}")


OF_CUSTOM = "run\nselect 1"


def test_chat_completions() -> None:
    messages = [
        {"role": "user", "content": "Look it up."},
        {"role": "assistant", "content": None, "tool_calls": [FUNCTION, CUSTOM]},
        {"role": "assistant", "content": None, "function_call": CALL},
        {"role": "tool", "tool_call_id": "call_1", "content": "Found."},
    ]
    assert counted("chat_completions", {"messages": messages, "tools": TOOLS}) == [
        tokens(json.dumps(TOOLS)),
        0,
        tokens(f"search\n{json.dumps(GIVEN)}\n{OF_CUSTOM}"),
        of_call(),
        0,
    ]
    assert counted("chat_completions", {"messages": messages[:1]}) == [0, 0]


def test_responses() -> None:
    items = [
        {"role": "user", "content": "Look it up."},
        {"type": "function_call", "call_id": "1", **CALL},
        {"type": "custom_tool_call", "call_id": "2", "name": "run", "input": "select 1"},
        {"type": "function_call_output", "call_id": "1", "output": "Found."},
    ]
    assert counted("responses", {"input": items, "tools": TOOLS}) == [
        tokens(json.dumps(TOOLS)),
        0,
        of_call(),
        tokens(OF_CUSTOM),
        0,
    ]


def test_messages() -> None:
    block = {"type": "tool_use", "id": "1", "name": "search", "input": GIVEN}
    messages = [
        {"role": "user", "content": "Look it up."},
        {"role": "assistant", "content": [{"type": "text", "text": "I do."}, block]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "Found."}]},
    ]
    body = {"messages": messages, "tools": TOOLS}
    assert counted("anthropic_messages", body) == [tokens(json.dumps(TOOLS)), 0, of_call(is_object=True), 0]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "odd", [None, 7, "x", [7], {"function": 7}, [{"function": {"name": [], "arguments": {}}}]]
)
def test_what_is_no_call_counts_little_and_fails_nothing(dialect: str, odd: Any) -> None:
    message = {"role": "assistant", "content": [{"type": "tool_use", "input": odd}], "tool_calls": odd}
    item = {"type": "function_call", "arguments": odd}
    found = counted(dialect, {"messages": [message], "input": [item], "tools": odd, "functions": odd})
    assert len(found) == 2
    assert all(0 <= one < 100 for one in found)


def test_half_of_a_surrogate_pair_is_counted_too() -> None:
    call = {"type": "function", "function": {"name": "\ud800", "arguments": "x"}}
    messages = [{"role": "assistant", "content": None, "tool_calls": [call]}]
    assert counted("chat_completions", {"messages": messages})[1] > 1


def test_counts_are_remembered_and_bounded() -> None:
    known = CallTokens(capacity=3)
    messages = [{"role": "assistant", "content": None, "tool_calls": [FUNCTION, CUSTOM]}]
    first = counted("chat_completions", {"messages": messages}, known)
    assert counted("chat_completions", {"messages": messages}, known) == first
    assert len(known._known) <= 3


def test_what_is_very_long_is_estimated() -> None:
    text = "word " * (MAX_COUNTED // 4)
    tools = [{"description": text}]
    [of_tools, _] = counted(
        "chat_completions", {"messages": [{"role": "user", "content": "x"}], "tools": tools}
    )
    assert of_tools == pytest.approx(tokens(text), rel=0.05)
