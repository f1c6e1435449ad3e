"""`/v1/responses`: what is a text, whose it is, and what its answers tell."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from gateway.dialects import ChatRequest
from gateway.dialects.fields import MAX_MESSAGES
from gateway.dialects.responses import RESPONSES, parse
from gateway.tap import UsageTap
from gateway.types import Usage
from tests.gateway.event_streams import JSON, SSE, cuts, split, typed
from tests.gateway.json_documents import requests


def read(request: object) -> tuple[ChatRequest, bytes]:
    body = json.dumps(request).encode()
    parsed = parse(body)
    assert isinstance(parsed, ChatRequest)
    return parsed, body


def texts(request: object) -> list[tuple[str, str]]:
    parsed, body = read(request)
    return [(json.loads(body[site.start : site.end]), site.role) for site in parsed.texts]


def test_instructions_and_a_string_are_texts() -> None:
    assert texts({"input": "question", "model": "m", "instructions": "be kind"}) == [
        ("question", "user"),
        ("be kind", "system"),
    ]


def test_items_by_their_kind() -> None:
    parts = [
        {"type": "input_text", "text": "look"},
        {"type": "input_image", "image_url": "data:,", "text": "no"},
        {"type": "input_file", "filename": "a", "file_data": "x", "text": "no"},
    ]
    items = [
        {"role": "developer", "content": "short"},
        {"type": "message", "role": "user", "content": parts},
        {
            "type": "reasoning",
            "id": "rs_1",
            "encrypted_content": "x",
            "summary": [{"text": "s"}],
            "content": "x",
        },
        {
            "type": "function_call",
            "call_id": "c",
            "name": "f",
            "arguments": "{}",
            "content": "x",
            "output": "x",
        },
        {"type": "function_call_output", "call_id": "c", "output": "result"},
        {
            "type": "custom_tool_call_output",
            "call_id": "d",
            "output": [{"type": "input_text", "text": "more"}],
        },
        {"type": "computer_call_output", "call_id": "e", "output": {"type": "input_text", "text": "no"}},
        {"type": "item_reference", "id": "msg_1", "content": "x"},
        {
            "type": "message",
            "role": "assistant",
            "id": "msg_2",
            "content": [
                {"type": "output_text", "text": "said", "annotations": []},
                {"type": "output_text", "text": "cited", "annotations": [{"start_index": 1}]},
                {"type": "refusal", "refusal": "no", "text": "x"},
            ],
        },
    ]
    assert texts({"input": items}) == [
        ("short", "system"),
        ("look", "user"),
        ("result", "tool"),
        ("more", "tool"),
        ("said", "assistant"),
    ]
    roles = [message.role for message in read({"input": items})[0].messages]
    assert roles == [
        "system",
        "user",
        "assistant",
        "assistant",
        "tool",
        "tool",
        "assistant",
        None,
        "assistant",
    ]


@pytest.mark.parametrize(
    "item",
    [
        None,
        1,
        "text",
        [],
        {},
        {"role": 1},
        {"role": "user", "content": {"text": "x"}},
        {"type": 1, "role": "user"},
        {"type": "message", "content": "x"},
        {"type": "function_call_output", "output": None},
    ],
)
def test_malformed_items_are_not_offered(item: object) -> None:
    assert texts({"input": [item, {"role": "user", "content": "fine"}]}) == [("fine", "user")]


@pytest.mark.parametrize(
    ("body", "skip"),
    [
        (b"{", "unparsable"),
        (b"[]", "no_text"),
        (b"{}", "no_text"),
        (b'{"input":null}', "no_text"),
        (b'{"input":{}}', "no_text"),
        (b'{"input":"a","input":"b"}', "unparsable"),
        (b'{"input":[%s]}' % b",".join([b"1"] * (MAX_MESSAGES + 1)), "too_large"),
    ],
)
def test_what_cannot_be_read_goes_as_it_came(body: bytes, skip: str) -> None:
    assert parse(body) == skip


@given(
    requests(
        ("input", "instructions", "role", "type", "content", "output", "text", "annotations"),
        ("user", "message", "text", "input_text", "function_call_output"),
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


@pytest.mark.parametrize(
    ("more", "chain"),
    [
        ({}, None),
        ({"previous_response_id": None}, None),
        ({"previous_response_id": "resp_1"}, "resp_1"),
        ({"conversation": "conv_1"}, "conv_1"),
        ({"conversation": {"id": "conv_1"}}, "conv_1"),
        ({"conversation": 1}, None),
    ],
)
def test_what_the_upstream_keeps_is_named(more: dict[str, Any], chain: str | None) -> None:
    assert read({"input": "a", **more})[0].chain == chain


def test_nothing_is_asked_of_the_upstream() -> None:
    request, body = read({"input": "a", "stream": True, "model": "gpt-4o", "prompt_cache_key": "k"})
    assert RESPONSES.ask_usage(body, request) is None
    assert (request.is_streamed, request.model, request.prompt_cache_key) == (True, "gpt-4o", "k")


USAGE = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 60},
    "output_tokens": 30,
    "output_tokens_details": {"reasoning_tokens": 20},
    "total_tokens": 130,
}
EXPECTED = Usage(100, 30, cached_tokens=60, reasoning_tokens=20, service_tier="flex")
RESPONSE = {"object": "response", "id": "resp_7", "usage": USAGE, "service_tier": "flex"}


STREAM = b"".join(
    [
        typed(
            "response.created",
            sequence_number=0,
            response={"object": "response", "id": "resp_7", "usage": None},
        ),
        typed("response.output_text.delta", delta="Hel"),
        typed("response.function_call_arguments.delta", delta="{}"),
        typed("response.audio.delta", delta="AAAA"),
        typed("response.output_text.delta", delta=None),
        typed("response.output_text.done", text="Hel"),
        typed("response.completed", response=RESPONSE),
    ]
)


def watched(stream: bytes, at: list[int], headers: list[tuple[bytes, bytes]]) -> UsageTap:
    tap = UsageTap(RESPONSES.answers)
    tap.head(200, headers)
    for chunk in split(stream, at):
        assert tap.feed(chunk) is chunk
    assert tap.end() == b""
    return tap


@given(cuts)
def test_a_stream_tells_its_usage_when_it_ends(at: list[int]) -> None:
    tap = watched(STREAM, at, SSE)
    assert (tap.usage, tap.output_characters, tap.is_done, tap.answer_id) == (EXPECTED, 5, True, "resp_7")


def test_an_answer_tells_it_whole() -> None:
    tap = watched(json.dumps(RESPONSE).encode(), [], JSON)
    assert (tap.usage, tap.answer_id, tap.is_absurd) == (EXPECTED, "resp_7", False)


def test_a_broken_stream_has_told_none() -> None:
    tap = watched(STREAM[: STREAM.index(b"event: response.completed")], [], SSE)
    assert (tap.usage, tap.is_done, tap.answer_id) == (None, False, "resp_7")


@pytest.mark.parametrize(
    "told", [1, "x", {}, {"input_tokens": -1}, {"input_tokens": 1, "output_tokens": "x"}]
)
def test_odd_usage_is_absurd(told: object) -> None:
    assert watched(json.dumps({**RESPONSE, "usage": told}).encode(), [], JSON).is_absurd
