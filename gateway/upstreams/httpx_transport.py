"""Our own wire under a library that speaks httpx: the limits, address checks and one host of an upstream.

Whatever URL the library makes up, nothing goes anywhere but to the configured origin. An answer of another
status than 2xx ends as `ProviderRefusal`, so that it is known as it was, whatever the library makes of it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx

from gateway.errors import UpstreamError
from gateway.headers import request_headers
from gateway.types import Upstream, UpstreamRequest, UpstreamResponse
from gateway.upstreams.origin import parse_origin
from gateway.upstreams.translation import ProviderRefusal

MAX_REFUSAL_BYTES = 64 << 10
"""Of a refusal's body that are read."""


class OwnWire(httpx.AsyncBaseTransport):
    """Sends what is for `url`'s origin through an upstream; anything else fails before a byte is sent."""

    def __init__(self, upstream: Upstream, url: str, name: str) -> None:
        self._upstream = upstream
        self._origin = parse_origin(url)
        self._name = name
        self._open: list[UpstreamResponse] = []
        self.has_asked = False
        """Whether there was a request, whatever became of it."""

    async def aclose(self) -> None:
        """Close what is not read to its end."""
        for answer in self._open:
            await answer.aclose()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer's head is here; its body comes as it is read. Raises UpstreamError, ProviderRefusal."""
        self.has_asked = True
        self._check(request.url)
        body = await request.aread()
        headers = request_headers(list(request.headers.raw), identity_only=True)
        sent = UpstreamRequest(request.method, request.url.raw_path, headers, body)
        answer = await self._upstream.send(sent)
        self._open.append(answer)
        if not 200 <= answer.status < 300:
            raise ProviderRefusal(answer.status, answer.headers, await _read(answer))
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer))

    def _check(self, url: httpx.URL) -> None:
        port = url.port or (443 if url.scheme == "https" else 80)
        origin = self._origin
        if (url.scheme == "https", url.host, port) != (origin.is_tls, origin.host, origin.port):
            raise UpstreamError(
                f"upstream {self._name!r} would be asked at another host than the configuration says: "
                "nothing was sent; set its url"
            )


class _Body(httpx.AsyncByteStream):
    def __init__(self, answer: UpstreamResponse) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._answer.body:
            yield chunk

    async def aclose(self) -> None:
        await self._answer.aclose()


async def _read(answer: UpstreamResponse) -> bytes:
    body = bytearray()
    try:
        async for chunk in answer.body:
            body += chunk
            if len(body) > MAX_REFUSAL_BYTES:
                break
    finally:
        await answer.aclose()
    return bytes(body[:MAX_REFUSAL_BYTES])
