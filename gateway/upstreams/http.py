"""An upstream spoken to over HTTP/1.1, transparently.

What is sent is the request given: target, header fields and body bytes as they are, behind a `Host` of our
own. No redirects, no cookies, no proxies from the environment. Only the configured URL decides where a
request goes. A caller that is cancelled closes its connection at once; closing never waits, so a cancellation
cannot lose one.

Nothing that may have been read by the upstream is sent twice, but for one case: a kept connection that the
upstream closed without a byte of an answer, most likely because it had been idle too long. A GET, HEAD or
OPTIONS without an upload is then sent again, once, on a new connection. RFC 9110, section 9.2.2, would allow
it for PUT and DELETE too; sent twice, a DELETE may be answered 404. For a POST it does not: there the window
is kept small, by looking at a kept connection before it is used and by not keeping it for long.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
from weakref import WeakSet

import certifi

from gateway.access.credentials import callers_own
from gateway.errors import UpstreamBusy, UpstreamError
from gateway.headers import with_key
from gateway.types import UpstreamRequest, UpstreamResponse
from gateway.upstreams.connection import Connection
from gateway.upstreams.dial import Dialer, Limits
from gateway.upstreams.exchange import Exchange, StaleConnection, Timeouts
from gateway.upstreams.origin import parse_origin
from gateway.upstreams.wire import framed, request_head

MAX_IDLE = 128
"""Unused connections kept for the next request."""

BUSY_RETRY_S = 1
"""What a caller is told to wait when it was not given a turn."""

REPLAYED = frozenset({"GET", "HEAD", "OPTIONS"})


class HttpUpstream:
    """One configured upstream. `key` replaces the client's credentials; None lets them pass.

    Errors call the upstream by `name` and quote no key, no address and no bytes of the upstream's.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        name: str = "upstream",
        timeouts: Timeouts | None = None,
        limits: Limits | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._origin = parse_origin(url)
        self._key = key
        self._name = name
        self._timeouts = timeouts or Timeouts()
        self._limits = limits or Limits()
        tls = (tls or _default_tls()) if self._origin.is_tls else None
        self._dialer = Dialer(
            self._origin, name=name, tls=tls, connect_s=self._timeouts.connect_s, limits=self._limits
        )
        self._turns = asyncio.Semaphore(self._limits.max_in_flight)
        self.n_in_flight = 0
        # Weak, for a connection cancelled while it is made is never told of its end by uvloop.
        self._alive: WeakSet[Connection] = WeakSet()
        self._idle: list[tuple[Connection, asyncio.TimerHandle]] = []

    @property
    def n_idle(self) -> int:
        """Unused connections kept."""
        return sum(connection.is_open for connection, _ in self._idle)

    @property
    def is_shut(self) -> bool:
        """Left alone for a while, for it took no connection several times in a row."""
        return self._dialer.breaker.state == "open"

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        """Send and return once the response head is here. Raises UpstreamError; cancellation closes all."""
        head, is_chunked = self._head(request)
        self._dialer.budget.pay_in()
        try:
            exchange = await self._begin(request, may_reuse=True)
            return await exchange.start(head, request.body, is_chunked=is_chunked)
        except StaleConnection:
            if request.method not in REPLAYED or request.upgrade or not isinstance(request.body, bytes):
                raise
        exchange = await self._begin(request, may_reuse=False)
        return await exchange.start(head, request.body, is_chunked=is_chunked)

    async def aclose(self) -> None:
        """Close every connection."""
        for _, expiry in self._idle:
            expiry.cancel()
        self._idle.clear()
        for connection in list(self._alive):
            connection.abort()

    def _head(self, request: UpstreamRequest) -> tuple[bytes, bool]:
        """Request line and fields, and whether the body goes in chunks."""
        own = callers_own(request.headers) if self._key is None else with_key(request.headers, self._key)
        if request.upgrade is not None:
            own = [*own, (b"connection", b"Upgrade"), (b"upgrade", request.upgrade)]
        headers, is_chunked = framed([(b"host", self._origin.authority), *own], request.body)
        try:
            return request_head(request.method, self._origin.prefix + request.target, headers), is_chunked
        except ValueError as error:
            raise UpstreamError(f"nothing was sent to upstream {self._name!r}: {error}") from error

    async def _begin(self, request: UpstreamRequest, *, may_reuse: bool) -> Exchange:
        """A turn, a connection, and the exchange that gives both back at its end."""
        await self._take_turn()
        try:
            connection = (self._reuse() if may_reuse else None) or await self._open()
        except BaseException:  # a cancellation above all: it goes on, the turn is given back
            self._end_turn(None)
            raise
        return Exchange(
            connection,
            self._timeouts,
            upstream=self._name,
            is_bodiless=request.method == "HEAD",
            may_upgrade=request.upgrade is not None,
            ended=self._end_turn,
        )

    async def _take_turn(self) -> None:
        if self._turns.locked():
            limit_s = self._timeouts.queue_s
            try:
                async with asyncio.timeout(limit_s):
                    await self._turns.acquire()
            except TimeoutError as error:
                raise UpstreamBusy(
                    f"upstream {self._name!r} has {self._limits.max_in_flight} requests under way, as many "
                    f"as it is given at once, and none ended within {limit_s:g} s; try again",
                    retry_after_s=BUSY_RETRY_S,
                ) from error
        else:
            await self._turns.acquire()
        self.n_in_flight += 1

    def _end_turn(self, connection: Connection | None) -> None:
        """An exchange is over; its connection is kept if it is fit for another."""
        self.n_in_flight -= 1
        self._turns.release()
        if connection is not None:
            self._keep(connection)

    def _reuse(self) -> Connection | None:
        """The connection used last, for it is the least likely to be closed by the upstream just now."""
        while self._idle:
            connection, expiry = self._idle.pop()
            expiry.cancel()
            if connection.is_quiet:
                return connection
            connection.abort()
        return None

    def _keep(self, connection: Connection) -> None:
        if len(self._idle) >= MAX_IDLE:
            oldest, expiry = self._idle.pop(0)
            expiry.cancel()
            oldest.abort()
        expiry = asyncio.get_running_loop().call_later(self._timeouts.keep_s, self._expire, connection)
        self._idle.append((connection, expiry))

    def _expire(self, connection: Connection) -> None:
        self._idle = [kept for kept in self._idle if kept[0] is not connection]
        connection.abort()

    async def _open(self) -> Connection:
        connection = await self._dialer.open()
        self._alive.add(connection)
        return connection


@functools.cache
def _default_tls() -> ssl.SSLContext:
    """The system's trust, an operator's SSL_CERT_FILE included, and certifi's for images that have none."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    return context
