"""A small relay that is transparent, and what it does wrong when it is told to: the probes must find each.

Only what the probes need is here: HTTP/1.1, a length or chunks, one upstream. A fault is what the relay does
instead, so that nothing but the fault can be what a probe found.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

from tests.e2e.scripted_upstream import Fields, Head

END = b"0\r\n\r\n"
READ_BYTES = 64 << 10
ABOUT_THE_CONNECTION = (b"connection", b"keep-alive", b"te", b"upgrade", b"proxy-connection")
_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\0]*")
_SIZE = re.compile(rb"[0-9A-Fa-f]{1,8}")
_REFUSED = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

Rewrite = Callable[[bytes], bytes]
Refield = Callable[[Fields], Fields]


def _same(data: bytes) -> bytes:
    return data


def own_hops(fields: Fields) -> Fields:
    """Without what is about one connection, or named by `Connection`."""
    named = [value for name, value in fields if name.lower() == b"connection"]
    dropped = {*ABOUT_THE_CONNECTION, *(part.strip().lower() for part in b",".join(named).split(b","))}
    return [(name, value) for name, value in fields if name.lower() not in dropped]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is done instead of what is right."""

    request: Refield = own_hops
    """The fields of a request as they go on."""
    body: Rewrite = _same
    """Its body."""
    line: Rewrite = _same
    """The first line of an answer."""
    answer: Refield = own_hops
    piece: Rewrite = _same
    """A piece of an answer's body as it came: a chunk, or what a read gave."""
    end: Rewrite = _same
    """What of a body is given last, given what went before."""
    is_lax: bool = False
    """Takes any request."""
    holds: bool = False
    """Sends a piece when the next one is here."""
    reads_ahead: bool = False
    mends: bool = False
    """Ends a broken answer as if it were whole."""
    stays: bool = False
    """Has the upstream go on when the client left."""
    tells_interim: bool = False
    sends_bodies: bool = False
    """Ends answers that have no body like those that have one."""


class Relay:
    """In front of an upstream."""

    def __init__(self, authority: str, fault: Fault) -> None:
        self._host, _, self._port = authority.partition(":")
        self._fault = fault
        self._idle: list[Side] = []
        self._sides: list[Side] = []
        self._serving: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Relay:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0, limit=1 << 20)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.close()
        for side in self._sides:
            side.writer.transport.abort()
        if self._serving:
            await asyncio.wait(self._serving)

    @property
    def port(self) -> int:
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._serving.append(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = self._side(reader, writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while await Exchange(self, client, self._fault).run():
                pass
        writer.close()

    async def upstream(self) -> Side:
        """A connection to it, kept or new."""
        if self._idle:
            return self._idle.pop()
        return self._side(*await asyncio.open_connection(self._host, self._port, limit=1 << 20))

    def keep(self, upstream: Side) -> None:
        self._idle.append(upstream)

    def _side(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Side:
        side = Side(reader, writer)
        self._sides.append(side)
        return side


@dataclass
class Side:
    """One of the two connections."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    ahead: bytes = b""
    """What was read while looking whether it closes."""

    async def head(self) -> Head:
        """A head; a line that does not end as it should stays part of the one before."""
        raw = self.ahead + await self.reader.readuntil(b"\r\n\r\n")
        self.ahead = b""
        line, *lines = raw[:-4].split(b"\r\n")
        return Head(line, [(name, value) for name, _, value in (one.partition(b": ") for one in lines)])

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def left(self) -> None:
        """When the other end closes."""
        self.ahead += await self.reader.read(1)
        if self.ahead:
            await asyncio.Event().wait()

    async def piece(self, head: Head, left: int) -> bytes:
        """The next of a body; empty behind the last."""
        if not is_chunked(head):
            data = await self.reader.read(min(left, READ_BYTES)) if left else b""
            if left and not data:
                raise asyncio.IncompleteReadError(b"", left)
            return data
        line = (await self.reader.readuntil(b"\r\n"))[:-2]
        if not _SIZE.fullmatch(line):
            raise ValueError
        size = int(line, 16)
        return (await self.reader.readexactly(size + 2))[:-2]


def is_chunked(head: Head) -> bool:
    return head.values(b"transfer-encoding") == [b"chunked"]


def length(head: Head) -> int:
    return int((head.values(b"content-length") or [b"0"])[0])


def is_sound(head: Head) -> bool:
    """Whether everybody would agree where the request ends."""
    lines = [b"%b: %b" % field for field in head.fields]
    lengths, codings = head.values(b"content-length"), head.values(b"transfer-encoding")
    return (
        all(_LINE.fullmatch(line) for line in lines)
        and len(lengths) + len(codings) <= 1
        and codings in ([], [b"chunked"])
        and all(value.isdigit() for value in lengths)
    )


def framed(line: bytes, fields: Fields) -> bytes:
    return b"\r\n".join([line, *(b"%b: %b" % field for field in fields), b"", b""])


class Exchange:
    """One request and its answer."""

    def __init__(self, relay: Relay, client: Side, fault: Fault) -> None:
        self._relay, self._client, self._fault = relay, client, fault

    async def run(self) -> bool:
        """Whether the client's connection is good for another one."""
        head = await self._client.head()
        if not self._fault.is_lax and not is_sound(head):
            return await self._refuse()
        body = b""
        if is_chunked(head):  # in whole, so that a bad chunk can be refused
            try:
                while piece := await self._client.piece(head, 0):
                    body += piece
            except ValueError:
                return await self._refuse()
        upstream = await self._relay.upstream()
        try:
            await self._upload(head, body, upstream)
            return await self._answered(head, upstream)
        except (asyncio.IncompleteReadError, ConnectionError):
            upstream.writer.close()
            raise

    async def _refuse(self) -> bool:
        await self._client.send(_REFUSED)
        return False

    async def _upload(self, head: Head, body: bytes, upstream: Side) -> None:
        fault, fields = self._fault, self._fault.request(head.fields)
        if is_chunked(head):
            body = fault.body(body)
            await upstream.send(framed(head.start_line, fields) + b"%x\r\n%b\r\n" % (len(body), body) + END)
            return
        if fault.body is not _same:
            body = fault.body(await self._client.reader.readexactly(length(head)))
            sized = [(k, b"%d" % len(body) if k.lower() == b"content-length" else v) for k, v in fields]
            await upstream.send(framed(head.start_line, sized) + body)
            return
        await upstream.send(framed(head.start_line, fields))
        left = length(head)
        while piece := await self._client.piece(head, left):
            left -= len(piece)
            await upstream.send(piece)

    async def _answered(self, asked: Head, upstream: Side) -> bool:
        answering = asyncio.create_task(self._answer(asked, upstream))
        leaving = asyncio.create_task(self._client.left())
        await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        leaving.cancel()
        await asyncio.wait({leaving})  # only then may another read the same connection
        if not answering.done() and not self._fault.stays:
            answering.cancel()
            upstream.writer.close()
            return False
        await answering
        self._relay.keep(upstream)
        return True

    async def _answer(self, asked: Head, upstream: Side) -> None:
        fault, client = self._fault, self._client
        head = await upstream.head()
        while head.status < 200:
            if fault.tells_interim:
                await client.send(framed(head.start_line, head.fields))
            head = await upstream.head()
        fields = fault.answer(head.fields)
        await client.send(framed(fault.line(head.start_line), fields))
        if asked.start_line.startswith(b"HEAD ") or head.status in (204, 304):
            await client.send(END if fault.sends_bodies else b"")
            return
        try:
            await self._pass_body(head, upstream)
        except (asyncio.IncompleteReadError, ConnectionError):
            if fault.mends:
                await client.send(END)
            raise

    async def _pass_body(self, head: Head, upstream: Side) -> None:
        left, held, all_of_it = length(head), b"", b""
        while piece := await upstream.piece(head, left):
            left -= len(piece)
            all_of_it += piece if self._fault.end is not _same else b""
            given, held = (held, piece) if self._fault.holds else (piece, b"")
            await self._give(head, self._fault.piece(given))
        await self._give(head, held)
        if self._fault.end is not _same:
            await self._give(head, self._fault.end(all_of_it))
        if is_chunked(head):
            await self._client.send(END)

    async def _give(self, head: Head, piece: bytes) -> None:
        if piece and is_chunked(head):
            piece = b"%x\r\n%b\r\n" % (len(piece), piece)
        if self._fault.reads_ahead:
            self._client.writer.write(piece)
        else:
            await self._client.send(piece)
