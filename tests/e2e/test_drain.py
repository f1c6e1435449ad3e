"""`pith serve` told to stop while it is used: who notices what, and that nothing is lost from the ledger."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

import pytest

from tests.e2e.scripted_upstream import PATIENCE_S, Peer, ScriptedUpstream, connected, refused
from tests.e2e.test_faults import serve_process
from tests.e2e.whole_gateway import (
    DONE,
    LONG,
    OK,
    STREAM,
    arrived,
    chat,
    chunked,
    configuration,
    event,
    request,
    rows,
)

GET = b"GET %b HTTP/1.1\r\nHost: gateway\r\n\r\n"
FOR_EVER_S = 600
N_STREAMS = 12


async def ended(process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(PATIENCE_S):
        _, said = await process.communicate()
    assert process.returncode == 0, said
    assert b"Traceback" not in said


async def asked(port: int, path: bytes) -> tuple[int, object, list[bytes]]:
    """Status, body and Connection fields of an answer of Pith's own."""
    async with connected(port) as client:
        await client.send(GET % path)
        head, body = await client.answer()
        return head.status, json.loads(body), head.values(b"connection")


async def draining(port: int) -> None:
    """Wait until the process says that it stops."""
    async with asyncio.timeout(PATIENCE_S):
        while (await asked(port, b"/pith/readyz"))[:2] != (503, {"status": "draining"}):
            pass


async def begun(client: Peer, upstream: ScriptedUpstream, number: int) -> Peer:
    """A stream with its first event at the client; the upstream's end of it."""
    await client.send(request(chat(f"{LONG} {number}", stream=True)))
    peer = await upstream.accept()
    await arrived(peer)
    await peer.send(STREAM + chunked(event("begun")))
    await client.head()
    assert await client.chunk() == event("begun")
    return peer


@pytest.fixture
def announcing(upstream: ScriptedUpstream, tmp_path: Path) -> Path:
    drain = {"announce_s": FOR_EVER_S, "limit_s": FOR_EVER_S}
    return configuration(tmp_path, upstream.url, drain=drain)


class TestTheAnnouncement:
    async def test_comes_before_the_port_closes(self, upstream: ScriptedUpstream, announcing: Path) -> None:
        """A load balancer's requests are served until it has noticed, each on its last connection."""
        async with serve_process(announcing) as (process, port), connected(port) as kept:
            await kept.send(GET % b"/pith/healthz")
            assert (await kept.answer())[0].values(b"connection") == []
            process.send_signal(signal.SIGTERM)
            await draining(port)
            assert await asked(port, b"/pith/healthz") == (200, {"status": "ok"}, [b"close"])
            async with connected(port) as client:
                await client.send(request(chat()))
                peer = await upstream.accept()
                await arrived(peer)
                await peer.send(OK)
                assert (await client.answer())[0].values(b"connection") == [b"close"]
                assert await client.until_closed() == b""
            await kept.send(GET % b"/pith/healthz")
            assert (await kept.answer())[0].values(b"connection") == [b"close"]
            assert await kept.until_closed() == b""
            process.send_signal(signal.SIGTERM)  # or the announcement would last for ten minutes
            await ended(process)

    @pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
    async def test_is_cut_short_by_a_second_signal_and_so_are_answers(
        self, upstream: ScriptedUpstream, announcing: Path, tmp_path: Path, second: signal.Signals
    ) -> None:
        async with serve_process(announcing) as (process, port), connected(port) as client:
            peer = await begun(client, upstream, 0)
            process.send_signal(signal.SIGTERM)
            await draining(port)
            process.send_signal(second)
            assert await client.until_closed() == b"", "no last chunk"
            assert await peer.until_closed() == b""
            await ended(process)
        assert [(row["status"], row["is_complete"]) for row in rows(tmp_path)] == [(200, 0)]


class TestTheLimit:
    async def test_ends_what_has_not_ended_and_every_row_is_written(
        self, upstream: ScriptedUpstream, tmp_path: Path
    ) -> None:
        file = configuration(tmp_path, upstream.url, drain={"limit_s": 2.0})
        async with serve_process(file) as (process, port):
            clients = [connected(port) for _ in range(N_STREAMS)]
            streams = [await client.__aenter__() for client in clients]
            peers = [await begun(client, upstream, i) for i, client in enumerate(streams)]
            process.send_signal(signal.SIGTERM)
            await refused(port)
            for peer in peers[::2]:
                await peer.send(chunked(event("ended"), DONE) + b"0\r\n\r\n")
            for client in streams[::2]:
                assert [await client.chunk(), await client.chunk()] == [event("ended") + DONE, b""]
                assert await client.until_closed() == b""
            for client in streams[1::2]:
                assert await client.until_closed() == b"", "no last chunk"
            await ended(process)
            for context in clients:
                await context.__aexit__(None, None, None)
        found = sorted((row["status"], row["is_complete"]) for row in rows(tmp_path))
        assert found == [(200, 0)] * (N_STREAMS // 2) + [(200, 1)] * (N_STREAMS // 2)

    async def test_is_not_waited_for_when_nothing_is_under_way(
        self, upstream: ScriptedUpstream, tmp_path: Path
    ) -> None:
        """Idle connections are closed; half a head is nothing to wait for."""
        file = configuration(tmp_path, upstream.url, drain={"limit_s": FOR_EVER_S})
        async with serve_process(file) as (process, port), connected(port) as idle, connected(port) as half:
            await idle.send(GET % b"/pith/healthz")
            await idle.answer()
            await half.send(b"GET /v1")
            process.send_signal(signal.SIGTERM)
            assert await idle.until_closed() == await half.until_closed() == b""
            await ended(process)

    async def test_ends_requests_that_are_still_coming(
        self, upstream: ScriptedUpstream, tmp_path: Path
    ) -> None:
        file = configuration(tmp_path, upstream.url, drain={"limit_s": 0})
        async with serve_process(file) as (process, port), connected(port) as client:
            await client.send(request(chat())[:-10])
            await asked(port, b"/pith/healthz")
            process.send_signal(signal.SIGTERM)
            assert await client.until_closed() == b""
            await ended(process)
        assert [(row["status"], row["is_complete"]) for row in rows(tmp_path)] == [(499, 0)]
