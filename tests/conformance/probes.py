"""What the SDK's own tests cannot see, checked on the wire of whatever hop stands between two sockets.

A probe is told of a hop and fails (AssertionError, or an end that came too soon) where the hop changes what
it may not. `test_probes.py` puts Pith in between, with compression on and off; `test_faulty.py` hops that
each do one thing wrong, which the probe of that thing must find.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from tests.conformance.dialects import Spoken
from tests.e2e.scripted_upstream import READ_LIMIT, Fields, Head, Peer, ScriptedUpstream, connected
from tests.e2e.whole_gateway import LONG, chunked

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
BIG = 64 << 20
"""More than a hop's buffers and the system's take, where the client's own takes little (`narrow`)."""


class Hop:
    """A port in front of an upstream, and the connection that it keeps to it."""

    def __init__(self, port: int, upstream: ScriptedUpstream, *, compresses: bool = False) -> None:
        self.port = port
        self.compresses = compresses
        self._upstream = upstream
        self._peer: Peer | None = None

    async def peer(self) -> Peer:
        """The upstream's end."""
        self._peer = self._peer or await self._upstream.accept()
        return self._peer

    def forget(self) -> None:
        """Its connection is of no use any more."""
        self._peer = None

    async def pass_on(self, client: Peer, raw: bytes) -> tuple[Head, bytes]:
        """Send a request; what arrived of it."""
        await client.send(raw)
        return await (await self.peer()).answer()

    async def arrives(self, client: Peer, raw: bytes) -> tuple[Head, bytes]:
        """Send a request, have it answered; what arrived of it."""
        arrived = await self.pass_on(client, raw)
        await (await self.peer()).send(OK)
        await client.answer()
        return arrived

    async def exchange(self, client: Peer, raw: bytes, answer: bytes = OK) -> tuple[Head, bytes]:
        """Send a request, answer it; what came back."""
        await self.pass_on(client, raw)
        await (await self.peer()).send(answer)
        return await client.answer()


Probe = Callable[[Hop, Spoken], Awaitable[None]]
PROBES: dict[str, Probe] = {}


def probe(function: Probe) -> Probe:
    """Put it into the table, by its name."""
    PROBES[function.__name__] = function
    return function


def asked(spoken: Spoken, body: bytes, fields: Fields | None = None) -> bytes:
    """A request as it stands on the wire."""
    more = b"".join(b"%b: %b\r\n" % one for one in fields or [])
    head = b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n%bContent-Length: %d\r\n\r\n"
    return head % (spoken.path, more, len(body)) + body


def streamed(spoken: Spoken) -> bytes:
    return asked(spoken, spoken.body(streamed=True))


def is_cut(sent: str) -> bool:
    rest = iter(LONG)
    return len(sent) < 0.8 * len(LONG) and all(char in rest for char in sent)


@asynccontextmanager
async def narrow(port: int) -> AsyncIterator[Peer]:
    """As `connected`, with a receive buffer that does not grow: systems give one 32 MiB and more."""
    with socket.socket() as own:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
        own.setblocking(False)
        await asyncio.get_running_loop().sock_connect(own, ("127.0.0.1", port))
        peer = Peer(*await asyncio.open_connection(sock=own, limit=READ_LIMIT))
        try:
            yield peer
        finally:
            peer.close()


# ---- requests


@probe
async def only_the_text_differs(hop: Hop, spoken: Spoken) -> None:
    """Spelling of numbers, order, blanks, unknown fields and escapes stay; with compression a text is cut."""
    async with connected(hop.port) as client:
        for is_streamed in (False, True):
            body = spoken.body(streamed=is_streamed)
            before, literal, after = body.partition(json.dumps(LONG).encode())
            head, received = await hop.arrives(client, asked(spoken, body))
            assert head.values(b"content-length") == [b"%d" % len(received)]
            asking = spoken.asking if hop.compresses and is_streamed else b""
            rest = received.replace(asking, b"")
            assert len(received) == len(rest) + len(asking)
            assert rest.startswith(before)
            assert rest.endswith(after)
            text = rest[len(before) : len(rest) - len(after)]
            assert is_cut(json.loads(text)) if hop.compresses else text == literal


_DEEP = b"[" * 50_000 + b"]" * 50_000
HOSTILE: Mapping[str, bytes] = {
    "an object too deep": b'"","x":' + _DEEP,
    "an array that never ends": b'"","x":' + b"[" * 50_000,
    "an integer of 4,300 digits": b'"","n":' + b"9" * 4300,
    "an integer of 4,301 digits": b'"","n":-' + b"9" * 4301,
    "a number beyond doubles": b'"","n":1e400',
    "NaN": b'%(long)s,"n":NaN',
    "Infinity": b'%(long)s,"n":-Infinity',
    "a content twice": b'%(long)s,"content":"other"',
    "a lone surrogate": b'"\\ud83d %(words)s"',
    "a lone low surrogate": b'"%(words)s \\udc00"',
    "bytes that are no UTF-8": b'"\xff%(words)s"',
    "a control character": b'"\x01%(words)s"',
    "a comment": b"%(long)s /* */",
    "a trailing comma": b"%(long)s,",
}


@probe
async def hostile_json_goes_on_as_it_came(hop: Hop, spoken: Spoken) -> None:
    """What not everybody reads alike is not touched: depth, NaN, duplicates, surrogates, endless integers."""
    long = {b"long": json.dumps(LONG).encode(), b"words": LONG.encode()}
    async with connected(hop.port) as client:
        for name, literal in HOSTILE.items():
            body = spoken.body(literal % long if b"%(" in literal else literal)
            _, received = await hop.arrives(client, asked(spoken, body))
            assert received == body, name


@probe
async def an_encoded_request_goes_on_unread(hop: Hop, spoken: Spoken) -> None:
    """With the field that says so."""
    async with connected(hop.port) as client:
        body = gzip.compress(spoken.body(), mtime=0)
        for coding in (b"gzip", b"zstd"):
            head, received = await hop.arrives(client, asked(spoken, body, [(b"Content-Encoding", coding)]))
            assert (head.values(b"content-encoding"), received) == ([coding], body)


@probe
async def fields_of_a_request_pass_in_order(hop: Hop, spoken: Spoken) -> None:
    """Duplicates too; what is about the connection does not."""
    kept: Fields = [
        (b"x-b", b"2"),
        (b"anthropic-beta", b"one"),
        (b"X-Stainless-Retry-Count", b"1"),
        (b"anthropic-beta", b"two, three"),
        (b"authorization", b"Bearer sk-1"),
        (b"x-a", b"caf\xe9"),
    ]
    dropped: Fields = [(b"Connection", b"keep-alive, X-Hop"), (b"X-Hop", b"1"), (b"Keep-Alive", b"timeout=5")]
    async with connected(hop.port) as client:
        head, _ = await hop.arrives(client, asked(spoken, spoken.body(), [*dropped, *kept]))
        own = [b"host", b"content-type", b"content-length"]
        assert [one for one in head.fields if one[0].lower() not in own] == kept


@probe
async def an_upload_keeps_its_bytes(hop: Hop, spoken: Spoken) -> None:
    """Multipart, in chunks, with JSON in it that looks like a request."""
    part = b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n%b%b\r\n--b--\r\n'
    body = part % (spoken.body(), bytes(range(256)))
    head = b"POST /v1/files HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    raw = head + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(body[:9], body[9:]) + END
    async with connected(hop.port) as client:
        assert (await hop.arrives(client, raw))[1] == body


ATTACKS: Mapping[str, bytes] = {
    "a length and a coding": b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
    "an unknown coding": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a folded line": b"X: 1\r\n 2\r\nContent-Length: 2\r\n\r\n{}",
    "a bare line feed": b"X: 1\nContent-Length: 2\r\n\r\n{}",
    "a blank before a colon": b"Content-Length : 2\r\n\r\n{}",
    "a chunk size that is none": b"Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n",
}


@probe
async def what_is_no_request_is_refused(hop: Hop, spoken: Spoken) -> None:
    """And the request hidden behind it is never read."""
    hidden = b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"
    for name, rest in ATTACKS.items():
        async with connected(hop.port) as client:
            await client.send(b"POST %b HTTP/1.1\r\nHost: a\r\n%b%b" % (spoken.path, rest, hidden))
            head, _ = await client.answer()
            assert (head.status, await client.until_closed()) == (400, b""), name


# ---- answers


@probe
async def fields_of_an_answer_return_in_order(hop: Hop, spoken: Spoken) -> None:
    """Duplicates and spelling too; ours stand beside them."""
    kept: Fields = [
        (b"x-request-id", b"req_1"),
        (b"set-cookie", b"a=1"),
        (b"retry-after-ms", b"10"),
        (b"set-cookie", b"b=2"),
        (b"X-RateLimit-Remaining", b"0"),
        (b"content-length", b"2"),
    ]
    lines = b"".join(b"%b: %b\r\n" % one for one in kept)
    answer = b"HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\n" + lines + b"\r\n{}"
    async with connected(hop.port) as client:
        head, _ = await hop.exchange(client, asked(spoken, spoken.body()), answer)
        assert [one for one in head.fields if not one[0].startswith(b"x-pith-")] == kept


@probe
async def errors_pass_with_their_coding(hop: Hop, spoken: Spoken) -> None:
    """Status, reason and body of whatever kind, gzipped or not."""
    plain = b'{"error" : {"message":"caf\xc3\xa9","extra":1.10}}\n'
    packed = gzip.compress(plain, mtime=0)
    async with connected(hop.port) as client:
        for status in (400, 401, 404, 408, 409, 422, 429, 500, 503, 529):
            for coding, body in ((b"", plain), (b"Content-Encoding: gzip\r\n", packed)):
                line = b"HTTP/1.1 %d Its own reason" % status
                raw = b"%b\r\n%bContent-Length: %d\r\n\r\n%b" % (line, coding, len(body), body)
                head, received = await hop.exchange(client, streamed(spoken), raw)
                assert (head.start_line, received) == (line, body)
                assert bool(head.values(b"content-encoding")) == bool(coding)


@probe
async def an_encoded_answer_stays_encoded(hop: Hop, spoken: Spoken) -> None:
    """A stream, gzipped; its pieces end anywhere."""
    body = gzip.compress(spoken.stream, mtime=0)
    raw = (
        STREAM.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")
        + chunked(body[:11], body[11:])
        + END
    )
    async with connected(hop.port) as client:
        head, received = await hop.exchange(client, streamed(spoken), raw)
        assert (head.values(b"content-encoding"), received) == ([b"gzip"], body)


@probe
async def interim_answers_are_read_over(hop: Hop, spoken: Spoken) -> None:
    """100 and 103, before the answer."""
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    async with connected(hop.port) as client:
        head, body = await hop.exchange(client, asked(spoken, spoken.body()), interim + OK)
        assert (head.status, head.values(b"link"), body) == (200, [], b"{}")


@probe
async def answers_without_body_have_none(hop: Hop, spoken: Spoken) -> None:
    """And no stray byte stands before the next answer."""
    none: tuple[tuple[bytes, bytes, list[bytes]], ...] = (
        (b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n", [b"1234"]),
        (b"GET", b"HTTP/1.1 204 No Content\r\n\r\n", []),
        (b"GET", b"HTTP/1.1 304 Not Modified\r\nETag: w\r\n\r\n", []),
    )
    async with connected(hop.port) as client:
        for method, raw, length in none:
            await hop.pass_on(client, b"%b %b HTTP/1.1\r\nHost: a\r\n\r\n" % (method, spoken.path))
            await (await hop.peer()).send(raw)
            head = await client.head()
            assert (head.status, head.values(b"content-length")) == (int(raw[9:12]), length)
        assert (await hop.exchange(client, asked(spoken, spoken.body())))[1] == b"{}"


@probe
async def ranges_pass(hop: Hop, spoken: Spoken) -> None:
    """What is asked for, and 206."""
    raw = b"GET /v1/files/1/content HTTP/1.1\r\nHost: a\r\nRange: bytes=2-4\r\n\r\n"
    part = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 2-4/9\r\nContent-Length: 3\r\n\r\ncde"
    async with connected(hop.port) as client:
        sent, _ = await hop.pass_on(client, raw)
        await (await hop.peer()).send(part)
        head, body = await client.answer()
        assert sent.values(b"range") == [b"bytes=2-4"]
        assert (head.status, head.values(b"content-range"), body) == (206, [b"bytes 2-4/9"], b"cde")


# ---- streams


@probe
async def a_stream_keeps_its_bytes_however_it_is_split(hop: Hop, spoken: Spoken) -> None:
    """At every byte of what the upstream writes, chunks' framing included."""
    middle = spoken.stream.index("é".encode()) + 1  # of a letter of two bytes
    raw = STREAM + chunked(spoken.stream[:middle], spoken.stream[middle:]) + END
    async with connected(hop.port) as client:
        for cut in range(1, len(raw)):
            await hop.pass_on(client, streamed(spoken))
            peer = await hop.peer()
            await peer.send(raw[:cut])
            await asyncio.sleep(0)
            await peer.send(raw[cut:])
            assert (await client.answer())[1] == spoken.stream, cut


def odd_streams(spoken: Spoken) -> Mapping[str, bytes]:
    """Streams as upstreams write them that do it their own way."""
    first, *_, last = spoken.events
    return {
        "comments": b": PROCESSING\n\n" + first + b":\n\n: x\n" + last,
        "a ping without data": first + b"event: ping\n\n" + last,
        "retry and id": b"retry: 3000\n\nid: 7\n" + first + b"id\n\n" + last,
        "carriage returns": spoken.stream.replace(b"\n", b"\r"),
        "both": spoken.stream.replace(b"\n", b"\r\n"),
        "a byte order mark": b"\xef\xbb\xbf" + spoken.stream,
        "no last event": b"".join(spoken.events[:-1]),
        "no blank line at the end": spoken.stream[:-1],
        "nothing": b"",
        "a late error": first + spoken.late_error,
        "an error behind the end": spoken.stream + spoken.late_error,
        "something of its own": b'data: {"warning":"x"}\n\n' + spoken.stream,
        "two ends": spoken.stream + last,
        "data in two lines": b"data: {\ndata: }\n\n" + spoken.stream,
        "a long event": b"data: {" + b'"x":1,' * 40_000 + b'"y":2}\n\n' + spoken.stream,
        "no UTF-8": b"data: \xff\xfe\0\n\n" + spoken.stream,
        "no stream": b'{"choices": [], "usage": {"prompt_tokens": 1}}',
    }


@probe
async def odd_streams_pass_as_they_are(hop: Hop, spoken: Spoken) -> None:
    """Comments, pings, no end, two ends, late errors, line ends of every kind, no events at all."""
    async with connected(hop.port) as client:
        for name, body in odd_streams(spoken).items():
            parts = [body[i : i + 4093] for i in range(0, len(body), 4093)]
            _, received = await hop.exchange(client, streamed(spoken), STREAM + chunked(*parts) + END)
            assert received == body, name


@probe
async def nothing_waits_for_what_comes_next(hop: Hop, spoken: Spoken) -> None:
    """Neither the head, nor an event, nor a comment that keeps the connection alive."""
    async with connected(hop.port) as client:
        await hop.pass_on(client, streamed(spoken))
        peer = await hop.peer()
        await peer.send(STREAM)
        assert (await client.head()).status == 200
        for part in (b": keep-alive\n\n", *spoken.events):
            await peer.send(chunked(part))
            assert await client.chunk() == part
        await peer.send(END)
        assert await client.chunk() == b""


@probe
async def a_break_is_seen(hop: Hop, spoken: Spoken) -> None:
    """Amid a stream, between events and inside one: what came before arrives, and no end."""
    first = spoken.events[0]
    for sent in (chunked(first), chunked(first) + b"40\r\ndata: {"):
        for how in ("close", "reset"):
            async with connected(hop.port) as client:
                await hop.pass_on(client, streamed(spoken))
                peer = await hop.peer()
                await peer.send(STREAM + sent)
                assert (await client.head()).status == 200
                assert (await client.chunk()).startswith(first)
                getattr(peer, how)()
                hop.forget()
                rest = await client.until_closed()
                assert not rest.endswith(END), rest


@probe
async def a_client_that_leaves_is_seen(hop: Hop, spoken: Spoken) -> None:
    """Before the first byte, in the middle of a stream, and in the middle of its upload."""
    for sent in (b"", STREAM + chunked(spoken.events[0])):
        async with connected(hop.port) as client:
            await hop.pass_on(client, streamed(spoken))
            peer = await hop.peer()
            if sent:
                await peer.send(sent)
                await client.head()
        assert await peer.until_closed() == b""
        hop.forget()
    async with connected(hop.port) as client:
        await client.send(b"POST /v1/files HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nfour")
        peer = await hop.peer()
        await peer.head()
        await peer.exactly(4)
    assert await peer.until_closed() == b""
    hop.forget()


@probe
async def a_slow_reader_slows_the_upstream(hop: Hop, spoken: Spoken) -> None:
    """And gets every byte in the end."""
    async with narrow(hop.port) as client:
        await hop.pass_on(client, streamed(spoken))
        peer = await hop.peer()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BIG)
        await client.head()
        client.hold()
        sending = asyncio.create_task(peer.send(bytes(BIG)))
        await peer.stalled()
        client.go_on()
        assert await client.exactly(BIG) == bytes(BIG)
        await sending
