"""One request and its answer, as ASGI's `receive` and `send`.

Bytes of the answer are written as given: names of header fields in the application's spelling, and the reason
phrase it names (`reason` in `http.response.start`, an addition of ours to ASGI). What is added is only what
delimits the body. An answer that is not finished is never ended cleanly.
"""

from __future__ import annotations

import asyncio
import http
import logging
from typing import Protocol

from starlette.types import ASGIApp, Message, Scope

from gateway.refusal import Refusal, refuse
from gateway.types import RawHeaders

logger = logging.getLogger(__name__)

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"
_GONE: Message = {"type": "http.disconnect"}
_PHRASES = {status.value: status.phrase.encode() for status in http.HTTPStatus}


class Link(Protocol):
    """What an exchange needs of its connection."""

    @property
    def is_ending(self) -> bool:
        """No further request will be served."""

    def write(self, data: bytes) -> None:
        """Write without waiting."""

    async def drain(self) -> None:
        """Wait for room to write, or for the end of the connection."""

    def taken(self) -> None:
        """Body bytes were taken: there is room for more."""

    @property
    def is_full(self) -> bool:
        """What was written has not been taken: `drain` would wait."""

    def answered(self, exchange: Exchange) -> None:
        """The whole answer has been written."""

    def cut(self, *, is_reset: bool) -> None:
        """Close, so that the client sees an answer broken off."""


class Exchange:
    """Fed by its connection, read and written by the application."""

    def __init__(
        self, link: Link, scope: Scope, *, keeps_alive: bool, expects_continue: bool = False
    ) -> None:
        self.keeps_alive = keeps_alive
        """Whether another request may follow on the connection."""
        self.is_received = False
        """The request is here whole."""
        self.is_started = False
        self.is_answered = False
        self.n_unread = 0
        self._link = link
        self._scope = scope
        self._expects_continue = expects_continue
        self._fault: Refusal | None = None
        self._is_gone = False
        self._is_end_told = False
        self._body: list[bytes] = []
        self._waiter: asyncio.Future[None] | None = None
        self._has_body = True
        self._is_chunked = False
        self._n_left: int | None = None

    async def run(self, app: ASGIApp) -> None:
        """Have the request answered, whatever the application does."""
        try:
            if self._fault is not None:
                raise self._fault
            await app(self._scope, self.receive, self.send)
        except Refusal as refusal:
            if not self.is_started:
                await refuse(self.send, refusal)
        except Exception:  # the outermost edge: a fault ends its own request and no other
            logger.exception("the application failed")
            if not self.is_started:
                message = "a fault of Pith's; its log has more"
                await refuse(self.send, Refusal(500, code="internal_error", message=message, is_closing=True))
        finally:
            if not (self.is_answered or self._is_gone):
                is_endless = self.is_started and self._n_left is None and not self._is_chunked
                self._link.cut(is_reset=is_endless)

    # Called by the connection.

    def feed(self, body: bytes) -> None:
        """More of the request's body."""
        if not self.is_answered:
            self._body.append(body)
            self.n_unread += len(body)
            self._wake()

    def end(self) -> None:
        """The request is here whole."""
        self.is_received = True
        self._wake()

    def fail(self, refusal: Refusal) -> None:
        """The rest of the request cannot be had: `receive` raises `refusal`, or the answer is broken off."""
        self.keeps_alive = False
        self._fault = refusal
        if self.is_started and not self.is_answered:
            self._link.cut(is_reset=False)
        self._wake()

    def leave(self) -> None:
        """The client has gone; nothing more is written."""
        self._is_gone = True
        self._wake()

    def hand_over(self) -> None:
        """The connection is somebody else's now."""
        self._is_gone = True

    # Called by the application.

    async def receive(self) -> Message:
        """ASGI's; raises Refusal when the client's bytes make no request."""
        while not (self._is_gone or self.is_answered):
            if self._fault is not None and not self.is_started:
                raise self._fault
            if self._body or (self.is_received and not self._is_end_told):
                return self._take()
            if self._expects_continue and not self.is_started:
                self._link.write(CONTINUE)
            self._expects_continue = False
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return _GONE

    async def send(self, message: Message) -> None:
        """ASGI's; writes nothing to a client that has gone."""
        if self._is_gone:
            return
        expected = "http.response.body" if self.is_started else "http.response.start"
        if message["type"] != expected or self.is_answered:
            raise RuntimeError(f"{message['type']} is not what comes next")
        if not self.is_started:
            self._start(message["status"], list(message.get("headers", ())), message.get("reason"))
        else:
            self._write_body(message.get("body", b""), has_more=message.get("more_body", False))
        if self._link.is_full and not self.is_answered:
            await self._link.drain()

    def _take(self) -> Message:
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body.clear()
        self.n_unread = 0
        self._is_end_told = self.is_received
        self._link.taken()
        return {"type": "http.request", "body": body, "more_body": not self.is_received}

    def _start(self, status: int, headers: RawHeaders, reason: bytes | None) -> None:
        phrase = _PHRASES.get(status, b"") if reason is None else reason
        lines = [b"HTTP/1.1 %d %b\r\n" % (status, phrase), *(b"%b: %b\r\n" % field for field in headers)]
        lines += self._delimit(status, {name.lower(): value for name, value in headers})
        head = b"".join([*lines, b"\r\n"])
        n_ends = len(lines) + 1
        if (head.count(b"\r"), head.count(b"\n"), head.count(b"\0")) != (n_ends, n_ends, 0):
            raise RuntimeError("a header field or reason holds a line break or NUL")
        self.is_started = True
        self._link.write(head)

    def _delimit(self, status: int, said: dict[bytes, bytes]) -> list[bytes]:
        """How the client will know the end of the body: the lines that the application did not write."""
        added: list[bytes] = []
        length = said.get(b"content-length")
        self._has_body = self._scope["method"] != "HEAD" and status >= 200 and status not in (204, 304)
        if length is not None and self._has_body:
            self._n_left = int(length)
        elif self._has_body and self._scope["http_version"] == "1.1":
            self._is_chunked = True
            added.append(b"transfer-encoding: chunked\r\n")
        elif self._has_body:
            self.keeps_alive = False  # the end of the connection is the end of the body
        if self._link.is_ending or self._expects_continue or b"close" in said.get(b"connection", b"").lower():
            # Told to continue by nobody, a client may send its body all the same, or not: no one can say.
            self.keeps_alive = False
        if not self.keeps_alive and b"connection" not in said:
            added.append(b"connection: close\r\n")
        return added

    def _write_body(self, body: bytes, *, has_more: bool) -> None:
        if self._n_left is not None:
            self._n_left -= len(body)
            if self._n_left < 0 or (self._n_left and not has_more):
                raise RuntimeError("the answer is not as long as its Content-Length says")
        if not self._has_body:
            data = b""
        elif self._is_chunked:
            data = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            data = data if has_more else data + LAST_CHUNK
        else:
            data = body
        if data:
            self._link.write(data)
        if not has_more:
            self.is_answered = True
            self._body.clear()  # nobody takes it any more: it must not hold up what comes behind it
            self.n_unread = 0
            self._wake()
            self._link.answered(self)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
