"""Clients that keep us waiting: each limit of time, and what does not run into it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from gateway.downstream.silence import Limits
from tests.e2e.conftest import MakeApp, serving
from tests.e2e.scripted_upstream import ScriptedUpstream, connected
from tests.e2e.whole_gateway import STREAM, arrived, chat, chunked, event, gateway, request, rows

GET = b"GET /v1/x HTTP/1.1\r\nHost: gateway\r\n\r\n"
POST = b"POST /v1/x HTTP/1.1\r\nHost: gateway\r\nContent-Length: 10\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SHORT_S = 0.2
MIB = 1 << 20


@pytest.fixture
def port(request: pytest.FixtureRequest, upstream: ScriptedUpstream, make_app: MakeApp) -> Iterator[int]:
    """A gateway with the limits a test names."""
    with serving(make_app(upstream.url), request.param) as port:
        yield port


def limited(**limits: float) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("port", [Limits(**limits)], indirect=True)


async def pass_limit(port: int) -> None:
    """Wait until a limit has run out on a connection opened now, so on any that waits for longer."""
    async with connected(port) as other:
        await other.send(b"GET /v1/other HTTP/1.1\r\n")
        assert (await other.answer())[0].status == 408


class TestTheHead:
    @limited(header_read_s=SHORT_S)
    async def test_has_to_come(self, port: int, upstream: ScriptedUpstream) -> None:
        async with connected(port) as client:
            await client.send(GET[:-2])
            head, body = await client.answer()
            assert (head.status, json.loads(body)["error"]["code"]) == (408, "request_timeout")
            assert head.values(b"connection") == [b"close"]
            assert await client.until_closed() == b""
        assert upstream.n_connections == 0

    @limited(header_read_s=SHORT_S)
    async def test_has_to_come_on_a_kept_connection_too(self, port: int, upstream: ScriptedUpstream) -> None:
        async with connected(port) as client:
            await client.send(GET)
            peer = await upstream.accept()
            await peer.head()
            await peer.send(OK)
            await client.answer()
            await pass_limit(port)  # nothing is wrong with a connection on which nothing has begun
            await client.send(GET[:5])
            assert (await client.answer())[0].status == 408

    @limited(header_read_s=SHORT_S)
    async def test_may_be_followed_by_anything_that_is_ours(
        self, port: int, upstream: ScriptedUpstream
    ) -> None:
        async with connected(port) as client:
            await client.send(GET)
            peer = await upstream.accept()
            await peer.head()
            await pass_limit(port)
            await peer.send(OK)
            assert (await client.answer())[1] == b"ok"

    @limited(idle_s=SHORT_S)
    async def test_is_not_waited_for_for_ever(self, port: int) -> None:
        async with connected(port) as client:
            assert await client.until_closed() == b""


class TestTheBody:
    @limited(body_read_s=SHORT_S)
    async def test_has_to_go_on(self, port: int, upstream: ScriptedUpstream) -> None:
        async with connected(port) as client:
            await client.send(POST + b"abc")
            peer = await upstream.accept()
            await peer.head()
            assert await peer.exactly(3) == b"abc"
            head, body = await client.answer()
            assert (head.status, json.loads(body)["error"]["code"]) == (408, "request_timeout")
            assert await client.until_closed() == b""
            assert await peer.until_closed() == b""

    @limited(body_read_s=SHORT_S, header_read_s=SHORT_S)
    async def test_may_wait_for_an_upstream_that_takes_nothing(
        self, port: int, upstream: ScriptedUpstream
    ) -> None:
        n = 32 * MIB
        head = b"POST /v1/x HTTP/1.1\r\nHost: gateway\r\nContent-Length: %d\r\n\r\n" % n
        async with connected(port) as client:
            await client.send(head)
            peer = await upstream.accept()
            peer.hold()
            sending = asyncio.create_task(client.send(bytes(n)))
            assert await client.stalled() > MIB
            await pass_limit(port)
            peer.go_on()
            await peer.head()
            await peer.exactly(n)
            await sending
            await peer.send(OK)
            assert (await client.answer())[1] == b"ok"

    @limited(body_read_s=SHORT_S, header_read_s=SHORT_S)
    async def test_does_not_matter_once_there_is_an_answer(
        self, port: int, upstream: ScriptedUpstream
    ) -> None:
        async with connected(port) as client:
            await client.send(POST + b"abc")
            peer = await upstream.accept()
            await peer.head()
            await peer.send(STREAM + chunked(b"one"))
            await client.head()
            assert await client.chunk() == b"one"
            await pass_limit(port)
            await peer.send(chunked(b"two") + b"0\r\n\r\n")
            assert [await client.chunk(), await client.chunk()] == [b"two", b""]

    async def test_of_a_chat_has_to_go_on_too(self, upstream: ScriptedUpstream, tmp_path: Path) -> None:
        with gateway(tmp_path, upstream.url, limits=Limits(body_read_s=SHORT_S)) as port:
            async with connected(port) as client:
                await client.send(request(chat())[:-10])
                head, body = await client.answer()
                assert (head.status, json.loads(body)["error"]["code"]) == (408, "request_timeout")
        [row] = rows(tmp_path)
        assert (row["status"], row["is_complete"]) == (408, 1)
        assert upstream.n_connections == 0

    @pytest.mark.parametrize("path", [b"/v1/chat/completions", b"/pith/v1/compress", b"/v1/files"])
    async def test_that_breaks_is_answered_on_every_path(
        self, upstream: ScriptedUpstream, tmp_path: Path, path: bytes
    ) -> None:
        head = b"POST %b HTTP/1.1\r\nHost: gateway\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n" % path
        with gateway(tmp_path, upstream.url) as port:
            async with connected(port) as client:
                await client.send(head)
                async with connected(port) as other:  # answered after the first request was begun
                    await other.send(b"GET /pith/healthz HTTP/1.1\r\nHost: gateway\r\n\r\n")
                    await other.answer()
                await client.send(b"zz\r\n")
                answer, body = await client.answer()
                assert (answer.status, json.loads(body)["error"]["code"]) == (400, "malformed_request")
                assert await client.until_closed() == b""
        found = [(row["status"], row["is_complete"]) for row in rows(tmp_path)]
        assert found == ([] if path.startswith(b"/pith/") else [(400, 1)])


class TestTheAnswer:
    async def test_has_to_be_taken(self, upstream: ScriptedUpstream, tmp_path: Path) -> None:
        """A client that reads nothing is left, and the upstream with it."""
        with gateway(tmp_path, upstream.url, limits=Limits(write_stall_s=SHORT_S)) as port:
            async with connected(port) as client:
                await client.send(request(chat(stream=True)))
                client.hold()
                peer = await upstream.accept()
                await arrived(peer)
                await peer.send(STREAM)
                sending = asyncio.create_task(peer.send(chunked(event("x" * MIB)) * 16))
                await peer.until_closed()
                with suppress(ConnectionError):
                    await sending
        [row] = rows(tmp_path)
        assert (row["status"], row["is_complete"]) == (200, 0)
