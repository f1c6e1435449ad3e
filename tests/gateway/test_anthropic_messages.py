"""`/v1/messages`: what is a text, how a message is recognised, and what its answers tell."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from gateway.dialects import ChatRequest
from gateway.dialects.anthropic_messages import COUNT_TOKENS, MESSAGES, parse
from gateway.tap import UsageTap
from gateway.types import Usage
from tests.gateway.event_streams import JSON, SSE, cuts, split, typed
from tests.gateway.json_documents import requests

BREAKPOINT = {"cache_control": {"type": "ephemeral"}}


def read(request: object) -> tuple[ChatRequest, bytes]:
    body = json.dumps(request).encode()
    parsed = parse(body)
    assert isinstance(parsed, ChatRequest)
    return parsed, body


def texts(request: object) -> list[tuple[str, str]]:
    parsed, body = read(request)
    return [(json.loads(body[site.start : site.end]), site.role) for site in parsed.texts]


def block(text: str, **more: object) -> dict[str, Any]:
    return {"type": "text", "text": text, **more}


def test_blocks_by_their_kind() -> None:
    plain = {"type": "text", "media_type": "text/plain", "data": "plain"}
    user = [
        block("asked", **BREAKPOINT),
        {"type": "tool_result", "tool_use_id": "t", "content": "whole"},
        {
            "type": "tool_result",
            "tool_use_id": "u",
            "content": [block("part"), {"type": "image", "text": "no"}],
        },
        {"type": "document", "source": plain, "title": "no"},
        {"type": "document", "source": plain, "citations": {"enabled": True}},
        {"type": "document", "source": {"type": "base64", "data": "AAAA"}},
        {"type": "search_result", "content": [block("no")], "source": "no"},
        {"type": "image", "source": {"type": "text", "data": "no"}},
    ]
    assistant = [
        {"type": "thinking", "thinking": "no", "signature": "no", "text": "no"},
        {"type": "redacted_thinking", "data": "no"},
        block("said", citations=None),
        block("cited", citations=[{"start_char_index": 0}]),
        {"type": "tool_use", "id": "t", "name": "f", "input": {"text": "no"}},
        {"type": "server_tool_use", "id": "t", "name": "f", "input": {}},
        {"type": "web_search_tool_result", "content": [{"type": "web_search_result", "text": "no"}]},
    ]
    messages = [{"role": "user", "content": user}, {"role": "assistant", "content": assistant}]
    assert texts({"messages": messages, "system": [block("be kind", **BREAKPOINT), {"type": "x"}]}) == [
        ("asked", "user"),
        ("whole", "tool"),
        ("part", "tool"),
        ("plain", "user"),
        ("said", "assistant"),
        ("be kind", "system"),
    ]
    assert texts({"system": "kind", "messages": [{"role": "user", "content": "hi"}]}) == [
        ("kind", "system"),
        ("hi", "user"),
    ]


@pytest.mark.parametrize(
    "message",
    [
        None,
        1,
        "x",
        [],
        {},
        {"content": "x"},
        {"role": "user", "content": {}},
        {"role": "user", "content": [None, 1, {"text": "x"}, {"type": ["text"]}]},
        {"role": "user", "content": [{"type": "document", "source": 1}]},
    ],
)
def test_malformed_messages_are_not_offered(message: object) -> None:
    assert texts({"messages": [message, {"role": "user", "content": "fine"}]}) == [("fine", "user")]


@given(
    requests(
        (
            "messages",
            "system",
            "role",
            "type",
            "content",
            "source",
            "data",
            "text",
            "citations",
            "cache_control",
        ),
        ("user", "text", "tool_result", "document"),
    )
)
def test_whatever_is_sent_texts_are_string_literals_in_order(request: object) -> None:
    body = json.dumps(request).encode()
    parsed = parse(body)
    if isinstance(parsed, str):
        return
    end = 0
    for site in parsed.texts:
        assert site.start >= end
        end = site.end
        assert isinstance(json.loads(body[site.start : end]), str)


def identities(messages: list[dict[str, Any]]) -> list[bytes]:
    request, body = read({"messages": messages})
    return [message.identity(body) for message in request.messages]


def test_a_breakpoint_that_moves_on_changes_no_message() -> None:
    """Agents put `cache_control` on the last block, and turn a string into a block to do so."""
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}
    first = [{"role": "user", "content": [block("question", **BREAKPOINT)]}]
    later: list[dict[str, Any]] = [
        {"role": "user", "content": "question"},
        {"role": "assistant", "content": [block("answer"), {**call, **BREAKPOINT}]},
    ]
    latest: list[dict[str, Any]] = [
        {"content": [block("question")], "role": "user"},
        {"role": "assistant", "content": [{**BREAKPOINT, **block("answer")}, call]},
    ]
    assert identities(first) == identities(later)[:1]
    assert identities(later)[1:] == identities(latest)[1:]


@pytest.mark.parametrize(
    "other",
    [
        {"role": "user", "content": "b"},
        {"role": "assistant", "content": "a"},
        {"role": "user", "content": [block("a"), block("b")]},
        {"role": "user", "content": [{"type": "image", "source": "a"}]},
    ],
)
def test_other_messages_are_others(other: dict[str, Any]) -> None:
    assert identities([{"role": "user", "content": "a"}]) != identities([other])


def test_a_message_without_anything_to_say_is_its_bytes() -> None:
    assert identities([{"name": "x"}]) == [b'{"name": "x"}']


USAGE = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 20,
    "cache_read_input_tokens": 70,
    "cache_creation": {"ephemeral_5m_input_tokens": 15, "ephemeral_1h_input_tokens": 5},
    "output_tokens": 1,
    "service_tier": "standard",
}
EXPECTED = Usage(
    100, 9, cached_tokens=70, cache_write_tokens=20, cache_write_1h_tokens=5, service_tier="standard"
)


BEGUN = b"".join(
    [
        typed("message_start", message={"id": "msg_1", "usage": USAGE}),
        typed("content_block_start", index=0, content_block=block("")),
        typed("ping"),
        typed("content_block_delta", index=0, delta={"type": "text_delta", "text": "Hello there, you"}),
        typed("content_block_delta", index=1, delta={"type": "input_json_delta", "partial_json": '{"a":'}),
        typed("content_block_delta", index=1, delta={"type": "signature_delta", "signature": "AAAA"}),
    ]
)
STREAM = BEGUN + typed("message_delta", delta={}, usage={"output_tokens": 9}) + typed("message_stop")


def watched(stream: bytes, at: list[int], headers: list[tuple[bytes, bytes]]) -> UsageTap:
    tap = UsageTap(MESSAGES.answers)
    tap.head(200, headers)
    for chunk in split(stream, at):
        assert tap.feed(chunk) is chunk
    assert tap.end() == b""
    return tap


@given(cuts)
def test_a_stream_tells_its_usage_in_two_parts(at: list[int]) -> None:
    tap = watched(STREAM, at, SSE)
    assert (tap.usage, tap.output_characters, tap.is_done) == (EXPECTED, 21, True)


def test_what_is_told_in_full_at_the_end_counts() -> None:
    whole = typed("message_delta", delta={}, usage={**USAGE, "input_tokens": 11, "output_tokens": 9})
    usage = watched(BEGUN + whole, [], SSE).usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens) == (101, 9)


@pytest.mark.parametrize("again", [{"input_tokens": 10}, {"input_tokens": None}, USAGE])
def test_what_is_not_told_again_at_the_end_stays(again: dict[str, object]) -> None:
    told = {**again, "cache_read_input_tokens": None, "output_tokens": 9}
    assert watched(BEGUN + typed("message_delta", delta={}, usage=told), [], SSE).usage == EXPECTED


def test_of_a_broken_stream_the_output_is_estimated() -> None:
    tap = watched(BEGUN, [], SSE)
    assert tap.usage is not None
    assert (tap.usage.prompt_tokens, tap.usage.completion_tokens, tap.usage.estimated) == (100, 6, True)
    assert not tap.is_done


def test_an_answer_tells_it_whole() -> None:
    answer = {"type": "message", "usage": {**USAGE, "output_tokens": 9}}
    assert watched(json.dumps(answer).encode(), [], JSON).usage == EXPECTED


@pytest.mark.parametrize("told", [1, {}, {"input_tokens": -1}, {"input_tokens": True}, {"input_tokens": [1]}])
def test_odd_usage_is_absurd(told: object) -> None:
    tap = watched(json.dumps({"type": "message", "usage": told}).encode(), [], JSON)
    assert (tap.usage, tap.is_absurd) == (None, True)


def test_a_count_is_no_bill() -> None:
    tap = UsageTap(COUNT_TOKENS.answers)
    tap.head(200, JSON)
    tap.feed(b'{"input_tokens": 2095, "usage": {"input_tokens": 3}}')
    tap.end()
    assert (tap.usage, tap.is_absurd, COUNT_TOKENS.answers.is_billed) == (None, False, False)
