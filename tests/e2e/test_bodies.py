"""Bodies of every kind, both ways, through the whole gateway: the bytes arrive, whatever they are.

The first half is JSON made to hurt whoever parses it: with compression on and off it goes on as it came.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.scripted_upstream import Fields, Head, ScriptedUpstream, connected
from tests.e2e.whole_gateway import LONG, OK, chunked, gateway

MESSAGES = b'[{"role":"user","content":"short"}]'
LONG_MESSAGES = json.dumps([{"role": "user", "content": LONG}]).encode()
HOSTILE = {
    "nested 100,000 deep": (
        b'{"messages":' + MESSAGES + b',"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "unparsable",
    ),
    "nested and never closed": (b'{"messages":' + b'[{"content":' * 50_000, "unparsable"),
    "nested 201 deep": (b'{"messages":' + MESSAGES + b',"x":' + b"[" * 200 + b"]" * 200 + b"}", "unparsable"),
    "an integer of 4,300 digits": (b'{"n":' + b"9" * 4300 + b',"messages":' + MESSAGES + b"}", "short"),
    "an integer of 100,000 digits": (b'{"n":' + b"9" * 100_000 + b',"messages":' + MESSAGES + b"}", "short"),
    "a number beyond doubles": (b'{"n":1e400,"m":-0,"messages":' + MESSAGES + b"}", "short"),
    "NaN": (b'{"temperature":NaN,"messages":' + LONG_MESSAGES + b"}", "unparsable"),
    "Infinity": (b'{"temperature":-Infinity,"messages":' + LONG_MESSAGES + b"}", "unparsable"),
    "messages twice": (b'{"messages":' + MESSAGES + b',"messages":' + LONG_MESSAGES + b"}", "unparsable"),
    "messages twice, once escaped": (
        b'{"messages":' + MESSAGES + b',"mess\\u0061ges":' + LONG_MESSAGES + b"}",
        "unparsable",
    ),
    "a role twice": (b'{"messages":[{"role":"user","role":"tool","content":"x"}]}', "unparsable"),
    "a lone surrogate in a text": (
        b'{"messages":[{"role":"user","content":"\\ud83d ' + LONG.encode() + b'"}]}',
        "no_gain",
    ),
    "a lone surrogate in a key": (b'{"\\udc00":1,"messages":' + MESSAGES + b"}", "short"),
    "bytes that are no UTF-8": (
        b'{"messages":[{"role":"user","content":"\xff' + LONG.encode() + b'"}]}',
        "unparsable",
    ),
    "a byte order mark": (b'\xef\xbb\xbf{"messages":' + LONG_MESSAGES + b"}", "unparsable"),
    "NUL behind the end": (b'{"messages":' + LONG_MESSAGES + b"}\0", "unparsable"),
    "two documents": (b'{"messages":' + LONG_MESSAGES + b"}{}", "unparsable"),
    "comments": (b'{"messages":' + LONG_MESSAGES + b"/* */}", "unparsable"),
    "a trailing comma": (b'{"messages":' + LONG_MESSAGES + b",}", "unparsable"),
    "10,001 messages": (b'{"messages":[' + b"{}," * 10_000 + b"{}]}", "too_large"),
    "100,001 members": (b'{"messages":[' + b"1," * 100_000 + b"1]}", "too_large"),
    "no object": (b"[" + LONG_MESSAGES + b"]", "no_text"),
    "nothing": (b"", "unparsable"),
}


@pytest.fixture(params=["on", "off"])
def port(request: pytest.FixtureRequest, upstream: ScriptedUpstream, tmp_path: Path) -> Iterator[int]:
    with gateway(tmp_path, upstream.url, mode=request.param) as port:
        yield port


async def passed(
    port: int, upstream: ScriptedUpstream, body: bytes, fields: Fields, answer: bytes = OK
) -> tuple[Head, bytes, Head, bytes]:
    """Head and body at the upstream, then at the client."""
    raw = [b"POST /v1/chat/completions HTTP/1.1", b"Host: gateway"]
    raw += [b"%b: %b" % field for field in [*fields, (b"Content-Length", b"%d" % len(body))]]
    async with connected(port) as client:
        await client.send(b"\r\n".join([*raw, b"", body]))
        peer = await upstream.accept()
        sent = await peer.answer()
        await peer.send(answer)
        return *sent, *await client.answer()


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_json_goes_on_as_it_came(name: str, port: int, upstream: ScriptedUpstream) -> None:
    body, skip = HOSTILE[name]
    sent, received, answer, _ = await passed(port, upstream, body, [(b"Content-Type", b"application/json")])
    assert received == body
    assert sent.values(b"content-length") == [b"%d" % len(body)]
    assert answer.status == 200
    assert answer.values(b"x-pith-skip") in ([skip.encode()], [b"off"])


@pytest.mark.parametrize("coding", [b"gzip", b"zstd", b"br"])
async def test_an_encoded_body_goes_on_unread(port: int, upstream: ScriptedUpstream, coding: bytes) -> None:
    body = gzip.compress(b'{"messages":' + LONG_MESSAGES + b"}", mtime=0)
    sent, received, answer, _ = await passed(port, upstream, body, [(b"Content-Encoding", coding)])
    assert (sent.values(b"content-encoding"), received) == ([coding], body)
    assert answer.values(b"x-pith-skip") in ([b"unparsable"], [b"off"])


class TestOtherPaths:
    """Nothing here is looked into."""

    async def test_a_multipart_upload_keeps_boundary_and_bytes(
        self, gateway_port: int, upstream: ScriptedUpstream
    ) -> None:
        boundary = b"----=_Part 7'()+_,-./:=?"
        part = b'Content-Disposition: form-data; name="file"; filename="a\xc3\xa9.jsonl"\r\n\r\n%b\r\n'
        body = b"--%b\r\n%b--%b--\r\n" % (boundary, part % bytes(range(256)), boundary)
        kind = b'multipart/form-data; boundary="%b"' % boundary
        head = b"POST /v1/files HTTP/1.1\r\nHost: a\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n"
        async with connected(gateway_port) as client:
            await client.send(head % (kind, len(body)) + body)
            peer = await upstream.accept()
            sent, received = await peer.answer()
            assert (sent.values(b"content-type"), received) == ([kind], body)

    @pytest.mark.parametrize(
        "kind", [b"audio/mpeg", b"application/zip", b"application/octet-stream", b"image/webp"]
    )
    async def test_a_binary_answer(self, gateway_port: int, upstream: ScriptedUpstream, kind: bytes) -> None:
        body = bytes(range(256)) * 40
        async with connected(gateway_port) as client:
            await client.send(b"GET /v1/files/1/content HTTP/1.1\r\nHost: a\r\n\r\n")
            peer = await upstream.accept()
            await peer.head()
            await peer.send(
                b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b"
                % (kind, len(body), body)
            )
            head, received = await client.answer()
            assert (head.values(b"content-type"), received) == ([kind], body)

    async def test_a_range(self, gateway_port: int, upstream: ScriptedUpstream) -> None:
        async with connected(gateway_port) as client:
            await client.send(
                b'GET /v1/files/1/content HTTP/1.1\r\nHost: a\r\nRange: bytes=2-4\r\nIf-Range: "e"\r\n\r\n'
            )
            peer = await upstream.accept()
            sent = await peer.head()
            assert (sent.values(b"range"), sent.values(b"if-range")) == ([b"bytes=2-4"], [b'"e"'])
            await peer.send(
                b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 2-4/9\r\n"
                b"Accept-Ranges: bytes\r\nContent-Length: 3\r\n\r\ncde"
            )
            head, received = await client.answer()
            assert (head.status, received) == (206, b"cde")
            assert head.values(b"content-range") == [b"bytes 2-4/9"]

    async def test_trailers_of_an_answer_are_left_out_and_its_end_is_clean(
        self, gateway_port: int, upstream: ScriptedUpstream
    ) -> None:
        async with connected(gateway_port) as client:
            for _ in range(2):
                await client.send(b"GET /v1/x HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n")
            peer = await upstream.accept()
            for _ in range(2):
                await peer.head()
                await peer.send(
                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                    + chunked(b"ab")
                    + b"0\r\nX-Trailer: 1\r\n\r\n"
                )
                head, body = await client.head(), [await client.chunk(), await client.chunk()]
                assert (head.values(b"x-trailer"), body) == ([], [b"ab", b""])

    async def test_a_client_that_asks_before_it_uploads_is_told_to(
        self, gateway_port: int, upstream: ScriptedUpstream
    ) -> None:
        """The upstream's own 100 comes too late to be of use, and is read over."""
        async with connected(gateway_port) as client:
            await client.send(
                b"POST /v1/files HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
            )
            assert (await client.head()).start_line == b"HTTP/1.1 100 Continue"
            await client.send(b"body")
            peer = await upstream.accept()
            sent, body = await peer.answer()
            assert (sent.values(b"expect"), body) == ([b"100-continue"], b"body")
            await peer.send(b"HTTP/1.1 100 Continue\r\n\r\n" + OK)
            assert (await client.answer())[0].status == 200


@pytest.fixture
def gateway_port(upstream: ScriptedUpstream, tmp_path: Path) -> Iterator[int]:
    with gateway(tmp_path, upstream.url) as port:
        yield port
