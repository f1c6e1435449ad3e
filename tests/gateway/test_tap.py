"""An answer watched as it goes by: nothing changed but the one event, its usage read."""

from __future__ import annotations

import gzip
from collections.abc import Iterable

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.answers import CHAT_ANSWERS, AnswerShape
from gateway.dialects.anthropic_answers import ANTHROPIC_ANSWERS, COUNT_ANSWERS
from gateway.dialects.responses_answers import RESPONSES_ANSWERS
from gateway.passthrough import Tap
from gateway.tap import BODY_LIMIT, UsageTap
from gateway.types import RawHeaders, Usage
from tests.gateway.event_streams import (
    JSON,
    SSE,
    USAGE,
    USAGE_EVENT,
    chunk_json,
    cuts,
    event,
    one_by_one,
    ordinary_blocks,
    split,
    typed,
    usage_blocks,
)


def tap_over(
    chunks: Iterable[bytes], headers: RawHeaders, status: int = 200, *, is_hiding: bool = False
) -> tuple[UsageTap, bytes]:
    tap = UsageTap(is_hiding=is_hiding)
    tap.head(status, headers)
    out = b"".join([tap.feed(chunk) for chunk in chunks])
    return tap, out + tap.end()


STREAM = event(chunk_json("Hel")) + event(chunk_json("lo")) + USAGE_EVENT + event(b"[DONE]")
EXPECTED = Usage(12, 3, cached_tokens=4)


@given(st.lists(st.one_of(ordinary_blocks, usage_blocks, st.binary()), max_size=5).map(b"".join), cuts)
def test_watching_is_the_identity(stream: bytes, cuts: list[int]) -> None:
    for headers in (SSE, JSON, [], [*SSE, (b"content-encoding", b"gzip")]):
        tap = UsageTap()
        tap.head(200, headers)
        for chunk in split(stream, cuts):
            assert tap.feed(chunk) is chunk
        assert tap.end() == b""


SHAPES = [CHAT_ANSWERS, RESPONSES_ANSWERS, ANTHROPIC_ANSWERS, COUNT_ANSWERS]
NAMES = ("type", "response", "message", "object", "id", "delta", "usage", "choices", "service_tier", "text")
EVENTS = ("message_start", "message_delta", "content_block_delta", "response.completed", "response")
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text(max_size=3)
    | st.sampled_from(EVENTS),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("headers", [SSE, JSON])
@given(st.lists(st.dictionaries(st.sampled_from(NAMES), values, max_size=5), max_size=3))
def test_whatever_an_answer_says_watching_it_never_fails(
    shape: AnswerShape, headers: RawHeaders, said: list[dict[str, object]]
) -> None:
    tap = UsageTap(shape)
    tap.head(200, headers)
    for answer in said:
        chunk = event(orjson.dumps(answer)) if headers is SSE else orjson.dumps(answer)
        assert tap.feed(chunk) is chunk
    assert tap.end() == b""


def test_a_stream_is_done_when_it_says_so_and_ends_there() -> None:
    tap = UsageTap()
    tap.head(200, SSE)
    said = [tap.is_done]
    for part in (STREAM, event(b"more"), b"data: [DONE]\n", b"\n"):
        tap.feed(part)
        said.append(tap.is_done)
    assert said == [False, True, False, False, True]


@given(cuts)
def test_tap_reads_and_hides(cuts: list[int]) -> None:
    tap, out = tap_over(split(STREAM, cuts), SSE, is_hiding=True)
    assert (tap.usage, tap.output_characters) == (EXPECTED, 5)
    assert out == STREAM.replace(USAGE_EVENT, b"")


def test_tap_watches_when_the_client_asked() -> None:
    tap, out = tap_over([STREAM], SSE)
    assert (tap.usage, out) == (EXPECTED, STREAM)


def test_last_usage_wins_and_null_does_not_erase_it() -> None:
    running = event(chunk_json("a", {"prompt_tokens": 12, "completion_tokens": 1}))
    tap, _ = tap_over([running + USAGE_EVENT + event(chunk_json("b"))], SSE)
    assert tap.usage == EXPECTED


def test_broken_stream_gives_held_bytes_back_and_counts_what_was_streamed() -> None:
    broken = STREAM[: STREAM.index(USAGE_EVENT) + 30]
    tap, out = tap_over(one_by_one(broken), SSE, is_hiding=True)
    assert (tap.usage, tap.output_characters, out) == (None, 5, broken)


def test_usage_event_without_its_blank_line_is_read_but_not_hidden() -> None:
    cut = STREAM[: STREAM.index(USAGE_EVENT)] + USAGE_EVENT.removesuffix(b"\n")
    tap, out = tap_over([cut], SSE, is_hiding=True)
    assert (tap.usage, out) == (EXPECTED, cut)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([*SSE, (b"content-encoding", b"br")], 200),
        (SSE, 500),
        ([(b"content-type", b"text/plain")], 200),
        ([], 200),
    ],
)
def test_what_cannot_be_touched_is_not(headers: RawHeaders, status: int) -> None:
    _, out = tap_over([STREAM], headers, status, is_hiding=True)
    assert out == STREAM


@pytest.mark.parametrize("encoding", [b"gzip", b"x-gzip", b" GZIP "])
@pytest.mark.parametrize("is_hiding", [True, False])
def test_compressed_streams_are_read_but_never_touched(encoding: bytes, is_hiding: bool) -> None:
    packed = gzip.compress(STREAM)
    tap, out = tap_over(one_by_one(packed), [*SSE, (b"Content-Encoding", encoding)], is_hiding=is_hiding)
    assert (tap.usage, tap.output_characters, out) == (EXPECTED, 5, packed)


def test_a_length_that_would_become_wrong_is_left_out() -> None:
    headers = [(b"x-a", b"1"), (b"Content-Length", b"999"), *SSE, (b"x-a", b"2")]
    assert UsageTap(is_hiding=True).head(200, headers) == [(b"x-a", b"1"), *SSE, (b"x-a", b"2")]
    assert UsageTap(is_hiding=True).head(500, headers) is None
    assert UsageTap().head(200, headers) is None
    assert UsageTap(is_hiding=True).head(200, [*headers, (b"content-encoding", b"gzip")]) is None
    assert UsageTap(is_hiding=True).head(200, JSON) is None


def test_the_tap_fits_the_seam() -> None:
    tap: Tap = UsageTap()
    assert tap.end() == b""


BODY = orjson.dumps({"object": "chat.completion", "choices": [], "usage": USAGE})


@given(cuts)
def test_json_answers_are_read_at_the_end(cuts: list[int]) -> None:
    for body, headers in ((BODY, JSON), (gzip.compress(BODY), [*JSON, (b"content-encoding", b"gzip")])):
        tap, out = tap_over(split(body, cuts), headers)
        assert (tap.usage, out) == (EXPECTED, body)


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (BODY[:-1], b"identity"),
        (b"", b""),
        (b"[1]", b""),
        (b"\xff", b""),
        (BODY, b"br"),
        (BODY, b"gzip"),  # mislabelled
        (gzip.compress(BODY)[:20], b"gzip"),
        (gzip.compress(b" " * (BODY_LIMIT + 1) + BODY), b"gzip"),
        (b" " * BODY_LIMIT + BODY, b""),
    ],
)
def test_unreadable_bodies_have_no_usage_and_pass(body: bytes, encoding: bytes) -> None:
    tap, out = tap_over([body, b""], [*JSON, (b"content-encoding", encoding)])
    assert (tap.usage, out) == (None, body)


def test_after_broken_packing_nothing_more_is_read() -> None:
    tap, out = tap_over([b"junk", gzip.compress(BODY)], [*JSON, (b"content-encoding", b"gzip")])
    assert (tap.usage, out) == (None, b"junk" + gzip.compress(BODY))


@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_what_an_answer_that_goes_on_says_of_its_usage_is_none(status: str) -> None:
    """Some say zeros from the beginning: a stream that breaks off then would seem to have cost nothing."""
    zeros = {"input_tokens": 0, "output_tokens": 0}
    going_on = {"object": "response", "id": "resp_1", "status": status, "usage": zeros}
    streamed, fetched = UsageTap(RESPONSES_ANSWERS), UsageTap(RESPONSES_ANSWERS)
    streamed.head(200, SSE)
    streamed.feed(typed("response.created", response=going_on))
    fetched.head(200, JSON)
    fetched.feed(orjson.dumps(going_on))
    fetched.end()
    assert (streamed.usage, fetched.usage) == (None, None)
    done = {**going_on, "status": "completed", "usage": {"input_tokens": 9, "output_tokens": 2}}
    streamed.feed(typed("response.completed", response=done))
    assert streamed.usage == Usage(9, 2)


def test_a_prompt_of_nothing_is_not_known_before_the_end() -> None:
    """Translating gateways begin Anthropic's streams with zeros, and count at the end."""
    tap = UsageTap(ANTHROPIC_ANSWERS)
    tap.head(200, SSE)
    tap.feed(typed("message_start", message={"usage": {"input_tokens": 0, "output_tokens": 0}}))
    tap.feed(typed("content_block_delta", delta={"type": "text_delta", "text": "Hello"}))
    assert (tap.usage, tap.output_characters) == (None, 5)
    tap.feed(typed("message_delta", delta={}, usage={"input_tokens": 9, "output_tokens": 2}))
    assert tap.usage == Usage(9, 2)


@pytest.mark.parametrize(
    ("shape", "events"),
    [
        (CHAT_ANSWERS, [{"model": "gpt-4o-2024-08-06", "choices": []}]),
        (RESPONSES_ANSWERS, [{"type": "response.created", "response": {"model": "gpt-4o-2024-08-06"}}]),
        (ANTHROPIC_ANSWERS, [{"type": "message_start", "message": {"model": "gpt-4o-2024-08-06"}}]),
        (
            CHAT_ANSWERS,
            [{"model": 7}, {"model": ""}, {"message": "x"}, {"model": "gpt-4o-2024-08-06"}, {"model": "b"}],
        ),
    ],
)
def test_the_model_that_answers_is_the_first_that_is_named(
    shape: AnswerShape, events: list[dict[str, object]]
) -> None:
    tap = UsageTap(shape)
    tap.head(200, SSE)
    for said in events:
        tap.feed(b"data: " + orjson.dumps(said) + b"\n\n")
    assert tap.model == "gpt-4o-2024-08-06"


def test_a_models_name_is_cut() -> None:
    tap = UsageTap()
    tap.head(200, JSON)
    tap.feed(orjson.dumps({"model": "m" * 5000}))
    tap.end()
    assert tap.model == "m" * 200
