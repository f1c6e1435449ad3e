"""One request and its answer over one connection, with time limits.

The body is uploaded while the answer is awaited, for an upstream may answer early. An exchange that ends any
other way than with a whole answer to a whole request closes its connection; closing never waits. Where the
upstream switches protocols, the connection can be taken over; it is closed with the exchange.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from gateway.errors import UpstreamBroken, UpstreamError, UpstreamTimeout
from gateway.types import TakeOver, UpstreamResponse
from gateway.upstreams.connection import Connection
from gateway.upstreams.wire import MalformedAnswer


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. There is no limit on a whole answer: a stream may last."""

    connect_s: float = 5.0
    """Name lookup, TCP and TLS."""
    first_byte_s: float = 600.0
    """From the end of the request to the head of the answer; as patient as the OpenAI SDK."""
    idle_s: float = 300.0
    """Between two reads of an answer, and until the upstream takes the next piece of an upload."""
    queue_s: float = 2.0
    """For a turn, where as much is under way as the upstream is given at once."""
    keep_s: float = 4.0
    """How long an unused connection is kept: shorter than uvicorn, Node.js and others keep it (5 s), so that
    none is closed by them just when a request is on its way."""


class StaleConnection(UpstreamError):
    """A kept connection was closed by the upstream before any byte of an answer came."""


@dataclass(slots=True)
class HttpResponse(UpstreamResponse):
    """An answer whose connection is still held by its exchange."""

    exchange: Exchange

    @property
    def take_over(self) -> TakeOver | None:
        """After a 101 the way to the connection, until this answer is closed."""
        return self.exchange.take_over

    async def aclose(self) -> None:
        """Give the connection back, or close it when the answer was not read to its end."""
        self.exchange.close()


class Exchange:
    """Sends one request; then the iterator over the answer's raw body."""

    def __init__(
        self,
        connection: Connection,
        timeouts: Timeouts,
        *,
        upstream: str,
        is_bodiless: bool = False,
        may_upgrade: bool = False,
        ended: Callable[[Connection | None], None],
    ) -> None:
        """`upstream` is what errors call it.

        `ended` is called once, with the connection if it is fit for the next exchange.
        """
        self._connection = connection
        self._timeouts = timeouts
        self._name = f"upstream {upstream!r}"
        self._ended = ended
        self._answer = connection.begin(is_bodiless=is_bodiless, may_upgrade=may_upgrade)
        self._upload: asyncio.Task[None] | None = None
        self._is_over = False

    async def start(
        self, head: bytes, body: bytes | AsyncIterator[bytes], *, is_chunked: bool
    ) -> HttpResponse:
        """Send, and return once the head of the answer is here."""
        try:
            if isinstance(body, bytes):
                self._connection.write_both(head, body)
            else:
                self._connection.write(head)
                self._upload = asyncio.create_task(self._send_body(body, is_chunked=is_chunked))
                self._upload.add_done_callback(self._uploaded)
            await self._await_head()
        except TimeoutError as error:
            self.close()
            limit_s = self._timeouts.first_byte_s if self._is_sent() else self._timeouts.idle_s
            raise UpstreamTimeout(f"{self._name} was silent for {limit_s:g} s; no answer came") from error
        except (MalformedAnswer, OSError) as error:
            self.close()
            is_stale = self._connection.n_exchanges > 1 and not self._answer.has_begun
            kind = StaleConnection if is_stale else UpstreamError
            raise kind(f"{self._name} gave no answer: {_what(error)}") from error
        except BaseException:  # a cancellation above all: it goes on, the connection does not stay open
            self.close()
            raise
        answer = self._answer
        return HttpResponse(answer.status, answer.headers, self, self, reason=answer.reason)

    def close(self) -> None:
        """End the exchange, early or not. May be called again."""
        if self._is_over:
            return
        self._is_over = True
        is_whole = self._is_sent()
        if self._upload is not None:
            self._upload.cancel()
        if self._connection.end() and is_whole:
            self._ended(self._connection)
        else:
            self._connection.abort()
            self._ended(None)

    @property
    def take_over(self) -> TakeOver | None:
        """The way to the connection, where the answer was 101."""
        return self._connection.take_over if self._answer.is_upgraded else None

    def __aiter__(self) -> Exchange:
        return self

    async def __anext__(self) -> bytes:
        while not (chunk := self._answer.take()):
            if self._answer.is_complete:
                self.close()
                raise StopAsyncIteration
            if self._is_over:
                raise UpstreamBroken(f"{self._name}: the answer was closed before its end")
            await self._await_more()
        return chunk

    async def _await_head(self) -> None:
        while not (self._answer.has_head or self._is_sent()):
            await self._connection.arrival()
        async with asyncio.timeout(self._timeouts.first_byte_s):
            while not self._answer.has_head:
                await self._connection.arrival()

    async def _await_more(self) -> None:
        try:
            async with asyncio.timeout(self._timeouts.idle_s):
                await self._connection.arrival()
        except TimeoutError as error:
            limit_s = self._timeouts.idle_s
            raise UpstreamBroken(f"{self._name} was silent for {limit_s:g} s amid its answer") from error
        except (MalformedAnswer, OSError) as error:
            raise UpstreamBroken(f"{self._name} broke off its answer: {_what(error)}") from error

    async def _send_body(self, body: AsyncIterator[bytes], *, is_chunked: bool) -> None:
        async for chunk in body:
            if not chunk:
                continue
            self._connection.write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if is_chunked else chunk)
            async with asyncio.timeout(self._timeouts.idle_s):
                await self._connection.drain()
            if not self._connection.is_open:
                return
        if is_chunked:
            self._connection.write(b"0\r\n\r\n")

    def _uploaded(self, upload: asyncio.Task[None]) -> None:
        """A failed upload ends the exchange with its error; a finished one starts the answer's clock."""
        error = None if upload.cancelled() else upload.exception()
        if error is not None:
            self._connection.fail(error)
        self._connection.wake_reader()

    def _is_sent(self) -> bool:
        return self._upload is None or self._upload.done()


def _what(error: Exception) -> str:
    """Our own words: the text of an operating system's error may hold an address."""
    if isinstance(error, MalformedAnswer):
        return str(error)
    return "connection reset" if isinstance(error, ConnectionError) else "network error"
