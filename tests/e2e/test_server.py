"""The gateway as a process: ready, stopped by a signal, and its memory while large bodies pass."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.conftest import PROFILE
from tests.e2e.scripted_upstream import PATIENCE_S, Peer, ScriptedUpstream, connected, refused
from tests.e2e.test_faults import serve_process
from tests.e2e.whole_gateway import configuration

GET = b"GET /v1/x HTTP/1.1\r\nHost: gateway\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
MIB = 1 << 20
LARGE_MIB = 200 if PROFILE == "thorough" else 20
UPLOAD = b"POST /v1/files HTTP/1.1\r\nHost: gateway\r\nContent-Length: %d\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"


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
    """What a full buffer on either side cannot hold is not read: a body of any size costs a few MiB."""

    async def test_of_large_uploads_and_answers(self, upstream: ScriptedUpstream) -> None:
        async with running(upstream) as gateway, connected(gateway.port) as client:
            peer = await warmed_up(client, upstream)
            before = gateway.peak_bytes
            async with asyncio.TaskGroup() as both:
                both.create_task(send_all(client, UPLOAD % (LARGE_MIB * MIB)))
                both.create_task(receive_all(peer))
            async with asyncio.TaskGroup() as both:
                both.create_task(send_all(peer, ANSWER % (LARGE_MIB * MIB)))
                both.create_task(receive_all(client))
            assert gateway.peak_bytes - before < 8 * MIB

    async def test_of_an_answer_that_is_read_slowly(self, upstream: ScriptedUpstream) -> None:
        """Neither the client's part nor the upstream's is taken faster than the other end is."""
        async with running(upstream) as gateway, connected(gateway.port) as client:
            peer = await warmed_up(client, upstream)
            before = gateway.peak_bytes
            await client.send(GET)
            await peer.head()
            client.hold()
            sending = asyncio.create_task(send_all(peer, ANSWER % (LARGE_MIB * MIB)))
            await peer.stalled()
            client.go_on()
            await client.head()
            for i in range(LARGE_MIB):
                assert await client.exactly(MIB) == bytes([i]) * MIB
                if i % 8 == 0:
                    client.hold()
                    await asyncio.sleep(0)
                    client.go_on()
            await sending
            assert gateway.peak_bytes - before < 8 * MIB

    async def test_of_a_chat_too_large_to_be_looked_into(
        self, upstream: ScriptedUpstream, tmp_path: Path
    ) -> None:
        """`pith serve` itself: what was read before that was seen is held until it is sent, and no more."""
        limit = 1 * MIB
        async with serve_process(configuration(tmp_path, upstream.url, max_body_bytes=limit)) as (
            process,
            port,
        ):
            gateway = Process(process, port)
            async with connected(port) as client:
                peer = await warmed_up(client, upstream)
                before = gateway.peak_bytes
                head = UPLOAD.replace(b"/v1/files", b"/v1/chat/completions")
                async with asyncio.TaskGroup() as both:
                    both.create_task(send_all(client, head % (LARGE_MIB * MIB)))
                    both.create_task(receive_all(peer))
                await peer.send(OK)
                assert (await client.answer())[0].values(b"x-pith-skip") == [b"too_large"]
                assert gateway.peak_bytes - before < 8 * MIB + 4 * limit


async def warmed_up(client: Peer, upstream: ScriptedUpstream) -> Peer:
    """After one exchange; the upstream's end of the connection that serves the next one too."""
    await client.send(GET)
    peer = await upstream.accept()
    await peer.head()
    await peer.send(OK)
    await client.answer()
    return peer


async def send_all(peer: Peer, head: bytes) -> None:
    await peer.send(head)
    for i in range(LARGE_MIB):
        await peer.send(bytes([i]) * MIB)


async def receive_all(peer: Peer) -> None:
    await peer.head()
    for i in range(LARGE_MIB):
        assert await peer.exactly(MIB) == bytes([i]) * MIB
