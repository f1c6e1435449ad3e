"""The gateway as a process: ready, stopped by a signal, and its memory while large bodies pass."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.e2e.scripted_upstream import PATIENCE_S, Peer, ScriptedUpstream, connected, refused

GET = b"GET /v1/x HTTP/1.1\r\nHost: gateway\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
MIB = 1 << 20


class Process:
    """A gateway in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self._process = process
        self.port = port

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)

    async def ended(self) -> tuple[int, str]:
        """Exit status and what it said on standard error."""
        async with asyncio.timeout(PATIENCE_S):
            _, said = await self._process.communicate()
        assert self._process.returncode is not None
        return self._process.returncode, said.decode()

    @property
    def peak_bytes(self) -> int:
        """Most memory it ever held (Linux)."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) * 1024


@asynccontextmanager
async def running(upstream: ScriptedUpstream, *, drain_s: int = 20) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.e2e.relay_app", upstream.url, str(drain_s)),
        cwd=Path(__file__).parents[2],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            port = int(await process.stdout.readline())
        yield Process(process, port)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def begun(client: Peer, upstream: ScriptedUpstream) -> Peer:
    """A stream with its first event at the client; the upstream's end of it."""
    await client.send(GET)
    peer = await upstream.accept()
    await peer.head()
    await peer.send(CHUNKED + b"3\r\none\r\n")
    await client.head()
    assert await client.chunk() == b"one"
    return peer


class TestStop:
    async def test_a_signal_lets_running_answers_end_and_exits_with_0(
        self, upstream: ScriptedUpstream
    ) -> None:
        async with running(upstream) as gateway, connected(gateway.port) as client:
            peer = await begun(client, upstream)
            gateway.stop()
            await refused(gateway.port)
            await peer.send(b"3\r\ntwo\r\n0\r\n\r\n")
            assert [await client.chunk(), await client.chunk()] == [b"two", b""]
            assert await gateway.ended() == (0, "")

    async def test_what_is_cut_off_is_seen_to_be(self, upstream: ScriptedUpstream) -> None:
        async with running(upstream, drain_s=0) as gateway, connected(gateway.port) as client:
            peer = await begun(client, upstream)
            gateway.stop()
            assert await client.until_closed() == b""  # no last chunk
            await peer.until_closed()
            code, said = await gateway.ended()
            assert code == 0
            assert "Traceback" not in said


class TestMemory:
    """64 MiB pass at a cost of a few: what a full buffer on either side cannot hold is not read."""

    async def test_of_large_uploads_and_answers(self, upstream: ScriptedUpstream) -> None:
        async with running(upstream) as gateway, connected(gateway.port) as client:
            await client.send(GET)
            peer = await upstream.accept()
            await peer.head()
            await peer.send(OK)
            await client.answer()
            before = gateway.peak_bytes

            head = b"POST /v1/files HTTP/1.1\r\nHost: gateway\r\nContent-Length: %d\r\n\r\n" % (64 * MIB)
            async with asyncio.TaskGroup() as both:
                both.create_task(send_all(client, head))
                both.create_task(receive_all(peer))
            head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (64 * MIB)
            async with asyncio.TaskGroup() as both:
                both.create_task(send_all(peer, head))
                both.create_task(receive_all(client))
            assert gateway.peak_bytes - before < 8 * MIB


async def send_all(peer: Peer, head: bytes) -> None:
    await peer.send(head)
    for i in range(64):
        await peer.send(bytes([i]) * MIB)


async def receive_all(peer: Peer) -> None:
    await peer.head()
    for i in range(64):
        assert await peer.exactly(MIB) == bytes([i]) * MIB
