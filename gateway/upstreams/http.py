"""An upstream spoken to over HTTP/1.1, transparently.

What is sent is the request given: target, header fields and body bytes as they are, behind a `Host` of our
own. No redirects, no cookies, no retries, no proxies from the environment. Only the configured URL decides
where a request goes. A caller that is cancelled closes its connection at once; closing never waits, so a
cancellation cannot lose one.
"""

from __future__ import annotations

import asyncio
import functools
import socket
import ssl
from weakref import WeakSet

import certifi

from gateway.errors import UpstreamError, UpstreamTimeout
from gateway.headers import with_key
from gateway.types import UpstreamRequest, UpstreamResponse
from gateway.upstreams.connection import Connection
from gateway.upstreams.exchange import Exchange, Timeouts
from gateway.upstreams.origin import parse_origin
from gateway.upstreams.wire import framed, request_head

MAX_IDLE = 128
"""Unused connections kept for the next request."""


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
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._origin = parse_origin(url)
        self._key = key
        self._name = name
        self._timeouts = timeouts or Timeouts()
        self._tls = (tls or _default_tls()) if self._origin.is_tls else None
        # Weak, for a connection cancelled while it is made is never told of its end by uvloop.
        self._alive: WeakSet[Connection] = WeakSet()
        self._idle: list[tuple[Connection, asyncio.TimerHandle]] = []

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        """Send and return once the response head is here. Raises UpstreamError; cancellation closes all."""
        own = request.headers if self._key is None else with_key(request.headers, self._key)
        headers, is_chunked = framed([(b"host", self._origin.authority), *own], request.body)
        try:
            head = request_head(request.method, self._origin.prefix + request.target, headers)
        except ValueError as error:
            raise UpstreamError(f"nothing was sent to upstream {self._name!r}: {error}") from error
        exchange = Exchange(
            self._reuse() or await self._connect(),
            self._timeouts,
            upstream=self._name,
            is_bodiless=request.method == "HEAD",
            keep=self._keep,
        )
        return await exchange.start(head, request.body, is_chunked=is_chunked)

    async def aclose(self) -> None:
        """Close every connection."""
        for _, expiry in self._idle:
            expiry.cancel()
        self._idle.clear()
        for connection in list(self._alive):
            connection.abort()

    def _reuse(self) -> Connection | None:
        """The connection used last, for it is the least likely to be closed by the upstream just now."""
        while self._idle:
            connection, expiry = self._idle.pop()
            expiry.cancel()
            if connection.is_open:
                return connection
        return None

    def _keep(self, connection: Connection) -> None:
        if len(self._idle) >= MAX_IDLE:
            oldest, expiry = self._idle.pop(0)
            expiry.cancel()
            oldest.abort()
        expiry = asyncio.get_running_loop().call_later(self._timeouts.keep_s, connection.abort)
        self._idle.append((connection, expiry))

    async def _connect(self) -> Connection:
        host, port, limit_s = self._origin.host, self._origin.port, self._timeouts.connect_s
        name = f"upstream {self._name!r}"
        try:
            async with asyncio.timeout(limit_s):
                _, connection = await asyncio.get_running_loop().create_connection(
                    Connection, host, port, ssl=self._tls
                )
        except TimeoutError as error:
            raise UpstreamTimeout(f"{name} took no connection within {limit_s:g} s") from error
        except OSError as error:
            raise UpstreamError(f"{name} cannot be reached: {_reason(error)}") from error
        self._alive.add(connection)
        return connection


def _reason(error: OSError) -> str:
    """Our own words: an operating system's text may hold an address."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return "its certificate is not trusted"
    if isinstance(error, ssl.SSLError):
        return "TLS failed"
    if isinstance(error, socket.gaierror):
        return "its name does not resolve"
    return "connection refused" if isinstance(error, ConnectionRefusedError) else "network error"


@functools.cache
def _default_tls() -> ssl.SSLContext:
    """The system's trust, an operator's SSL_CERT_FILE included, and certifi's for images that have none."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    return context
