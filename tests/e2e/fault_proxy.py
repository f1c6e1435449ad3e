"""A TCP proxy that does one named fault at one moment of an answer, and otherwise passes bytes on.

The moment is where in the bytes of an answer it is (`Find`), or the making of a connection. What a fault does
it does to every connection that comes to it; those it leaves in doubt are Pith's to close, and the proxy goes
on reading to see whether it does.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeAlias

READ_BYTES = 1 << 16
HELD_BYTES = 7
"""The last bytes of what is known of an answer are held back while they may turn out to be its end."""
DRIP_BYTES = 10
DRIP_S = 0.06
"""Slower a byte than a command to Redis may be; DRIP_BYTES of them sooner than an upstream has to be."""

Find: TypeAlias = Callable[[bytes], int | None]
"""Where in an answer, of which so many bytes are known, the moment is; None while that is not known."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One of `fault_matrix.FAULTS`. `at` None: when a connection is made. `said`: instead of the rest."""

    name: str
    at: Find | None
    said: bytes = b""
    is_held: bool = False
    """Whether to wait for `FaultProxy.go_on`: a reset takes along what has arrived but was not read."""


@dataclass(eq=False, slots=True)
class _Link:
    """One connection of Pith's."""

    writer: asyncio.StreamWriter
    seen: bytes = b""
    """Of the answer under way."""
    n_passed: int = 0
    is_struck: bool = False
    is_dead: bool = False
    """Nothing is passed any more, either way."""
    work: list[asyncio.Task[None]] = field(default_factory=list)


class FaultProxy:
    """In front of the peer that listens on port `target` of loopback."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._fault: Fault | None = None
        self._is_listening = self._is_refusing = False
        self._links: set[_Link] = set()
        self._open = AsyncExitStack()
        self.go_on = asyncio.Event()
        self.n_asked = 0
        """Pieces of requests that were passed on."""
        self.port = 0

    @property
    def n_doubtful(self) -> int:
        """Connections on which nothing is passed any more, and which Pith has not closed."""
        return sum(link.is_dead for link in self._links)

    async def begin(self, fault: Fault | None) -> None:
        """From now on this fault; None: from now on none."""
        self._fault, self._is_refusing = fault, False
        at_connect = fault.name if fault is not None and fault.at is None else None
        if at_connect == "refused":
            await self._refuse()
        elif at_connect == "black hole":
            await self._stop_listening()
            await self._open.enter_async_context(_full_backlog(self._bound()))
        elif not self._is_listening:  # asyncio loses whom it lets in while it closes the door
            await self._open.aclose()
            server = await asyncio.start_server(self._accept, sock=self._bound())
            self._open.callback(server.close)
            self._is_listening = True

    async def aclose(self) -> None:
        await self._open.aclose()
        tasks = [task for link in self._links for task in link.work]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _bound(self) -> socket.socket:
        """The port, the same every time. Nobody is let in before somebody listens."""
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", self.port))
        bound.setblocking(False)
        self.port = bound.getsockname()[1]
        return bound

    async def _stop_listening(self) -> None:
        self._is_listening = False
        await self._open.aclose()

    async def _refuse(self) -> None:
        await self._stop_listening()
        self._is_refusing = True
        self._open.callback(self._bound().close)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = _Link(writer)
        self._links.add(link)
        task = asyncio.current_task()
        assert task is not None
        link.work.append(task)
        try:
            if self._fault is not None and self._fault.at is None:
                await self._strike(self._fault, link, b"")
            with suppress(ConnectionError):
                await self._join(link, reader)
        except asyncio.CancelledError:
            pass  # the test is over
        finally:
            self._links.discard(link)
            writer.transport.abort()

    async def _join(self, link: _Link, reader: asyncio.StreamReader) -> None:
        theirs, ours = await asyncio.open_connection("127.0.0.1", self._target)
        back = asyncio.create_task(self._back(theirs, link))
        link.work.append(back)
        try:
            while data := await reader.read(READ_BYTES):
                if link.is_dead:
                    continue
                if self._is_refusing and link.is_struck:  # it has had its last answer
                    return
                link.seen, link.n_passed, link.is_struck = b"", 0, False
                self.n_asked += 1
                ours.write(data)
        finally:
            back.cancel()
            ours.close()

    async def _back(self, theirs: asyncio.StreamReader, link: _Link) -> None:
        with suppress(ConnectionError):
            while data := await theirs.read(READ_BYTES):
                if link.is_dead:
                    continue
                link.seen += data
                fault = None if link.is_struck else self._fault
                if fault is None or fault.at is None:
                    self._pass(link, len(link.seen))
                elif (at := fault.at(link.seen)) is None:
                    self._pass(link, len(link.seen) - HELD_BYTES)
                else:
                    self._pass(link, at)
                    rest, link.n_passed = link.seen[at:], len(link.seen)
                    await self._strike(fault, link, rest)
            link.writer.close()

    def _pass(self, link: _Link, end: int) -> None:
        if end > link.n_passed:
            link.writer.write(link.seen[link.n_passed : end])
            link.n_passed = end

    async def _strike(self, fault: Fault, link: _Link, rest: bytes) -> None:
        link.is_struck = True
        if fault.is_held:
            await self.go_on.wait()
        match fault.name:
            case "refused":  # by now: those who are in have the rest of what they asked for
                await self._refuse()
                link.writer.write(rest)
            case "slow drip":
                for at in range(min(len(rest), DRIP_BYTES) or 1):
                    await asyncio.sleep(DRIP_S)
                    link.writer.write(rest[at : at + 1])
                link.writer.write(rest[DRIP_BYTES:])
            case "reset":
                reset = struct.pack("ii", 1, 0)
                link.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
                link.writer.transport.abort()
            case _:
                link.is_dead = True
                link.writer.write(fault.said)
                if fault.name == "half close":
                    link.writer.write_eof()


@asynccontextmanager
async def _full_backlog(listener: socket.socket) -> AsyncIterator[None]:
    """Nobody is refused and nobody is let in: what comes is dropped, since nobody takes those who wait."""
    listener.listen(0)
    waiting = [socket.socket() for _ in range(3)]
    try:
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        yield
    finally:
        for one in [*waiting, listener]:
            one.close()


@asynccontextmanager
async def fault_proxy(target: int, fault: Fault | None = None) -> AsyncIterator[FaultProxy]:
    """A running proxy."""
    proxy = FaultProxy(target)
    await proxy.begin(fault)
    try:
        yield proxy
    finally:
        await proxy.aclose()
