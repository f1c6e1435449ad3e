"""Both ends of the wire in a test's own hands: an upstream and a client whose every byte the test says.

No parsing library stands between: what arrives is compared as bytes. Waits end by the event awaited, or fail
the test after PATIENCE_S.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from types import TracebackType

PATIENCE_S = 20.0
READ_LIMIT = 1 << 20
Fields = list[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Head:
    """A start line and its header fields as they stood on the wire."""

    start_line: bytes
    fields: Fields

    def values(self, name: bytes) -> list[bytes]:
        return [value for found, value in self.fields if found.lower() == name]

    @property
    def target(self) -> bytes:
        return self.start_line.split(b" ", 1)[1].rsplit(b" ", 1)[0]

    @property
    def status(self) -> int:
        return int(self.start_line.split(b" ")[1])


class Peer:
    """One end of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @property
    def local_port(self) -> int:
        """The port of this end."""
        port: int = self._writer.get_extra_info("sockname")[1]
        return port

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        async with asyncio.timeout(PATIENCE_S):
            await self._writer.drain()

    async def head(self) -> Head:
        async with asyncio.timeout(PATIENCE_S):
            raw = await self._reader.readuntil(b"\r\n\r\n")
        start_line, *lines = raw[:-4].split(b"\r\n")
        fields = [(name, value) for name, _, value in (line.partition(b": ") for line in lines)]
        return Head(start_line, fields)

    async def exactly(self, n: int) -> bytes:
        async with asyncio.timeout(PATIENCE_S):
            return await self._reader.readexactly(n)

    async def chunk(self) -> bytes:
        """One chunk of the chunked coding; empty for the last."""
        async with asyncio.timeout(PATIENCE_S):
            size = int(await self._reader.readuntil(b"\r\n"), 16)
        return (await self.exactly(size + 2))[:-2]

    async def body(self, head: Head) -> bytes:
        """The whole body `head` promises; IncompleteReadError when it breaks off."""
        if head.values(b"transfer-encoding") == [b"chunked"]:
            parts = []
            while part := await self.chunk():
                parts.append(part)
            return b"".join(parts)
        return await self.exactly(int((head.values(b"content-length") or [b"0"])[0]))

    async def answer(self) -> tuple[Head, bytes]:
        head = await self.head()
        return head, await self.body(head)

    async def until_closed(self) -> bytes:
        """Everything that comes until the other end closes or resets the connection."""
        rest = b""
        async with asyncio.timeout(PATIENCE_S):
            try:
                while data := await self._reader.read(READ_LIMIT):
                    rest += data
            except ConnectionResetError:
                pass
        return rest

    async def stalled(self) -> int:
        """Wait until nothing more of what is being sent is taken; the bytes left unsent."""
        async with asyncio.timeout(PATIENCE_S):
            before, unsent = -1, self._writer.transport.get_write_buffer_size()
            while before != unsent or not unsent:
                await asyncio.sleep(0.05)
                before, unsent = unsent, self._writer.transport.get_write_buffer_size()
        return unsent

    async def nothing(self) -> None:
        """Fail if anything arrives in the time that a hop takes many times over, or has arrived."""
        with suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                data = await self._reader.read(READ_LIMIT)
                assert not data, data

    def hold(self) -> None:
        """Read no more from the socket."""
        self._transport.pause_reading()

    def go_on(self) -> None:
        """Read again."""
        self._transport.resume_reading()

    def finish(self) -> None:
        """Say that nothing more is sent; what comes can still be read."""
        self._writer.write_eof()

    @property
    def _transport(self) -> asyncio.Transport:
        transport = self._writer.transport
        assert isinstance(transport, asyncio.Transport)
        return transport

    def close(self) -> None:
        self._writer.close()

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        linger = struct.pack("ii", 1, 0)
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._writer.transport.abort()


async def until(holds: Callable[[], bool]) -> None:
    """Look until it is so, or fail."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if holds():
                return
            await asyncio.sleep(0.001)


class ScriptedUpstream:
    """Listens on loopback and hands every connection to the test."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._server: asyncio.Server
        self._arrived: asyncio.Queue[Peer] = asyncio.Queue()
        self._peers: list[Peer] = []

    async def __aenter__(self) -> ScriptedUpstream:
        self._server = await asyncio.start_server(
            self._accept, "127.0.0.1", 0, limit=READ_LIMIT, ssl=self._tls
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.close()
        for peer in self._peers:
            peer.close()
        await self._server.wait_closed()

    @property
    def authority(self) -> str:
        return "{}:{}".format(*self._server.sockets[0].getsockname())

    @property
    def url(self) -> str:
        return f"http://{self.authority}"

    @property
    def n_connections(self) -> int:
        """Connections accepted so far."""
        return len(self._peers)

    async def accept(self) -> Peer:
        """The next new connection."""
        async with asyncio.timeout(PATIENCE_S):
            return await self._arrived.get()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer)
        self._peers.append(peer)
        self._arrived.put_nowait(peer)


async def connect(port: int) -> Peer:
    """A client's end of a new connection to `port`."""
    return Peer(*await asyncio.open_connection("127.0.0.1", port, limit=READ_LIMIT))


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Peer]:
    """As `connect`, closed at the end."""
    peer = await connect(port)
    try:
        yield peer
    finally:
        peer.close()


async def refused(port: int) -> None:
    """Wait until no connection is taken any more."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionError:  # refused, or reset with the queue of a socket just closed
                return
            writer.close()
