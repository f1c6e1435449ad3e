"""Why an answer ended, read from whole and streamed answers of the three APIs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.answers import CHAT_ANSWERS, AnswerShape
from gateway.dialects.anthropic_answers import ANTHROPIC_ANSWERS
from gateway.dialects.anthropic_messages import MESSAGES
from gateway.dialects.chat_completions import CHAT_COMPLETIONS
from gateway.dialects.responses import RESPONSES
from gateway.dialects.responses_answers import RESPONSES_ANSWERS
from gateway.tap import UsageTap
from tests.gateway.event_streams import JSON, SSE


def finish_of(shape: AnswerShape, *said: Any, is_streamed: bool) -> str | None:
    tap = UsageTap(shape)
    tap.head(200, SSE if is_streamed else JSON)
    for one in said:
        raw = orjson.dumps(one)
        tap.feed(b"data: " + raw + b"\n\n" if is_streamed else raw)
    tap.end()
    return tap.finish


def chat(*reasons: str | None) -> dict[str, Any]:
    return {"choices": [{"index": i, "finish_reason": reason} for i, reason in enumerate(reasons)]}


def response(**said: Any) -> dict[str, Any]:
    return {"object": "response", "id": "r", **said}


INCOMPLETE = response(status="incomplete", incomplete_details={"reason": "max_output_tokens"})


@pytest.mark.parametrize(
    ("shape", "answer", "finish"),
    [
        (CHAT_ANSWERS, chat("stop"), "stop"),
        (CHAT_ANSWERS, chat("stop", "length", "stop"), "length"),
        (CHAT_ANSWERS, chat(None), None),
        (CHAT_ANSWERS, {"choices": None}, None),
        (CHAT_ANSWERS, {"error": {"message": "no"}}, "failed"),
        (CHAT_ANSWERS, chat("Ignore all that. " * 9), "other"),
        (ANTHROPIC_ANSWERS, {"type": "message", "stop_reason": "max_tokens"}, "max_tokens"),
        (ANTHROPIC_ANSWERS, {"type": "error", "error": {"type": "overloaded_error"}}, "failed"),
        (RESPONSES_ANSWERS, response(status="completed"), "completed"),
        (RESPONSES_ANSWERS, INCOMPLETE, "max_output_tokens"),
        (RESPONSES_ANSWERS, response(status="incomplete", incomplete_details=None), "incomplete"),
        (RESPONSES_ANSWERS, response(status="queued"), None),
    ],
)
def test_of_a_whole_answer(shape: AnswerShape, answer: dict[str, Any], finish: str | None) -> None:
    assert finish_of(shape, answer, is_streamed=False) == finish


@pytest.mark.parametrize(
    ("shape", "events", "finish"),
    [
        (CHAT_ANSWERS, [chat(None), chat("length"), {"choices": [], "usage": {}}], "length"),
        (CHAT_ANSWERS, [chat("length"), chat("stop")], "length"),
        (CHAT_ANSWERS, [chat(None), chat("tool_calls")], "tool_calls"),
        (CHAT_ANSWERS, [chat(None), {"error": {"message": "no"}}], "failed"),
        (CHAT_ANSWERS, [chat(None)], None),
        (
            ANTHROPIC_ANSWERS,
            [
                {"type": "message_start", "message": {"stop_reason": None}},
                {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}},
                {"type": "message_stop"},
            ],
            "max_tokens",
        ),
        (ANTHROPIC_ANSWERS, [{"type": "message_start"}, {"type": "error"}], "failed"),
        (
            RESPONSES_ANSWERS,
            [
                {"type": "response.created", "response": response(status="in_progress")},
                {"type": "response.incomplete", "response": INCOMPLETE},
            ],
            "max_output_tokens",
        ),
        (RESPONSES_ANSWERS, [{"type": "response.failed", "response": response(status="failed")}], "failed"),
        (RESPONSES_ANSWERS, [{"type": "error", "message": "no"}], "failed"),
    ],
)
def test_of_a_stream(shape: AnswerShape, events: Sequence[dict[str, Any]], finish: str | None) -> None:
    assert finish_of(shape, *events, is_streamed=True) == finish


odd = st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=2))


@given(st.dictionaries(st.sampled_from(["choices", "delta", "status", "type", "stop_reason", "error"]), odd))
def test_whatever_is_said_nothing_is_raised_and_nothing_long_is_kept(said: dict[str, Any]) -> None:
    for shape in (CHAT_ANSWERS, ANTHROPIC_ANSWERS, RESPONSES_ANSWERS):
        for answer in (said, {"choices": [said], "object": "response", "response": said}):
            finish = shape.finish(answer)
            assert finish is None or len(finish) <= 32


@pytest.mark.parametrize(
    ("said", "user"),
    [({"user": "u"}, "u"), ({"user": "u", "safety_identifier": "s"}, "s"), ({"user": 5}, None), ({}, None)],
)
def test_whom_a_request_is_for(said: dict[str, Any], user: str | None) -> None:
    for dialect, body in ((CHAT_COMPLETIONS, {"messages": []}), (RESPONSES, {"input": "hi"})):
        request = dialect.parse(orjson.dumps({**body, **said}))
        assert not isinstance(request, str)
        assert request.user == user


@pytest.mark.parametrize(
    ("metadata", "user"), [({"user_id": "u"}, "u"), ({}, None), ("u", None), (None, None)]
)
def test_whom_a_message_is_for(metadata: object, user: str | None) -> None:
    request = MESSAGES.parse(orjson.dumps({"messages": [], "metadata": metadata}))
    assert not isinstance(request, str)
    assert request.user == user
