"""What answers say, whole and streamed, of each dialect."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.experiments.said import TELLINGS, said
from gateway.types import RawHeaders

JSON: RawHeaders = [(b"Content-Type", b"application/json; charset=utf-8")]
STREAM: RawHeaders = [(b"content-type", b"text/event-stream")]

CALL = {"function": {"name": "look", "arguments": '{"at":1}'}}
PIECES = [
    {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Fo"}}]},
    {"choices": [{"index": 1, "delta": {"content": "other"}}]},
    {"choices": [{"index": 0, "delta": {"content": "ur"}}]},
    {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"name": "look"}}]}}]},
    {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}}]},
    {"choices": [], "usage": {"prompt_tokens": 1}},
]


def whole(**message: Any) -> bytes:
    return json.dumps({"choices": [{"index": 0, "message": {"role": "assistant", **message}}]}).encode()


def events(*data: Any) -> bytes:
    return b"".join(
        b"data: " + (one if isinstance(one, bytes) else json.dumps(one).encode()) + b"\n\n" for one in data
    )


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (whole(content="Four."), "Four."),
        (whole(content=[{"type": "text", "text": "Fo"}, {"type": "text", "text": "ur"}]), "Fo\nur"),
        (whole(content=None, refusal="No."), "No."),
        (whole(content="See:", tool_calls=[CALL]), 'See:\ncall look {"at":1}'),
        (whole(content=""), ""),
        (b'{"choices": []}', None),
        (b'{"error": {"message": "x"}}', None),
        (b"no json", None),
    ],
)
def test_a_chat_completion(body: bytes, text: str | None) -> None:
    assert said("chat_completions", JSON, body) == text


def test_a_streamed_chat_completion_is_its_first_choice() -> None:
    assert said("chat_completions", STREAM, events(*PIECES, b"[DONE]")) == "Four\ncall look {}"


@pytest.mark.parametrize(
    "body",
    [
        events(*PIECES),
        events(*PIECES[:1], {"error": {"message": "late"}}, b"[DONE]"),
        b"",
    ],
)
def test_a_stream_that_is_not_whole_says_nothing(body: bytes) -> None:
    assert said("chat_completions", STREAM, body) is None


def test_a_packed_answer_is_unpacked_and_other_codings_are_not_read() -> None:
    packed = gzip.compress(whole(content="Four."))
    assert said("chat_completions", [*JSON, (b"content-encoding", b"gzip")], packed) == "Four."
    assert said("chat_completions", [*JSON, (b"content-encoding", b"gzip")], packed[:-4]) is None
    assert said("chat_completions", [*JSON, (b"content-encoding", b"gzip")], b"garbage") is None
    assert said("chat_completions", [*JSON, (b"content-encoding", b"br")], packed) is None


def test_a_message_of_anthropics() -> None:
    blocks = [
        {"type": "thinking", "thinking": "hm"},
        {"type": "text", "text": "Four."},
        {"type": "tool_use", "name": "look", "input": {"at": 1}},
    ]
    body = json.dumps({"type": "message", "content": blocks}).encode()
    assert said("anthropic_messages", JSON, body) == 'Four.\ncall look {"at":1}'
    assert said("anthropic_messages", JSON, b'{"input_tokens": 3}') is None


def test_a_streamed_message_of_anthropics() -> None:
    told = [
        {"type": "message_start", "message": {}},
        {"type": "content_block_start", "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Four."}},
        {"type": "content_block_start", "content_block": {"type": "tool_use", "name": "look"}},
        {"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": "{}"}},
    ]
    assert said("anthropic_messages", STREAM, events(*told, {"type": "message_stop"})) == (
        "Four.\ncall look {}"
    )
    assert said("anthropic_messages", STREAM, events(*told)) is None
    assert said("anthropic_messages", STREAM, events(*told, {"type": "error"})) is None


def test_a_response() -> None:
    response = {
        "object": "response",
        "status": "completed",
        "output": [
            {"type": "reasoning", "content": [{"text": "hm"}]},
            {"type": "message", "content": [{"type": "output_text", "text": "Four."}]},
            {"type": "function_call", "name": "look", "arguments": "{}"},
        ],
    }
    assert said("responses", JSON, json.dumps(response).encode()) == "Four.\ncall look {}"
    streamed = events({"type": "response.created"}, {"type": "response.completed", "response": response})
    assert said("responses", STREAM, streamed) == "Four.\ncall look {}"
    cut = {**response, "status": "incomplete"}
    assert said("responses", JSON, json.dumps(cut).encode()) is None
    assert said("responses", STREAM, events({"type": "response.created"})) is None


def test_an_unknown_dialect_or_media_type_says_nothing() -> None:
    assert said("gemini", JSON, whole(content="x")) is None
    assert said("chat_completions", [(b"content-type", b"text/html")], whole(content="x")) is None


_VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "message",
                    "delta",
                    "content",
                    "tool_calls",
                    "type",
                    "output",
                    "index",
                    "function",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.sampled_from(sorted(TELLINGS)), _VALUES, st.booleans())
def test_no_shape_raises(dialect: str, value: Any, is_streamed: bool) -> None:
    body = events(value, b"[DONE]") if is_streamed else json.dumps(value).encode()
    said(dialect, STREAM if is_streamed else JSON, body)
