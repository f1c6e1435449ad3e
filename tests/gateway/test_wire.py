from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.types import RawHeaders
from gateway.upstreams.wire import MAX_HEAD_BYTES, AnswerReader, MalformedAnswer, framed, request_head

CHUNKED = b"HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: caf\xe9\r\nTransfer-Encoding: chunked\r\n\r\n"
ANSWERS: list[tuple[bytes, bytes]] = [
    (CHUNKED + b"3\r\nabc\r\n4;ext=1\r\ndefg\r\n0\r\nx-trailer: 1\r\n\r\n", b"abcdefg"),
    (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nlink: a\r\n\r\n" + CHUNKED + b"0\r\n\r\n", b""),
    (b"HTTP/1.1 529 \r\nContent-Length: 3\r\n\r\n\x1f\x8b\x00", b"\x1f\x8b\x00"),
    (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", b"until the end"),
    (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", b""),
]


async def nothing() -> AsyncIterator[bytes]:
    yield b""


def read(*pieces: bytes, is_bodiless: bool = False) -> tuple[AnswerReader, bytes]:
    answer = AnswerReader(is_bodiless=is_bodiless)
    body = b""
    for piece in pieces:
        answer.feed(piece)
        body += answer.take()
    return answer, body


@given(st.sampled_from(ANSWERS), st.sets(st.integers(1, 200), max_size=12))
def test_an_answer_reads_the_same_however_it_was_split(case: tuple[bytes, bytes], cuts: set[int]) -> None:
    raw, body = case
    at = [0, *sorted(cut for cut in cuts if cut < len(raw)), len(raw)]
    whole, _ = read(raw)
    pieces, received = read(*[raw[start:end] for start, end in pairwise(at)])
    assert received == body
    assert (pieces.status, pieces.headers) == (whole.status, whole.headers)
    assert pieces.is_reusable == whole.is_reusable


@given(st.sampled_from(ANSWERS), st.data())
def test_a_part_of_an_answer_is_never_taken_for_the_whole(
    case: tuple[bytes, bytes], data: st.DataObject
) -> None:
    raw, body = case
    end = data.draw(st.integers(0, len(raw) - 1))
    answer, received = read(raw[:end])
    assert body.startswith(received)
    if b"HTTP/1.0" in raw and answer.has_head:
        answer.feed_eof()  # without framing only the connection's end can tell
    else:
        with pytest.raises(MalformedAnswer, match="before the end"):
            answer.feed_eof()
    assert not answer.is_reusable


def test_names_and_values_come_as_spelled_and_without_trailers() -> None:
    answer, _ = read(ANSWERS[0][0])
    assert answer.headers == [(b"X-A", b"1"), (b"x-a", b"caf\xe9"), (b"Transfer-Encoding", b"chunked")]


def test_the_end_of_the_connection_ends_a_body_without_framing() -> None:
    answer, _ = read(b"HTTP/1.1 200 OK\r\n\r\nabc")
    assert not answer.is_complete
    answer.feed_eof()
    assert (answer.is_complete, answer.is_reusable) == (True, False)


def test_the_answer_to_head_has_no_body_whatever_it_says() -> None:
    answer, body = read(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", is_bodiless=True)
    assert (answer.is_complete, answer.is_reusable, body) == (True, True, b"")
    answer.feed(b"stray")
    assert (answer.is_reusable, answer.take()) == (False, b"")


@pytest.mark.parametrize(
    "stray", [b"x", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"]
)
def test_bytes_behind_the_answer_are_nobodys_and_end_the_trust(stray: bytes) -> None:
    answer, body = read(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + stray)
    assert (answer.is_complete, answer.is_reusable, body) == (True, False, b"ok")
    assert [name for name, _ in answer.headers] == [b"Content-Length"]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"SSH-2.0\r\n", "not valid"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "not valid"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "not valid"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "not valid"),
        (b"HTTP/1.1 999 Denied\r\n\r\n", "not valid"),
        (CHUNKED + b"zz\r\n", "not valid"),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "protocol switched"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"a" * MAX_HEAD_BYTES, "head longer"),
    ],
)
def test_what_is_no_answer_is_refused(raw: bytes, reason: str) -> None:
    with pytest.raises(MalformedAnswer, match=reason):
        read(raw)


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        ([(b"x", b"1")], b"", [(b"x", b"1")]),
        ([(b"x", b"1")], b"ab", [(b"x", b"1"), (b"content-length", b"2")]),
        ([(b"Content-Length", b"9"), (b"x", b"1")], b"ab", [(b"Content-Length", b"2"), (b"x", b"1")]),
        ([(b"content-length", b"9")], b"", [(b"content-length", b"0")]),
        ([(b"content-length", b"9"), (b"content-length", b"9")], b"a", [(b"content-length", b"1")]),
    ],
)
def test_bytes_go_with_their_own_length(headers: RawHeaders, body: bytes, expected: RawHeaders) -> None:
    assert framed(headers, body) == (expected, False)


def test_a_stream_keeps_the_clients_length_or_goes_in_chunks() -> None:
    assert framed([(b"Content-Length", b"9")], nothing()) == ([(b"Content-Length", b"9")], False)
    assert framed([], nothing()) == ([(b"transfer-encoding", b"chunked")], True)


@pytest.mark.parametrize(
    ("target", "field"),
    [
        (b"/a b", (b"x", b"1")),
        (b"/a\r\nx: 1", (b"x", b"1")),
        (b"/", (b"x", b"1\nx-b: 2")),
        (b"/", (b"x\r\n", b"1")),
        (b"/", (b"x", b"\0")),
    ],
)
def test_nothing_can_end_its_line_early(target: bytes, field: tuple[bytes, bytes]) -> None:
    with pytest.raises(ValueError, match="line break"):
        request_head("GET", target, [field])
