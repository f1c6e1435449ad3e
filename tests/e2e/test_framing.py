"""What is no request, byte by byte: what goes on the wire, what comes back, that the upstream saw nothing.

Behind every attack stands a second request. It is never served: whoever disagrees with us about where the
first one ends would have it answered as somebody else's.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

import pytest

from gateway.downstream.framing import MAX_FIELDS, MAX_HEAD_BYTES, MAX_TARGET_BYTES, OVERHEAD_BYTES
from tests.e2e.scripted_upstream import Peer, ScriptedUpstream, connected

HIDDEN = b"GET /v1/hidden HTTP/1.1\r\nHost: gateway\r\n\r\n"
GET = b"GET /v1/x HTTP/1.1\r\nHost: gateway\r\n"
POST = b"POST /v1/x HTTP/1.1\r\nHost: gateway\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass(frozen=True)
class Attack:
    name: str
    raw: bytes
    status: int = 400
    code: str = "malformed_request"


ATTACKS = [
    # Who is asked.
    Attack("two Host fields", GET + b"Host: other\r\n\r\n"),
    Attack("the same Host twice", GET + b"host: gateway\r\n\r\n"),
    Attack("no Host", b"GET /v1/x HTTP/1.1\r\n\r\n"),
    Attack("an empty Host", b"GET /v1/x HTTP/1.1\r\nHost:\r\n\r\n"),
    Attack("a Host with a blank", b"GET /v1/x HTTP/1.1\r\nHost: a b\r\n\r\n"),
    Attack("a Host with a path", b"GET /v1/x HTTP/1.1\r\nHost: a/../b\r\n\r\n"),
    Attack("a Host with a user", b"GET /v1/x HTTP/1.1\r\nHost: u@a\r\n\r\n"),
    Attack("two names in Host", b"GET /v1/x HTTP/1.1\r\nHost: a, b\r\n\r\n"),
    Attack("a Host with an endless port", b"GET /v1/x HTTP/1.1\r\nHost: a:123456\r\n\r\n"),
    Attack("two Host fields in HTTP/1.0", b"GET /v1/x HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"),
    # What is asked for.
    Attack("an unknown method", GET.replace(b"GET", b"FOO") + b"\r\n", 501, "unknown_method"),
    Attack("a method in lower case", GET.replace(b"GET", b"get") + b"\r\n", 501, "unknown_method"),
    Attack("CONNECT", b"CONNECT o:443 HTTP/1.1\r\nHost: o\r\n\r\n", 501, "unknown_method"),
    Attack("CONNECT with a path", b"CONNECT /x HTTP/1.1\r\nHost: o\r\n\r\n", 501, "unknown_method"),
    Attack("a method of RTSP", b"DESCRIBE /x RTSP/1.0\r\nHost: o\r\n\r\n", 501, "unknown_method"),
    Attack("a method of Icecast", b"SOURCE /x HTTP/1.1\r\nHost: o\r\n\r\n", 501, "unknown_method"),
    Attack("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    Attack("no HTTP at all", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    Attack("HTTP/2.0 in a line", b"GET /v1/x HTTP/2.0\r\nHost: a\r\n\r\n"),
    Attack("HTTP/1.2", b"GET /v1/x HTTP/1.2\r\nHost: a\r\n\r\n"),
    Attack("HTTP/0.9", b"GET /v1/x\r\n\r\n"),
    Attack("HTTP in lower case", b"GET /v1/x http/1.1\r\nHost: a\r\n\r\n"),
    Attack("a blank in the target", b"GET /v1/x y HTTP/1.1\r\nHost: a\r\n\r\n"),
    Attack("a tab in the target", b"GET /v1/x\ty HTTP/1.1\r\nHost: a\r\n\r\n"),
    Attack("NUL in the target", b"GET /v1/x\0y HTTP/1.1\r\nHost: a\r\n\r\n"),
    Attack("a target beyond ASCII", b"GET /v1/\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n"),
    Attack("a fragment in the target", b"GET /v1/x#y HTTP/1.1\r\nHost: a\r\n\r\n"),
    Attack("a target that is no path", b"GET v1/x HTTP/1.1\r\nHost: a\r\n\r\n"),
    Attack("a target that asks about the server", b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"),
    Attack("a target of another scheme", b"GET ftp://o/v1/x HTTP/1.1\r\nHost: a\r\n\r\n"),
    Attack("a target with a user", b"GET http://u:p@o/v1/x HTTP/1.1\r\nHost: a\r\n\r\n"),
    Attack("a target without host", b"GET http:///v1/x HTTP/1.1\r\nHost: a\r\n\r\n"),
    # Lines.
    Attack("bare line feeds", b"GET /v1/x HTTP/1.1\nHost: a\n\n"),
    Attack("a bare line feed behind a field", GET[:-2] + b"\nX: 1\r\n\r\n"),
    Attack("a bare line feed at the end", GET + b"\n"),
    Attack("a bare carriage return", GET[:-2] + b"\rX: 1\r\n\r\n"),
    Attack("two carriage returns", GET + b"X: 1\r\r\n\r\n"),
    Attack("a folded line", GET + b"X: 1\r\n 2\r\n\r\n"),
    Attack("a line folded by a tab", GET + b"X: 1\r\n\t2\r\n\r\n"),
    Attack("a first line that is folded", b"GET /v1/x HTTP/1.1\r\n Host: a\r\n\r\n"),
    Attack("a blank before the colon", GET + b"X : 1\r\n\r\n"),
    Attack("a tab before the colon", GET + b"X\t: 1\r\n\r\n"),
    Attack("no colon", GET + b"X\r\n\r\n"),
    Attack("no name", GET + b": 1\r\n\r\n"),
    Attack("a name beyond ASCII", GET + b"X\xe9: 1\r\n\r\n"),
    Attack("a name with a bracket", GET + b"X(: 1\r\n\r\n"),
    Attack("NUL in a name", GET + b"X\0: 1\r\n\r\n"),
    Attack("NUL in a value", GET + b"X: a\0b\r\n\r\n"),
    Attack("a control character in a value", GET + b"X: a\x01b\r\n\r\n"),
    Attack("DEL in a value", GET + b"X: a\x7fb\r\n\r\n"),
    # Where the body ends.
    Attack(
        "a length and a coding", POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    Attack(
        "a coding and a length", POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"
    ),
    Attack("two lengths", POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
    Attack("the same length twice", POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
    Attack("a list of lengths", POST + b"Content-Length: 3, 3\r\n\r\nabc"),
    Attack("+5 as length", POST + b"Content-Length: +5\r\n\r\nabcde"),
    Attack("a negative length", POST + b"Content-Length: -1\r\n\r\n"),
    Attack("a hexadecimal length", POST + b"Content-Length: 0x3\r\n\r\nabc"),
    Attack("a length with an underscore", POST + b"Content-Length: 1_0\r\n\r\nabcdefghij"),
    Attack("a length of two numbers", POST + b"Content-Length: 3 3\r\n\r\nabc"),
    Attack("an empty length", POST + b"Content-Length:\r\n\r\n"),
    Attack("a length beyond 64 bits", POST + b"Content-Length: 99999999999999999999999\r\n\r\n"),
    Attack("the coding identity", POST + b"Transfer-Encoding: identity\r\n\r\n"),
    Attack("an unknown coding", POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    Attack("a coding with a vertical tab", POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"),
    Attack("a coding with a parameter", POST + b"Transfer-Encoding: chunked;x=1\r\n\r\n0\r\n\r\n"),
    Attack("a coding before chunked", POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    Attack("a coding behind chunked", POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
    Attack(
        "chunked in two fields", POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"
    ),
    Attack("an empty coding", POST + b"Transfer-Encoding:\r\n\r\n"),
    Attack("a coding in HTTP/1.0", b"POST /x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    # Chunks, in one packet with the head: nothing of the request has gone on by then.
    Attack("a chunk size that is none", CHUNKED + b"zz\r\nabc\r\n"),
    Attack("a chunk size with 0x", CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n"),
    Attack("a negative chunk size", CHUNKED + b"-1\r\nabc\r\n0\r\n\r\n"),
    Attack("an empty chunk size", CHUNKED + b"\r\nabc\r\n0\r\n\r\n"),
    Attack("a chunk size beyond 64 bits", CHUNKED + b"fffffffffffffffff\r\nabc\r\n"),
    Attack("a blank behind a chunk size", CHUNKED + b"3 \r\nabc\r\n0\r\n\r\n"),
    Attack("a bare line feed behind a chunk size", CHUNKED + b"3\nabc\r\n0\r\n\r\n"),
    Attack("a chunk longer than its size", CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n"),
    Attack("a bare line feed behind a chunk", CHUNKED + b"3\r\nabc\n0\r\n\r\n"),
    Attack("a bare line feed in an extension", CHUNKED + b"3;a\nb\r\nabc\r\n0\r\n\r\n"),
    Attack("a bare line feed behind the last chunk", CHUNKED + b"3\r\nabc\r\n0\r\n\n"),
    Attack("a length among the trailers", CHUNKED + b"3\r\nabc\r\n0\r\nContent-Length: 9\r\n\r\n"),
    # Size.
    Attack("too many fields", GET + b"X: 1\r\n" * MAX_FIELDS + b"\r\n", 431, "headers_too_large"),
    Attack("a long field", GET + b"X: " + b"a" * MAX_HEAD_BYTES + b"\r\n\r\n", 431, "headers_too_large"),
    Attack("a long name", GET + b"X" * MAX_HEAD_BYTES + b": 1\r\n\r\n", 431, "headers_too_large"),
    Attack(
        "many long fields", GET + (b"X: " + b"a" * 8192 + b"\r\n") * 8 + b"\r\n", 431, "headers_too_large"
    ),
    Attack("line ends without end", b"\r\n" * MAX_HEAD_BYTES, 431, "headers_too_large"),
    Attack(
        "a long target",
        b"GET /" + b"a" * MAX_TARGET_BYTES + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        414,
        "target_too_long",
    ),
    Attack(
        "a WebSocket with a body",
        GET + b"Upgrade: websocket\r\nConnection: upgrade\r\nContent-Length: 1\r\n\r\nx",
    ),
]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
async def test_what_is_no_request_is_refused_and_ends_the_connection(
    attack: Attack, gateway: int, upstream: ScriptedUpstream
) -> None:
    async with connected(gateway) as client:
        await client.send(attack.raw + HIDDEN)
        head, body = await client.answer()
        error = json.loads(body)["error"]
        assert (head.status, error["code"]) == (attack.status, attack.code), error
        assert set(error) == {"message", "type", "param", "code"}
        assert head.values(b"connection") == [b"close"]
        assert await client.until_closed() == b"", "one answer and no more"
    assert upstream.n_connections == 0


async def test_in_pieces_it_is_refused_alike(gateway: int, upstream: ScriptedUpstream) -> None:
    """The limits hold for what is sent byte by byte; the refusal comes before the end of what is sent."""
    for attack in (one for one in ATTACKS if len(one.raw) < 200):
        async with connected(gateway) as client:
            for i in range(len(attack.raw)):
                await client.send(attack.raw[i : i + 1])
                await asyncio.sleep(0)
            await client.send(HIDDEN)
            head, body = await client.answer()
            assert (head.status, json.loads(body)["error"]["code"]) == (attack.status, attack.code), (
                attack.name
            )
            assert await client.until_closed() == b""
    assert all(b"/v1/hidden" not in line for line in await heads(upstream))


async def heads(upstream: ScriptedUpstream) -> list[bytes]:
    """The start lines of whatever has reached the upstream."""
    lines = []
    for _ in range(upstream.n_connections):
        peer = await upstream.accept()
        lines.append((await peer.until_closed()).partition(b"\r\n")[0])
    return lines


async def test_a_head_is_refused_once_it_is_too_long_not_when_it_ends(gateway: int) -> None:
    async with connected(gateway) as client:
        await client.send(GET + b"X: ")
        for _ in range(MAX_HEAD_BYTES // 1024):
            await client.send(b"a" * 1024)
        assert (await client.answer())[0].status == 431


class TestHiddenRequests:
    """Whatever stands behind a request that ends the connection is nobody's."""

    @pytest.mark.parametrize(
        ("first", "body"),
        [
            (GET + b"Connection: close\r\n\r\n", b""),
            (b"GET /v1/x HTTP/1.0\r\nHost: a\r\n\r\n", b""),
            (b"GET /v1/x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", b""),
            (POST + b"Connection: close\r\nContent-Length: 2\r\n\r\nab", b"ab"),
        ],
        ids=["close", "HTTP/1.0", "HTTP/1.0 that would go on", "a body"],
    )
    async def test_behind_the_last(
        self, first: bytes, body: bytes, gateway: int, upstream: ScriptedUpstream
    ) -> None:
        async with connected(gateway) as client:
            await client.send(first + HIDDEN)
            peer = await upstream.accept()
            assert (await peer.answer())[1] == body
            await peer.send(OK)
            head, answer = await client.answer()
            assert (head.status, answer, head.values(b"connection")) == (200, b"ok", [b"close"])
            assert await client.until_closed() == b""
        assert await left(peer) == b""
        assert upstream.n_connections == 1

    async def test_behind_an_offer_that_nobody_takes(self, gateway: int, upstream: ScriptedUpstream) -> None:
        """What a WebSocket's client sends before the upstream agreed is not read as HTTP, nor passed on."""
        async with connected(gateway) as client:
            await client.send(GET + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + HIDDEN)
            peer = await upstream.accept()
            await peer.head()
            await peer.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
            head, answer = await client.answer()
            assert (head.status, answer, head.values(b"connection")) == (403, b"no", [b"close"])
            assert await client.until_closed() == b""
        assert await left(peer) == b""
        assert upstream.n_connections == 1

    async def test_an_offer_has_a_body_like_any_request(
        self, gateway: int, upstream: ScriptedUpstream
    ) -> None:
        offer = POST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
        for framing, wire in (
            (b"Content-Length: 41", b"x" * 41),
            (b"Content-Length: 0", b""),
            (b"Transfer-Encoding: chunked", b"29\r\n" + b"x" * 41 + b"\r\n0\r\n\r\n"),
        ):
            async with connected(gateway) as client:
                await client.send(offer + framing + b"\r\n\r\n" + wire + GET + b"\r\n")
                first = await upstream.accept()
                assert (await first.answer())[1] == b"x" * (41 if len(wire) else 0)
                await first.send(OK)
                assert (await client.answer())[1] == b"ok"
                assert (await first.head()).start_line == b"GET /v1/x HTTP/1.1"
                await first.send(OK)
                assert (await client.answer())[1] == b"ok"
                first.close()

    async def test_a_refusal_waits_for_the_answer_before_it(
        self, gateway: int, upstream: ScriptedUpstream
    ) -> None:
        async with connected(gateway) as client:
            await client.send(GET + b"\r\n" + b"FOO\r\n" + HIDDEN)
            peer = await upstream.accept()
            await peer.head()
            await peer.send(OK)
            assert (await client.answer())[1] == b"ok"
            head, _ = await client.answer()
            assert head.status == 501
            assert await client.until_closed() == b""
        assert await left(peer) == b""


async def left(peer: Peer) -> bytes:
    """What else came to the upstream before its connection was closed."""
    peer.close()
    return await peer.until_closed()


class TestBrokenBodies:
    """Amid a body part of the request has gone on: it never ends cleanly there."""

    async def test_the_upstream_never_takes_it_for_whole(
        self, gateway: int, upstream: ScriptedUpstream
    ) -> None:
        async with connected(gateway) as client:
            await client.send(CHUNKED + b"3\r\nabc\r\n")
            peer = await upstream.accept()
            await peer.head()
            assert await peer.chunk() == b"abc"
            await client.send(b"zz\r\n" + HIDDEN)
            head, body = await client.answer()
            assert (head.status, json.loads(body)["error"]["code"]) == (400, "malformed_request")
            assert await client.until_closed() == b""
            assert await peer.until_closed() == b"", "no last chunk"
        assert upstream.n_connections == 1

    async def test_an_answer_under_way_breaks_off(self, gateway: int, upstream: ScriptedUpstream) -> None:
        async with connected(gateway) as client:
            await client.send(CHUNKED + b"3\r\nabc\r\n")
            peer = await upstream.accept()
            await peer.head()
            await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
            await client.head()
            assert await client.chunk() == b"one"
            await client.send(b"zz\r\n" + HIDDEN)
            assert await client.until_closed() == b"", "neither a last chunk nor a second answer"
            assert not (await peer.until_closed()).endswith(b"0\r\n\r\n")

    async def test_trailers_are_no_fields(self, gateway: int, upstream: ScriptedUpstream) -> None:
        async with connected(gateway) as client:
            await client.send(CHUNKED + b"3\r\nabc\r\n0\r\nX-Pith-Mode: off\r\nAuthorization: evil\r\n\r\n")
            peer = await upstream.accept()
            head, body = await peer.answer()
            assert (head.values(b"authorization"), body) == ([], b"abc")
            await peer.send(OK)
            assert (await client.answer())[0].status == 200

    async def test_framing_without_content_is_bounded(self, gateway: int, upstream: ScriptedUpstream) -> None:
        async with connected(gateway) as client:
            await client.send(CHUNKED)
            peer = await upstream.accept()
            await peer.head()
            for _ in range(2 * OVERHEAD_BYTES // 4096):
                await client.send(b"1;" + b"x" * 4090 + b"\r\na\r\n")
            head, _ = await client.answer()
            assert head.status == 400

    async def test_small_chunks_are_honest(self, gateway: int, upstream: ScriptedUpstream) -> None:
        n = 3 * OVERHEAD_BYTES // 6
        async with connected(gateway) as client:
            await client.send(CHUNKED + b"1\r\na\r\n" * n + b"0\r\n\r\n")
            peer = await upstream.accept()
            assert (await peer.answer())[1] == b"a" * n


class TestTheBenign:
    """What looks odd and is fine."""

    @pytest.mark.parametrize(
        ("raw", "target"),
        [
            (b"\r\n\r\nGET /v1/x HTTP/1.1\r\nHost: a\r\n\r\n", b"/v1/x"),
            (b"GET http://other:80/v1/x?y HTTP/1.1\r\nHost: a\r\n\r\n", b"/v1/x?y"),
            (b"GET HTTPS://other HTTP/1.1\r\nHost: a\r\n\r\n", b"/"),
            (b"GET http://other?q HTTP/1.1\r\nHost: a\r\n\r\n", b"/?q"),
            (b"GET http://other/v1/x? HTTP/1.1\r\nHost: a\r\n\r\n", b"/v1/x?"),
            (b"GET /v1/x HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", b"/v1/x"),
            (b"GET /v1/x HTTP/1.0\r\n\r\n", b"/v1/x"),
        ],
    )
    async def test_is_served(
        self, raw: bytes, target: bytes, gateway: int, upstream: ScriptedUpstream
    ) -> None:
        async with connected(gateway) as client:
            await client.send(raw)
            peer = await upstream.accept()
            head = await peer.head()
            assert (head.target, head.values(b"host")) == (target, [upstream.authority.encode()])
            await peer.send(OK)
            assert (await client.answer())[1] == b"ok"

    async def test_pipelined_requests_are_answered_in_order(
        self, gateway: int, upstream: ScriptedUpstream
    ) -> None:
        async with connected(gateway) as client:
            await client.send(GET + b"\r\n" + POST + b"Content-Length: 2\r\n\r\nab" + HIDDEN)
            peer = await upstream.accept()
            for expected in (b"GET /v1/x", b"POST /v1/x", b"GET /v1/hidden"):
                head, _ = await peer.answer()
                assert head.start_line.startswith(expected)
                await peer.send(OK.replace(b"ok", expected[-2:]))
                assert (await client.answer())[1] == expected[-2:]

    async def test_a_client_of_http_1_0_gets_no_chunks(
        self, gateway: int, upstream: ScriptedUpstream
    ) -> None:
        async with connected(gateway) as client:
            await client.send(b"GET /v1/x HTTP/1.0\r\n\r\n")
            peer = await upstream.accept()
            await peer.head()
            await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n")
            head = await client.head()
            assert (head.values(b"transfer-encoding"), head.values(b"connection")) == ([], [b"close"])
            assert await client.until_closed() == b"one"
