"""One HTTP/1.1 connection to an upstream; one exchange at a time.

Reading is pulled: beyond HIGH_WATER unread bytes the socket is not read. Nothing here measures time, and
every wait may be cancelled; whoever gives up an exchange closes the connection.
"""

from __future__ import annotations

import asyncio
import select
from typing import cast

from gateway.upstreams.wire import AnswerReader, MalformedAnswer

HIGH_WATER = 64 * 1024
"""Unread body bytes of one answer at which reading pauses."""

JOINED_BYTES = 64 * 1024
"""Longest body copied behind its head."""


class Connection(asyncio.Protocol):
    """Feeds what arrives to the reader of the exchange and wakes whoever waits for it."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._answer: AnswerReader | None = None
        self._fault: BaseException | None = None
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None
        self._is_write_paused = False
        self._is_read_paused = False
        self.n_exchanges = 0
        """Begun so far."""

    @property
    def is_open(self) -> bool:
        """Whether another request could be written."""
        return self._fault is None and not self._transport.is_closing()

    @property
    def is_quiet(self) -> bool:
        """Open, and nothing waits to be read: the upstream has not closed it by now, as far as is known here.

        The event loop may not have come to it yet; asking the system takes 1 us.
        """
        if not self.is_open:
            return False
        poll = select.poll()
        poll.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not poll.poll(0)

    def begin(self, *, is_bodiless: bool, may_upgrade: bool = False) -> AnswerReader:
        """Start an exchange; the reader holds what has arrived of the answer."""
        self.n_exchanges += 1
        self._answer = AnswerReader(is_bodiless=is_bodiless, may_upgrade=may_upgrade)
        return self._answer

    def end(self) -> bool:
        """End the exchange; whether the connection is fit for the next one."""
        answer, self._answer = self._answer, None
        self._resume_reading()
        return answer is not None and answer.is_reusable and self.is_open

    def write(self, data: bytes) -> None:
        """Write without waiting; into a closed connection nothing (the reading side knows why)."""
        if data and self.is_open:
            self._transport.write(data)

    def write_both(self, head: bytes, body: bytes) -> None:
        """In one system call where copying is cheaper than a second one (10 of 100 us a request)."""
        if len(body) <= JOINED_BYTES:
            self.write(head + body)
        else:
            self.write(head)
            self.write(body)

    def take_over(self, successor: asyncio.Protocol) -> asyncio.Transport:
        """Leave the socket to another protocol, first with what has arrived."""
        rest = self._answer.take() if self._answer is not None else b""
        self._transport.set_protocol(successor)
        if rest:
            successor.data_received(rest)
        self._resume_reading()
        return self._transport

    async def drain(self) -> None:
        """Wait for room to write, or for the end of the connection."""
        while self._is_write_paused and self.is_open:
            self._writer = asyncio.get_running_loop().create_future()
            await self._writer

    async def arrival(self) -> None:
        """Wait for more of the answer, or `wake_reader`; raises what ended the connection once it has."""
        if self._fault is not None:
            raise self._fault
        self._resume_reading()
        self._reader = asyncio.get_running_loop().create_future()
        await self._reader

    def wake_reader(self) -> None:
        """Let whoever awaits `arrival` look again."""
        _wake(self._reader)

    def fail(self, fault: BaseException) -> None:
        """Give up: `arrival` raises `fault`; what has arrived stays readable."""
        self._end_with(fault)
        self.abort()

    def abort(self) -> None:
        """Close at once, dropping what was not sent."""
        self._transport.abort()

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transports do not subclass asyncio's

    def data_received(self, data: bytes) -> None:
        if self._fault is not None:
            return
        if self._answer is None:  # bytes nobody asked for: an idle connection that cannot be trusted
            self.abort()
            return
        try:
            self._answer.feed(data)
        except MalformedAnswer as error:
            self.fail(error)
            return
        if self._answer.n_buffered >= HIGH_WATER and not self._is_read_paused:
            self._is_read_paused = True
            self._transport.pause_reading()
        self.wake_reader()

    def eof_received(self) -> None:
        fault: Exception = ConnectionResetError("closed by the upstream")
        if self._answer is not None:
            try:
                self._answer.feed_eof()
            except MalformedAnswer as error:
                fault = error
        self._end_with(fault)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_with(exc or ConnectionResetError("closed"))

    def pause_writing(self) -> None:
        self._is_write_paused = True

    def resume_writing(self) -> None:
        self._is_write_paused = False
        _wake(self._writer)

    def _end_with(self, fault: BaseException) -> None:
        if self._fault is None:
            self._fault = fault
        _wake(self._reader)
        _wake(self._writer)

    def _resume_reading(self) -> None:
        if self._is_read_paused and self.is_open:
            self._is_read_paused = False
            self._transport.resume_reading()


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
