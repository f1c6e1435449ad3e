"""Nothing is left of requests that were given up, however many and at whatever moment.

A real server, real clients that leave, and an upstream that does what its path says. Before and after, these
are counted, and have to be equal, each one exactly:

    turns        exchanges that hold a turn at the upstream            0
    connections  open connections of the pool, in use and idle         0
    kept         connections kept for the next request                 0
    accepted     connections that the upstream holds open              0
    clients      connections that the server holds open                0
    tasks        of the server's event loop                            as before the first request
    fds          file descriptors of the process                       as before the first request

Each kind of leaving is tried N times, 50 at a time: 100 times, or 2,000 in the thorough profile.
"""

from __future__ import annotations

import asyncio
import gc
import os
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from socket import SO_LINGER, SOL_SOCKET
from typing import TypeAlias

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.types import UpstreamRequest
from gateway.upstreams.dial import Limits
from gateway.upstreams.exchange import Timeouts
from gateway.upstreams.http import HttpUpstream
from tests.conftest import PROFILE
from tests.e2e.conftest import serving
from tests.e2e.relay_app import relay_app
from tests.e2e.scripted_upstream import PATIENCE_S, until
from tests.e2e.test_tunnel import SWITCHED, UPGRADE

N = 2_000 if PROFILE == "thorough" else 100
AT_A_TIME = 50
HEAD = b"GET %b HTTP/1.1\r\nHost: gateway\r\n\r\n"
UPLOAD = b"POST /silent HTTP/1.1\r\nHost: gateway\r\nContent-Length: 10000000\r\n\r\n" + bytes(300_000)
STREAM = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Behaviour:
    """An upstream: `/ok` answers, `/silent` reads all and never does, `/stream` never ends."""

    def __init__(self) -> None:
        self.n_open = 0
        self.n_heads = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.n_open += 1
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while True:
                    head = await reader.readuntil(b"\r\n\r\n")
                    self.n_heads += 1
                    await self._answer(head, reader, writer)
        finally:
            self.n_open -= 1
            writer.close()

    async def _answer(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = head.split(b" ")[1]
        if path == b"/ok":
            writer.write(OK)
        elif path == b"/stream":
            writer.write(STREAM)
            while True:
                writer.write(b"5\r\nevent\r\n")
                await writer.drain()
                await asyncio.sleep(0)
        elif path.startswith(b"/v1/realtime"):
            writer.write(SWITCHED)
            while data := await reader.read(1 << 16):
                writer.write(data)
            raise ConnectionResetError
        else:
            await reader.read()  # for ever: until the other end closes


@dataclass(frozen=True)
class Counts:
    turns: int
    connections: int
    kept: int
    accepted: int
    clients: int
    tasks: int
    fds: int


@dataclass
class Stage:
    """A gateway on a thread, and the upstream behind it."""

    port: int
    behaviour: Behaviour
    upstream: HttpUpstream
    loop: asyncio.AbstractEventLoop

    async def counts(self) -> Counts:
        counted = asyncio.run_coroutine_threadsafe(self._server_counts(), self.loop)
        connections, clients, tasks = await asyncio.wrap_future(counted)
        fds = len(os.listdir("/proc/self/fd"))
        return Counts(
            turns=self.upstream.n_in_flight,
            connections=connections,
            kept=len(self.upstream._idle),
            accepted=self.behaviour.n_open,
            clients=clients,
            tasks=tasks,
            fds=fds,
        )

    async def _server_counts(self) -> tuple[int, int, int]:
        connections = sum(connection.is_open for connection in self.upstream._alive)
        running = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        clients = sum("Exchange.run" in repr(task.get_coro()) for task in running)
        return connections, clients, len(running)

    async def settled(self, expected: Counts) -> None:
        """Wait until all is as expected, or fail showing what is not."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while await self.counts() != expected:
                    pass
        assert await self.counts() == expected


@asynccontextmanager
async def staged() -> AsyncIterator[Stage]:
    behaviour = Behaviour()
    server = await asyncio.start_server(behaviour.serve, "127.0.0.1", 0)
    url = "http://{}:{}".format(*server.sockets[0].getsockname())
    upstream = HttpUpstream(
        url, name="it", timeouts=Timeouts(keep_s=0.05), limits=Limits(max_in_flight=2 * AT_A_TIME)
    )
    loops: list[asyncio.AbstractEventLoop] = []
    with serving(noting_its_loop(relay_app(upstream), loops)) as port:
        stage = Stage(port, behaviour, upstream, loops[0])
        for path in (b"/ok", b"/ok"):  # whatever is made once, is made
            async with client(port) as (reader, writer):
                writer.write(HEAD % path)
                await reader.readuntil(b"ok")
        yield stage
    server.close()
    await server.wait_closed()


def noting_its_loop(app: ASGIApp, loops: list[asyncio.AbstractEventLoop]) -> ASGIApp:
    async def noting(scope: Scope, receive: Receive, send: Send) -> None:
        loops.append(asyncio.get_running_loop())
        await app(scope, receive, send)

    return noting


Client: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def client(port: int, *, is_reset: bool = False) -> AsyncIterator[Client]:
    """A client that closes, or resets, its connection on leaving."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        if is_reset:
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, linger)
            writer.transport.abort()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def at_once(stage: Stage, n: int) -> None:
    """Leaves when the request has just been sent: before a connection is made, or a little later."""
    async with client(stage.port, is_reset=n % 2 == 0) as (_, writer):
        writer.write(HEAD % b"/silent")
        for _ in range(n % 7):
            await asyncio.sleep(0)


async def during_the_upload(stage: Stage, n: int) -> None:
    async with client(stage.port, is_reset=n % 2 == 0) as (_, writer):
        writer.write(UPLOAD)
        seen = stage.behaviour.n_heads
        if n % 3:  # a third leaves earlier
            await until(lambda: stage.behaviour.n_heads > seen)


async def before_the_head(stage: Stage, n: int) -> None:
    async with client(stage.port, is_reset=n % 2 == 0) as (_, writer):
        seen = stage.behaviour.n_heads
        writer.write(HEAD % b"/silent")
        await until(lambda: stage.behaviour.n_heads > seen)


async def amid_the_stream(stage: Stage, n: int) -> None:
    async with client(stage.port, is_reset=n % 2 == 0) as (reader, writer):
        writer.write(HEAD % b"/stream")
        for _ in range(1 + n % 5):
            await reader.readuntil(b"event")


async def amid_a_tunnel(stage: Stage, n: int) -> None:
    async with client(stage.port, is_reset=n % 2 == 0) as (reader, writer):
        writer.write(UPGRADE)
        if n % 3:  # a third leaves before the switch, or just then
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"hello")
            await reader.readexactly(5)


async def never(stage: Stage, n: int) -> None:
    """Stays: what is kept for the next request is given up in time as well."""
    async with client(stage.port) as (reader, writer):
        for _ in range(3):
            writer.write(HEAD % b"/ok")
            await reader.readuntil(b"ok")


Leaving: TypeAlias = Callable[[Stage, int], Awaitable[None]]
LEAVINGS: list[Leaving] = [
    at_once,
    during_the_upload,
    before_the_head,
    amid_the_stream,
    amid_a_tunnel,
    never,
]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("leaving", LEAVINGS, ids=lambda leaving: leaving.__name__)
async def test_clients_that_leave_take_all_with_them(leaving: Leaving) -> None:
    async with staged() as stage:
        idle = await resting(stage)
        for start in range(0, N, AT_A_TIME):
            await asyncio.gather(*(leaving(stage, n) for n in range(start, start + AT_A_TIME)))
        await stage.settled(idle)
        async with client(stage.port) as (reader, writer):  # and it still serves
            writer.write(HEAD % b"/ok")
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")


async def resting(stage: Stage) -> Counts:
    """The baseline: the counts once the kept connections of the first requests are gone."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            gc.collect()  # what tests before this one left to it would go meanwhile
            found = await stage.counts()
            if replace(found, tasks=0, fds=0) == Counts(0, 0, 0, 0, 0, 0, 0):
                return found


@pytest.mark.timeout(600)
@pytest.mark.parametrize("path", [b"/silent", b"/stream", b"/v1/realtime"])
async def test_callers_cancelled_at_any_step_leave_nothing(path: bytes) -> None:
    """The client alone, without a server: cancelled after 0, 1, 2 … steps of the loop, so at every await."""
    behaviour = Behaviour()
    server = await asyncio.start_server(behaviour.serve, "127.0.0.1", 0)
    upstream = HttpUpstream("http://{}:{}".format(*server.sockets[0].getsockname()), name="it")
    request = UpstreamRequest("GET", path, [], b"", upgrade=b"websocket" if b"realtime" in path else None)
    fds, tasks = len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks())

    async def use() -> None:
        response = await upstream.send(request)
        try:
            async for _ in response.body:
                pass
        finally:
            await response.aclose()

    for n in range(N):
        using = asyncio.create_task(use())
        for _ in range(n % 40):
            await asyncio.sleep(0)
        using.cancel()
        await asyncio.wait([using])
        assert upstream.n_in_flight == 0
    await until(lambda: not behaviour.n_open and len(asyncio.all_tasks()) <= tasks)
    assert len(os.listdir("/proc/self/fd")) == fds
    assert [connection for connection in upstream._alive if connection.is_open] == []
    assert upstream.n_idle == 0
    await upstream.aclose()
    server.close()
    await server.wait_closed()
