"""The event stream: read by the standard, watched without a change, one event hidden, for any split."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable
from itertools import pairwise

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.passthrough import Tap
from gateway.sse import BODY_LIMIT, EventReader, UsageHider, UsageTap
from gateway.types import RawHeaders, Usage

SSE: RawHeaders = [(b"content-type", b"text/event-stream; charset=utf-8")]
JSON: RawHeaders = [(b"Content-Type", b"application/json")]
USAGE = {"prompt_tokens": 12, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 4}}


def chunk_json(content: str | None = "hi", usage: object = None, **more: object) -> bytes:
    """A chat completion chunk; without content, the extra event with an empty list of choices."""
    choices = [] if content is None else [{"index": 0, "delta": {"content": content}, "finish_reason": None}]
    head = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": choices,
    }
    return orjson.dumps({**head, "usage": usage, **more})


USAGE_JSON = chunk_json(None, USAGE)
USAGE_EVENT = b"data: " + USAGE_JSON + b"\n\n"


def event(data: bytes) -> bytes:
    return b"data: " + data + b"\n\n"


def split(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    marks = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:stop] for start, stop in pairwise(marks)]


def read(chunks: Iterable[bytes], limit: int = 1 << 20) -> list[bytes]:
    reader = EventReader(limit)
    return [data for chunk in chunks for data in reader.feed(chunk)]


def hide(chunks: Iterable[bytes], limit: int = 16 << 10) -> bytes:
    hider = UsageHider(limit)
    return b"".join([hider.feed(chunk) for chunk in chunks]) + hider.end()


def one_by_one(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


# Streams: blocks of lines, each line with an end of its own, each block ended by a blank line.

line_ends = st.sampled_from([b"\n", b"\r\n", b"\r"])
ordinary_data = st.one_of(
    st.text(max_size=12).map(lambda text: chunk_json(text)),
    st.just(chunk_json(None)),  # no usage
    st.just(chunk_json("x", USAGE)),  # usage, but an ordinary chunk
    st.just(chunk_json(None, USAGE, object="other")),
    st.just(chunk_json("long " * 60)),
    st.sampled_from([b"[DONE]", b"", b"{", b"plain", b'{"error":{"message":"x"}}', b"[]", b'"choices":[{']),
    st.binary(max_size=8).map(lambda data: re.sub(rb"[\r\n]", b"", data)),
)
other_lines = st.sampled_from(
    [b"id: 7", b"event: ping", b"retry: 10", b"data", b"unknown", b"event", b": note"]
)


def data_lines(data: bytes, n_lines: int, space: bytes) -> list[bytes]:
    """One JSON text over several data lines, cut at commas between members."""
    pieces = data.split(b',"usage"', n_lines - 1)
    pieces = [pieces[0], *[b'"usage"' + piece for piece in pieces[1:]]]
    pieces[:-1] = [piece + b"," for piece in pieces[:-1]]
    return [b"data:" + space + piece for piece in pieces]


@st.composite
def blocks(draw: st.DrawFn, data: st.SearchStrategy[bytes]) -> bytes:
    """One event: perhaps other fields, then data, each line with its own end, then a blank line."""
    fields = draw(st.lists(other_lines.filter(lambda line: line not in (b"data", b": note")), max_size=2))
    lines = [*fields, *data_lines(draw(data), draw(st.integers(1, 2)), draw(st.sampled_from([b"", b" "])))]
    body = b"".join(_ended(line, draw(line_ends)) for line in lines)
    return body + _blank(draw(line_ends), body)


def _ended(line: bytes, end: bytes) -> bytes:
    return line + end


def _blank(end: bytes, body: bytes) -> bytes:
    """A blank line; after a line that ends with CR a lone LF would only complete that end."""
    return b"\r\n" if body.endswith(b"\r") and end == b"\n" else end


comments = st.tuples(st.sampled_from([b": keep", b":", b": data: {"]), line_ends).map(b"".join)
usage_blocks = blocks(st.just(USAGE_JSON))
ordinary_blocks = blocks(ordinary_data)
cuts = st.lists(st.integers(0, 1 << 20), max_size=12)


@given(
    st.lists(st.one_of(ordinary_blocks, comments, usage_blocks), max_size=6).map(b"".join),
    st.binary(max_size=5),
    cuts,
)
def test_any_split_gives_the_same_events(stream: bytes, tail: bytes, cuts: list[int]) -> None:
    stream += tail
    assert read(split(stream, cuts)) == read([stream]) == read(one_by_one(stream))


@given(
    st.lists(st.one_of(ordinary_blocks, usage_blocks), max_size=6).map(b"".join), cuts, st.integers(1, 200)
)
def test_any_split_gives_the_same_events_at_any_limit(stream: bytes, cuts: list[int], limit: int) -> None:
    assert read(split(stream, cuts), limit) == read([stream], limit) == read(one_by_one(stream), limit)


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\n", [b"a"]),
        (b"data:a\r\n\r\ndata: b\r\rdata:  c\n\n", [b"a", b"b", b" c"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"data\n\n", [b""]),
        (b"data:\n\n", [b""]),
        (b": note\nevent: x\nid: 1\nretry: 5\n\n", []),
        (b"\n\n\ndata: a\n\n", [b"a"]),
        (b"datax: no\nDATA: no\n\n", []),
        (b"data: a\n", []),
        (b"data: a", []),
        (b"\xef\xbb\xbfdata: a\n\n\xef\xbb\xbfdata: b\n\n", [b"a"]),
        (b"\xef\xbb\xbf\n\ndata: b\n\n", [b"b"]),
        ("data: é😀\n\n".encode(), ["é😀".encode()]),
        (b"data: a:b\n\n", [b"a:b"]),
    ],
)
def test_reads_by_the_standard(stream: bytes, events: list[bytes]) -> None:
    assert read([stream]) == read(one_by_one(stream)) == events


def test_an_event_beyond_the_limit_is_skipped_and_not_stored() -> None:
    stream = b"data: " + b"x" * 50 + b"\ndata: y\n\n" + b"data: ok\n\n"
    assert read([stream], 40) == read(one_by_one(stream), 40) == [b"ok"]
    reader = EventReader(limit=100)
    for _ in range(1000):
        reader.feed(b"data: " + b"x" * 90)
    assert len(reader._line) <= 100


@pytest.mark.parametrize(
    ("stream", "last"), [(b"data: a\n\ndata: b", b"b"), (b"data: b\n", b"b"), (b"id: 1", None)]
)
def test_end_gives_the_event_that_lacks_its_blank_line(stream: bytes, last: bytes | None) -> None:
    reader = EventReader()
    reader.feed(stream)
    assert reader.end() == last
    assert reader.end() is None


@given(
    st.lists(st.one_of(ordinary_blocks, comments), max_size=5),
    st.lists(ordinary_blocks, max_size=4),
    usage_blocks,
    cuts,
)
def test_hiding_removes_exactly_the_usage_event(
    before: list[bytes], after: list[bytes], usage_block: bytes, cuts: list[int]
) -> None:
    head, tail = b"".join(before), b"".join(after)
    if head.endswith(b"\r"):
        head += b"\r\n"  # so that nothing that follows completes this line end
    stream = head + usage_block + tail
    assert hide([stream]) == head + tail
    assert hide(split(stream, cuts)) == head + tail
    assert hide(one_by_one(stream)) == head + tail


@given(st.lists(st.one_of(ordinary_blocks, comments), max_size=6).map(b"".join), st.binary(max_size=6), cuts)
def test_hiding_changes_no_other_stream(stream: bytes, tail: bytes, cuts: list[int]) -> None:
    stream += tail
    assert hide([stream]) == hide(split(stream, cuts)) == hide(one_by_one(stream)) == stream


@given(
    st.lists(st.one_of(ordinary_blocks, usage_blocks), max_size=4).map(b"".join),
    st.integers(0, 800),
    cuts,
    st.integers(1, 400),
)
def test_hiding_does_not_depend_on_the_split_even_when_broken_off_or_at_the_limit(
    stream: bytes, stop: int, cuts: list[int], limit: int
) -> None:
    stream = stream[:stop]
    assert hide(split(stream, cuts), limit) == hide([stream], limit) == hide(one_by_one(stream), limit)


@given(st.binary(max_size=60), cuts)
def test_garbage_passes(stream: bytes, cuts: list[int]) -> None:
    assert hide(split(stream, cuts)) == stream


def test_only_one_event_is_ever_hidden() -> None:
    stream = USAGE_EVENT + event(b"[DONE]") + USAGE_EVENT
    assert hide([stream]) == hide(one_by_one(stream)) == event(b"[DONE]") + USAGE_EVENT


def test_a_split_line_end_goes_with_the_hidden_event() -> None:
    stream = b"data: " + USAGE_JSON + b"\r\n\r\ndata: [DONE]\r\n\r\n"
    hider = UsageHider()
    first, second = stream[: stream.index(b"\ndata")], stream[stream.index(b"\ndata") :]
    assert (hider.feed(first), hider.feed(second), hider.end()) == (b"", b"data: [DONE]\r\n\r\n", b"")


@pytest.mark.parametrize(
    "data",
    [
        chunk_json(None),
        chunk_json(None, None),
        chunk_json(None, []),
        chunk_json("text", USAGE),
        chunk_json(None, USAGE, object="chat.completion"),
        chunk_json(None, USAGE, extra={"choices": [{"a": 1}]}),
        chunk_json(None, USAGE).replace(b'"choices":[]', b'"choices":null'),
        USAGE_JSON[:-1],
        b"[DONE]",
        b"[]",
    ],
)
def test_what_is_no_usage_event_passes(data: bytes) -> None:
    assert hide([event(data)]) == event(data)


@pytest.mark.parametrize(
    "stream",
    [
        USAGE_EVENT,
        b"event: message\nid: 1\n" + USAGE_EVENT,
        b"data: " + USAGE_JSON + b"\nid: 1\n: note\n\n",
        b"data:\t" + USAGE_JSON.replace(b'"choices":[]', b'"choices" : [ ]') + b"\r\n\r\n",
        b"data:\ndata: " + USAGE_JSON + b"\n\n",
    ],
)
def test_spellings_of_the_usage_event(stream: bytes) -> None:
    assert hide([stream]) == hide(one_by_one(stream)) == b""


def test_a_comment_before_the_usage_event_passes() -> None:
    assert hide([b": note\n" + USAGE_EVENT]) == b": note\n"


def test_a_byte_order_mark_makes_the_first_event_untouchable() -> None:
    stream = b"\xef\xbb\xbf" + USAGE_EVENT
    assert hide([stream]) == hide(one_by_one(stream)) == stream


def test_ordinary_bytes_flow_as_soon_as_they_are_told_apart() -> None:
    hider = UsageHider()
    start = b'data: {"id":"x","choices":'
    assert hider.feed(start) == b""
    assert hider.feed(b"[") == b""
    assert hider.feed(b"{") == start + b"[{"
    assert hider.feed(b'"delta":{') == b'"delta":{'
    assert hider.feed(b"}}]}\n\n") == b"}}]}\n\n"
    assert hider.feed(b"data: [") == b"data: ["  # cannot become a JSON object
    assert hider.feed(b"DONE]\n\n") == b"DONE]\n\n"
    assert hider.feed(b": ping") == b": ping"
    assert hider.feed(b"\n\n") == b"\n\n"


def test_never_holds_more_than_its_limit() -> None:
    hider = UsageHider(limit=100)
    sent = b'data: {"a":"' + b"x" * 1000
    got = b"".join(hider.feed(byte) for byte in one_by_one(sent))
    assert got == sent


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


@settings(max_examples=20)
@given(st.integers(0, 3))
def test_hiding_stops_looking_after_the_event(n_more: int) -> None:
    hider = UsageHider()
    hider.feed(USAGE_EVENT)
    for _ in range(n_more):
        more = event(chunk_json("x"))
        assert hider.feed(more) is more
