"""HTTP clients behind one call, each told to change as little as it can: no redirects, nothing decoded.

A library that is not installed has no adapter.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Protocol, TypeAlias

from gateway.errors import UpstreamBroken, UpstreamError
from gateway.types import RawHeaders, UpstreamRequest
from gateway.upstreams.dial import Limits
from gateway.upstreams.http import HttpUpstream


@dataclass(frozen=True)
class Got:
    """An answer, its body undecoded where the library allows that."""

    status: int
    headers: RawHeaders
    body: bytes


class Client(Protocol):
    """A client of one origin that opens at most so many connections."""

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What it raises when a call fails."""

    async def call(self, method: str, target: bytes, headers: RawHeaders, body: bytes = b"") -> Got:
        """One request and its whole answer."""

    async def aclose(self) -> None:
        """Close every connection."""


Make: TypeAlias = Callable[[str, int], Client]
"""From an origin and the most connections to a client."""


ANYONES = (OSError, ValueError, TimeoutError)


class Ours:
    """`gateway.upstreams.http`."""

    errors = (UpstreamError, UpstreamBroken)

    def __init__(self, origin: str, n_connections: int) -> None:
        self._upstream = HttpUpstream(origin, limits=Limits(max_in_flight=n_connections))

    async def call(self, method: str, target: bytes, headers: RawHeaders, body: bytes = b"") -> Got:
        response = await self._upstream.send(UpstreamRequest(method, target, headers, body))
        try:
            return Got(response.status, response.headers, b"".join([chunk async for chunk in response.body]))
        finally:
            await response.aclose()

    async def aclose(self) -> None:
        await self._upstream.aclose()


class Httpx:
    """httpx, or a library with its interface."""

    def __init__(self, library: Any, client: Any, origin: str) -> None:
        self.errors = (library.HTTPError, library.InvalidURL, *ANYONES)
        self._library = library
        self._client = client
        self._origin = library.URL(origin)

    async def call(self, method: str, target: bytes, headers: RawHeaders, body: bytes = b"") -> Got:
        url = self._origin.copy_with(raw_path=target)
        async with self._client.stream(method, url, headers=headers, content=body or None) as response:
            raw = b"".join([chunk async for chunk in response.aiter_raw()])
            return Got(response.status_code, response.headers.raw, raw)

    async def aclose(self) -> None:
        await self._client.aclose()


class Aiohttp:
    """aiohttp's own client."""

    def __init__(self, origin: str, n_connections: int) -> None:
        self.errors = (importlib.import_module("aiohttp").ClientError, *ANYONES)
        self._origin = origin
        self._url = importlib.import_module("yarl").URL
        self._session = _session(n_connections)

    async def call(self, method: str, target: bytes, headers: RawHeaders, body: bytes = b"") -> Got:
        url = self._url(self._origin + target.decode("latin-1"), encoded=True)
        fields = [(name.decode(), value.decode("latin-1")) for name, value in headers]
        async with self._session.request(
            method, url, headers=fields, data=body or None, allow_redirects=False
        ) as response:
            return Got(response.status, list(response.raw_headers), await response.read())

    async def aclose(self) -> None:
        await self._session.close()


def _session(n_connections: int) -> Any:
    """aiohttp's session, adding and decoding as little as it can."""
    aiohttp = importlib.import_module("aiohttp")
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=n_connections),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        timeout=aiohttp.ClientTimeout(total=None),
    )


def _httpx(name: str) -> Make:
    library: Any = importlib.import_module(name)

    def make(origin: str, n_connections: int) -> Client:
        limits = library.Limits(max_connections=n_connections, max_keepalive_connections=n_connections)
        client = library.AsyncClient(limits=limits, timeout=None, trust_env=False)
        client.headers.clear()
        return Httpx(library, client, origin)

    return make


def _httpx_over_aiohttp() -> Make:
    httpx: Any = importlib.import_module("httpx")
    library: Any = importlib.import_module("httpx_aiohttp")

    def make(origin: str, n_connections: int) -> Client:
        transport = library.AiohttpTransport(client=_session(n_connections))
        client = httpx.AsyncClient(transport=transport, timeout=None, trust_env=False)
        client.headers.clear()
        return Httpx(httpx, client, origin)

    return make


_LOADERS: dict[tuple[str, ...], Callable[[], Make]] = {
    ("pith-gateway",): lambda: Ours,
    ("httpx",): lambda: _httpx("httpx"),
    ("httpx-aiohttp", "aiohttp"): _httpx_over_aiohttp,
    ("httpx2",): lambda: _httpx("httpx2"),
    ("aiohttp",): lambda: Aiohttp,
}


def adapters() -> tuple[dict[str, Make], list[str]]:
    """Those that are installed, by name and version, ours first; and the names of those that are not."""
    found, absent = {}, []
    for packages, load in _LOADERS.items():
        try:
            named = " over ".join(f"{name} {version(name)}" for name in packages)
            found["ours" if packages == ("pith-gateway",) else named] = load()
        except (PackageNotFoundError, ImportError):
            absent.append(" over ".join(packages))
    return found, absent
