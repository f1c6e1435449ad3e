"""The event stream: read by the standard, one event hidden, for any split."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.sse import EventReader, UsageHider
from tests.gateway.event_streams import (
    USAGE,
    USAGE_EVENT,
    USAGE_JSON,
    chunk_json,
    comments,
    cuts,
    event,
    hide,
    one_by_one,
    ordinary_blocks,
    read,
    split,
    usage_blocks,
)


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


@settings(max_examples=20)
@given(st.integers(0, 3))
def test_hiding_stops_looking_after_the_event(n_more: int) -> None:
    hider = UsageHider()
    hider.feed(USAGE_EVENT)
    for _ in range(n_more):
        more = event(chunk_json("x"))
        assert hider.feed(more) is more
