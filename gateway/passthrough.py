"""Relay one request to an upstream and its answer to the client, every byte as it comes.

Pull based: the next chunk is read when the server has taken the last, and nothing is queued. A client that
leaves closes the upstream's connection at once. An answer that breaks off is never ended cleanly: `relay`
returns with the response unfinished, upon which the server closes the client's connection: the client sees
the break too. Where client and upstream agree on another protocol, both connections become a tunnel; nothing
the client sends passes before that.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

from starlette.types import Receive, Send

from gateway.client import ClientWatch
from gateway.errors import ClientGone, UpstreamBroken, UpstreamError
from gateway.headers import response_headers
from gateway.refusal import Refusal, refuse
from gateway.tunnel import Tunnel, switching_head
from gateway.types import RawHeaders, TakeOver, TellLeaving, Upstream, UpstreamRequest, UpstreamResponse

CLIENT_GONE = 499
"""Status on record when the client left before one was sent."""

SWITCHED = 101
"""Status on record of a tunnel."""

RETRY_S = 1
"""What a client is told to wait after an upstream's failure of which nothing more is known."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a relayed request ended; by default with a client that left before anything was sent on."""

    status: int = CLIENT_GONE
    """Sent to the client; CLIENT_GONE when it left before."""
    is_complete: bool = False
    """Whether the client was sent a whole answer; a 502 or 504 of our own is one."""
    first_byte_s: float | None = None
    """Seconds to the first byte of the upstream's body; None when none came."""
    total_s: float = 0.0
    is_broken: bool = False
    """The upstream broke its answer off."""


class Tap(Protocol):
    """Sees an answer go by. Nothing here may block or raise: the stream passes through it."""

    def head(self, status: int, headers: RawHeaders) -> RawHeaders | None:
        """The head, before it is sent; headers to send instead, or None to leave them."""

    def feed(self, chunk: bytes) -> bytes:
        """The next bytes; returns what to forward of them and of what was held back before."""

    def end(self) -> bytes:
        """The end, whole or broken; returns what was held back. Not called when the client has left."""


async def relay(
    receive: Receive,
    answer: Answer,
    upstream: Upstream,
    request: UpstreamRequest,
    tell_leaving: TellLeaving | None = None,
) -> None:
    """Send `request` on and give the client its answer."""
    try:
        async with ClientWatch(receive, request.body, tell_leaving) as watch:
            response = await upstream.send(replace(request, body=watch.body))
            try:
                await answer.forward(response, watch)
            finally:
                await response.aclose()
    except ClientGone:
        pass
    except UpstreamBroken:
        await answer.flush()
    except UpstreamError as error:
        await answer.fail(error)
    except Refusal as refusal:  # amid its body the client's bytes made no request, or none came
        await answer.refuse(refusal)


Added: TypeAlias = Callable[[float], RawHeaders]
"""The header fields to add, told how many seconds the upstream took until now."""


class Answer:
    """The answer to one client, as far as it has been sent; its outcome can be asked for at any time."""

    def __init__(
        self,
        send: Send,
        *,
        added: Added = lambda waited_s: [],
        tap: Tap | None = None,
        tunnel: Tunnel | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`added` fields come behind the upstream's own; `tunnel` where the client asked for one."""
        self._send = send
        self._added = added
        self._tap = tap
        self._tunnel = tunnel
        self._clock = clock
        self._started_at = clock()
        self._first_byte_s: float | None = None
        self._status = CLIENT_GONE
        self._is_complete = False
        self._is_broken = False

    async def forward(self, response: UpstreamResponse, watch: ClientWatch) -> None:
        """What the upstream answered; returns when that, or the tunnel it agreed to, has ended."""
        if self._tunnel is not None and response.take_over is not None:
            watch.stop()
            await self._switch(self._tunnel, response.take_over, response_headers(response.headers))
            return
        await self._start(response.status, response_headers(response.headers), response.reason)
        await self._stream(response.body)
        watch.stop()
        tail = self._tap.end() if self._tap is not None else b""
        await self._send({"type": "http.response.body", "body": tail, "more_body": False})
        self._is_complete = True

    async def flush(self) -> None:
        """Of a broken answer, what the tap held back; the end of the body is left unsaid."""
        self._is_broken = True
        tail = self._tap.end() if self._tap is not None else b""
        if tail:
            await self._send({"type": "http.response.body", "body": tail, "more_body": True})

    async def fail(self, error: UpstreamError) -> None:
        """Answer for an upstream that did not."""
        await self.refuse(Refusal(error.status, error.code, str(error), error.retry_after_s or RETRY_S))

    async def refuse(self, refusal: Refusal) -> None:
        """Answer by an error of ours; nothing has been sent yet."""
        self._status = refusal.status
        await refuse(self._send, refusal, self._said())
        self._is_complete = True

    def _said(self) -> RawHeaders:
        return self._added(self._clock() - self._started_at)

    def outcome(self) -> Outcome:
        """How it stands, or has ended."""
        total_s = self._clock() - self._started_at
        return Outcome(self._status, self._is_complete, self._first_byte_s, total_s, self._is_broken)

    async def _start(self, status: int, headers: RawHeaders, reason: bytes | None) -> None:
        if self._tap is not None:
            headers = self._tap.head(status, headers) or headers
        start = {"type": "http.response.start", "status": status, "headers": [*headers, *self._said()]}
        await self._send(start | {"reason": reason})  # for our server; ASGI knows no reason
        self._status = status

    async def _switch(self, tunnel: Tunnel, upstream: TakeOver, headers: RawHeaders) -> None:
        self._status = SWITCHED
        head = switching_head([*headers, *self._said()])
        self._is_complete = await tunnel.join(upstream, head)

    async def _stream(self, body: AsyncIterator[bytes]) -> None:
        async for chunk in body:
            if self._first_byte_s is None:
                self._first_byte_s = self._clock() - self._started_at
            forwarded = chunk if self._tap is None else self._tap.feed(chunk)
            if forwarded:
                await self._send({"type": "http.response.body", "body": forwarded, "more_body": True})
