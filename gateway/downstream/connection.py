"""A client's connection: exchanges out of its bytes, answered one after the other.

Laws: requests are answered in the order they came; memory is bounded, whatever is sent; bytes behind a
request that was refused, or that ends the connection, are never read as another one. What is not HTTP is
answered by a Refusal in its turn, and the connection closed once the client has had time to read it.

uvicorn makes one of these for each connection (`http=` of its configuration), as it would of its own.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import uvicorn
from starlette.types import Scope
from uvicorn.server import ServerState

from gateway.downstream.exchange import Exchange
from gateway.downstream.framing import origin_form, too_slow
from gateway.downstream.reader import Opened, RequestReader
from gateway.downstream.scope import Extension, Peer, scope_of
from gateway.downstream.silence import Limits, Silence, Wait
from gateway.draining import Draining
from gateway.refusal import Refusal

HIGH_WATER = 64 * 1024
"""Bytes of a body that nobody has taken at which reading pauses."""

_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Serving:
    """What all connections of a server share."""

    limits: Limits = field(default_factory=Limits)
    draining: Draining = field(default_factory=Draining)


class ClientConnection(asyncio.Protocol):
    """Called by the event loop, by its reader, by its exchanges, and from time to time by the server."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        serving: Serving,
    ) -> None:
        self._app = config.loaded_app
        self._server = server_state
        self._connections = cast(set[object], server_state.connections)  # which says uvicorn's own protocols
        self._app_state = app_state
        self._serving = serving
        self._transport: asyncio.Transport
        self._loop = _loop or asyncio.get_running_loop()
        self._client: Peer = None
        self._own: Peer = None
        self._reader = RequestReader(self)
        self._silence = Silence()
        self._receiving: Exchange | None = None
        self._active: Exchange | None = None
        """The one that is being answered; those behind it wait in the queue."""
        self._queue: deque[Exchange] = deque()
        self._held: list[bytes] | None = None
        """What came behind a request for a WebSocket."""
        self._is_deaf = False
        """Nothing more is read."""
        self._is_refused = False
        self._is_lingering = False
        self._writer: asyncio.Future[None] | None = None
        self._is_lost = False
        self._on_leaving: Callable[[], None] | None = None
        self.is_full = False
        """What was written has not been taken."""
        self._is_read_paused = False
        self._n_opened = 0
        self._n_received = 0
        self._n_written = 0

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transports do not subclass asyncio's
        self._connections.add(self)
        peer, own = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        self._client, self._own = peer and peer[:2], own and own[:2]

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._is_deaf = self._is_lost = True
        self._queue.clear()
        if self._active is not None:
            self._active.leave()
        if self._on_leaving is not None:
            self._on_leaving()
        self.resume_writing()

    def data_received(self, data: bytes) -> None:
        self._n_received += len(data)
        if self._is_deaf:
            return
        if self._held is None:
            try:
                data = self._reader.feed(data)
            except Refusal as refusal:
                self._refuse(refusal)
                return
        if self._held is not None and data:
            self._held.append(data)
            self._regulate()

    def pause_writing(self) -> None:
        self.is_full = True

    def resume_writing(self) -> None:
        self.is_full = False
        if self._writer is not None and not self._writer.done():
            self._writer.set_result(None)

    # Called by the server.

    def shutdown(self) -> None:
        """Close as soon as what is under way has been answered."""
        if self._active is None:
            self._transport.close()
        else:
            self._active.keeps_alive = False

    def abort(self) -> None:
        """Close at once, whatever is under way."""
        self._transport.abort()

    def look(self, now: float) -> None:
        """Give up a client that has kept us waiting too long."""
        wait, limits = self._waits_for(), self._serving.limits
        if not self._silence.is_too_long(wait, now, limits):
            return
        if wait.what == "header":
            self._refuse(too_slow("the head of the request", limits.header_read_s))
        elif wait.what == "body" and self._active is not None:
            self._refuse(too_slow("more of the request's body", limits.body_read_s))
        elif wait.what == "idle":
            self._transport.close()
        else:
            self._transport.abort()

    def _waits_for(self) -> Wait:
        if n_unsent := self._transport.get_write_buffer_size():
            return Wait("write", (n_unsent, self._n_written))
        if self._is_lingering:
            return Wait("linger", self._n_opened)
        if self._active is None and self._receiving is None:
            return Wait("header" if self._reader.is_in_head else "idle", self._n_opened)
        is_asked = self._active is None or (self._active is self._receiving and not self._active.is_started)
        if self._receiving is not None and is_asked and not self._is_read_paused:
            return Wait("body", self._n_received)
        return Wait("us", self._n_opened)

    # Called by exchanges.

    @property
    def is_ending(self) -> bool:
        """No further request will be served."""
        return self._serving.draining.is_on

    def write(self, data: bytes) -> None:
        """Write without waiting."""
        self._n_written += len(data)
        self._transport.write(data)

    async def drain(self) -> None:
        """Wait for room to write, or for the end of the connection."""
        while self.is_full:
            self._writer = self._loop.create_future()
            await self._writer

    def taken(self) -> None:
        """Body bytes were taken: there is room for more."""
        if self._is_read_paused:
            self._regulate()

    def answered(self, exchange: Exchange) -> None:
        """The next one's turn, or the end."""
        self._server.total_requests += 1
        self._active = None
        if self._transport.is_closing():
            return
        if not exchange.keeps_alive:
            self._queue.clear()
            self._close(is_lingering=self._is_refused or not exchange.is_received)
        elif self._queue:
            self._start(self._queue.popleft())
        if self._is_read_paused:
            self._regulate()

    def cut(self, *, is_reset: bool) -> None:
        """Close amid an answer. Where only the end of the connection ends the answer, it is reset."""
        self._is_deaf = True
        if self._active is not None:
            self._active.leave()
        if is_reset:
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._transport.abort()
        else:
            self._transport.close()

    def tell_leaving(self, callback: Callable[[], None] | None) -> bool:
        """Have `callback` called once when the client leaves, None to end that; False: it has left."""
        self._on_leaving = callback
        return not self._is_lost

    def take_over(self, successor: asyncio.Protocol) -> asyncio.Transport:
        """Hand the connection to another protocol, beginning with what came behind the request."""
        assert self._active is not None
        assert self._held is not None
        self._connections.discard(self)
        self._active.hand_over()
        self._transport.set_protocol(successor)
        for data in self._held:
            successor.data_received(data)
        self._held = []
        self._regulate()
        return self._transport

    # Called by the reader.

    def opened(self, request: Opened) -> None:
        """A request whose head is here: it may be answered while its body arrives."""
        self._n_opened += 1
        keeps_alive = request.keeps_alive and not request.offers_websocket
        self._held = [] if request.offers_websocket else None
        self._receiving = Exchange(
            self, self._scope(request), keeps_alive=keeps_alive, expects_continue=request.expects_continue
        )
        self._enqueue(self._receiving)

    def body(self, data: bytes) -> None:
        """More of its body."""
        assert self._receiving is not None
        self._receiving.feed(data)
        if self._receiving.n_unread > HIGH_WATER:
            self._regulate()

    def ended(self) -> None:
        """It is whole."""
        assert self._receiving is not None
        exchange, self._receiving = self._receiving, None
        exchange.end()

    def _scope(self, request: Opened) -> Scope:
        extension = Extension(
            origin_form(request.head.target),
            request.spelled,
            self.is_ending,
            self.tell_leaving,
            self.take_over if request.offers_websocket else None,
        )
        state = self._app_state.copy()
        return scope_of(request, extension, client=self._client, server=self._own, state=state)

    # The order of answers, and the end.

    def _enqueue(self, exchange: Exchange) -> None:
        if self._active is None:
            self._start(exchange)
        else:
            self._queue.append(exchange)
            self._regulate()

    def _start(self, exchange: Exchange) -> None:
        self._active = exchange
        task = self._loop.create_task(exchange.run(self._app))
        self._server.tasks.add(task)
        task.add_done_callback(self._server.tasks.discard)

    def _refuse(self, refusal: Refusal) -> None:
        """Read no further, and say why: instead of the request's answer, or in its turn if it has no head."""
        self._is_deaf = self._is_refused = True
        exchange, self._receiving = self._receiving, None
        if exchange is not None:
            exchange.fail(refusal)
            if exchange.is_answered:  # early, before its request was whole
                self._transport.close()
        else:
            scope = {"type": "http", "http_version": "1.1", "method": self._reader.method}
            exchange = Exchange(self, scope, keeps_alive=False)
            exchange.fail(refusal)
            self._enqueue(exchange)
        self._regulate()

    def _regulate(self) -> None:
        """Pause reading while requests or bytes wait to be taken; what a deaf connection reads is dropped."""
        n_unread = (
            self._receiving.n_unread if self._receiving is not None else sum(map(len, self._held or ()))
        )
        is_paused = not self._is_deaf and (bool(self._queue) or n_unread > HIGH_WATER)
        if is_paused != self._is_read_paused and not self._transport.is_closing():
            self._is_read_paused = is_paused
            (self._transport.pause_reading if is_paused else self._transport.resume_reading)()

    def _close(self, *, is_lingering: bool) -> None:
        """Close now, or first only for writing: bytes that are unread at a close would reset the connection,
        and the answer might be lost."""
        self._is_deaf = True
        self._is_lingering = is_lingering and self._transport.can_write_eof()
        if self._is_lingering:
            self._transport.write_eof()
        else:
            self._transport.close()
