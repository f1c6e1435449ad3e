"""Opens the shared cache: Redis, sealed, behind a tier in this process. Imported only where there is one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.cache.guard import ABANDON_S, COMMAND_S, Guard
from gateway.cache.location import RedisLocation
from gateway.cache.memory import MemoryCache
from gateway.cache.redis import RedisStore
from gateway.cache.sealed import SealedStore
from gateway.cache.tiered import TieredCache
from gateway.hashing import Secret


@asynccontextmanager
async def open_shared(
    location: RedisLocation, local: MemoryCache, secret: Secret, command_s: float = COMMAND_S
) -> AsyncIterator[TieredCache]:
    """The cache in front of the one at `location`, to which nothing is connected before it is asked."""
    guard = Guard(command_s=command_s, abandon_s=max(ABANDON_S, command_s))
    store = RedisStore(location, guard)
    try:
        yield TieredCache(local, SealedStore(store, secret), store)
    finally:
        await store.aclose()
