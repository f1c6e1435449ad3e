"""Requests out of bytes, however these are split; and what is behind the last one."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.downstream.framing import MAX_FIELDS, MAX_HEAD_BYTES, MAX_TARGET_BYTES, OVERHEAD_BYTES
from gateway.downstream.reader import Opened, RequestReader
from gateway.refusal import Refusal

HEAD = b"POST /v1/x?y HTTP/1.1\r\nHost: a\r\nX-Spelled: One \t\r\n"
GET = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"
WEBSOCKET = b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n"
OFFER = b"Connection: Upgrade\r\nUpgrade: h2c\r\n"


class Heard:
    """A sink: each request as (target, body), whether it is whole, and what its head said."""

    def __init__(self) -> None:
        self.heads: list[Opened] = []
        self.bodies: list[bytes] = []
        self.n_ended = 0

    def opened(self, request: Opened) -> None:
        self.heads.append(request)
        self.bodies.append(b"")

    def body(self, data: bytes) -> None:
        self.bodies[-1] += data

    def ended(self) -> None:
        self.n_ended += 1

    @property
    def requests(self) -> list[tuple[bytes, bytes]]:
        return [(one.head.target, body) for one, body in zip(self.heads, self.bodies, strict=True)]


def read(*parts: bytes) -> tuple[Heard, bytes]:
    heard, left = Heard(), b""
    reader = RequestReader(heard)
    for part in parts:
        left += reader.feed(part)
    return heard, left


CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n2;ext\r\nab\r\n3\r\ncde\r\n0\r\nX-Trailer: 1\r\n\r\n"
CONVERSATIONS = {
    "lengths": (
        HEAD + b"Content-Length: 5\r\n\r\nabcde" + GET,
        [(b"/v1/x?y", b"abcde"), (b"/next", b"")],
        b"",
    ),
    "chunks": (HEAD + CHUNKED + GET, [(b"/v1/x?y", b"abcde"), (b"/next", b"")], b""),
    "an offer": (HEAD + OFFER + b"\r\n" + GET, [(b"/v1/x?y", b""), (b"/next", b"")], b""),
    "an offer with a length": (
        HEAD + OFFER + b"Content-Length: 5\r\n\r\nabcde" + GET,
        [(b"/v1/x?y", b"abcde"), (b"/next", b"")],
        b"",
    ),
    "an offer in chunks": (HEAD + OFFER + CHUNKED + GET, [(b"/v1/x?y", b"abcde"), (b"/next", b"")], b""),
    "a WebSocket": (WEBSOCKET + b"\x81\x00 raw", [(b"/ws", b"")], b"\x81\x00 raw"),
    "the last one": (b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", [(b"/x", b"")], b""),
}


@pytest.mark.parametrize("name", CONVERSATIONS)
@given(data=st.data())
def test_any_split_reads_the_same(name: str, data: st.DataObject) -> None:
    raw, expected, behind = CONVERSATIONS[name]
    cuts = sorted(data.draw(st.sets(st.integers(1, len(raw) - 1), max_size=8)))
    heard, left = read(*(raw[start:end] for start, end in pairwise([0, *cuts, len(raw)])))
    assert (heard.requests, heard.n_ended, left) == (expected, len(expected), behind)
    assert heard.heads[0].offers_websocket == (name == "a WebSocket")


def test_names_are_kept_as_spelled_and_looked_up_in_lower_case() -> None:
    [opened] = read(HEAD + b"\r\n")[0].heads
    assert opened.spelled == [(b"Host", b"a"), (b"X-Spelled", b"One \t")]
    assert opened.lowered == [(b"host", b"a"), (b"x-spelled", b"One \t")]


@pytest.mark.parametrize(
    ("raw", "keeps_alive"),
    [
        (GET, True),
        (GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), False),
        (GET.replace(b"1.1", b"1.0"), False),
        (GET.replace(b"1.1", b"1.0").replace(b"\r\n\r\n", b"\r\nConnection: keep-alive\r\n\r\n"), False),
    ],
)
def test_bytes_behind_the_last_request_are_no_request(raw: bytes, keeps_alive: bool) -> None:
    heard, _ = read(raw + GET)
    assert (heard.heads[0].keeps_alive, heard.n_ended) == (keeps_alive, 2 if keeps_alive else 1)


def test_what_is_being_read_is_known() -> None:
    reader = RequestReader(Heard())
    assert (reader.is_in_head, reader.is_in_body) == (False, False)
    reader.feed(b"\r\n")
    assert not reader.is_in_head
    reader.feed(b"H")
    assert reader.is_in_head
    reader.feed(b"EAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n")
    assert (reader.is_in_head, reader.is_in_body, reader.method) == (False, True, "HEAD")
    reader.feed(b"x")
    assert not reader.is_in_body


@pytest.mark.parametrize("size", [1, 1000, MAX_HEAD_BYTES, 4 * MAX_HEAD_BYTES])
def test_no_more_of_a_head_is_held_than_may_be(size: int) -> None:
    raw, reader, fed = GET[:-2] + b"X: " + b"a" * (2 * MAX_HEAD_BYTES), RequestReader(Heard()), 0
    while fed + size < MAX_HEAD_BYTES:
        reader.feed(raw[fed : fed + size])
        fed += size
    with pytest.raises(Refusal, match="before the end") as refused:
        reader.feed(raw[fed : fed + size])
    assert refused.value.status == 431


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (GET.replace(b"Host: a", b"Host: a\r\nHost: b"), 400),
        (GET.replace(b"/next", b"/" + b"n" * MAX_TARGET_BYTES), 414),
        (GET[:-2] + b"X: 1\r\n" * MAX_FIELDS + b"\r\n", 431),
        (WEBSOCKET[:-2] + b"Content-Length: 1\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcdef", 400),
        (b"FOO / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    ],
)
def test_what_is_none_is_refused(raw: bytes, status: int) -> None:
    with pytest.raises(Refusal) as refused:
        read(raw)
    assert refused.value.status == status


def test_framing_without_content_is_refused() -> None:
    reader = RequestReader(Heard())
    reader.feed(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;")
    reader.feed(b"x" * OVERHEAD_BYTES)
    with pytest.raises(Refusal, match="framing"):
        reader.feed(b"x")


def test_a_body_behind_a_head_may_be_of_any_size() -> None:
    body = bytes(4 * MAX_HEAD_BYTES)
    heard, _ = read(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body + GET)
    assert heard.requests == [(b"/v1/x?y", body), (b"/next", b"")]


def test_a_long_head_behind_a_long_body_is_let_in() -> None:
    long = GET[:-2] + b"X: " + b"a" * (MAX_HEAD_BYTES - 200) + b"\r\n\r\n"
    body = bytes(MAX_HEAD_BYTES)
    heard, _ = read(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body + long[:-9], long[-9:])
    assert heard.n_ended == 2
