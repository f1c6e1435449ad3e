"""Counts in the Redis that replicas share, by scripts of the limits package; imported where there is one.

At most as many commands at a time as there are connections: `Counters` asks through a guard.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from limits.aio.storage import RedisStorage, Storage

from gateway.cache.location import RedisLocation
from gateway.cache.redis import connected

PREFIX: Final = "pith:limits"


class _Counts(RedisStorage):
    """The library's storage over a client that is already there: any kind of location, one reading of it."""

    STORAGE_SCHEME = []  # noqa: RUF012  # as the library declares it; empty: not to be found by URL

    def __init__(self, client: Any) -> None:
        self._client = client
        super().__init__("redis://", wrap_exceptions=True, implementation="redispy", key_prefix=PREFIX)

    def configure_bridge(self) -> None:
        self.bridge.storage = self._client  # type: ignore[attr-defined]  # the library's own way to keep it
        self.bridge.connection_getter = lambda readonly: self._client  # type: ignore[attr-defined]  # as above


@asynccontextmanager
async def open_counts(location: RedisLocation) -> AsyncIterator[Storage]:
    """A storage at `location`, to which nothing is connected before it is asked."""
    async with connected(location) as client:
        yield _Counts(client)
