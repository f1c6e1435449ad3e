"""Opens the shared cache: Redis, sealed, behind a tier in this process. Imported only where there is one."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from gateway.cache.guard import ABANDON_S, COMMAND_S, Guard
from gateway.cache.location import RedisLocation, Tls
from gateway.cache.memory import MemoryCache
from gateway.cache.redis import RedisStore
from gateway.cache.sealed import SealedStore
from gateway.cache.tiered import TieredCache
from gateway.errors import ConfigError
from gateway.hashing import Secret


def check_files(tls: Tls) -> None:
    """Raises ConfigError: else every connection would fail, and that looks like a server that is away."""
    context = ssl.create_default_context()
    files: tuple[tuple[str, str | None, Callable[[str], None]], ...] = (
        ("ca", tls.ca, context.load_verify_locations),
        ("cert", tls.cert, lambda cert: context.load_cert_chain(cert, tls.key)),
    )
    for name, path, load in files:
        try:
            if path is not None:
                load(path)
        except OSError as error:  # as ssl.SSLError is
            why = error.strerror if type(error) is not ssl.SSLError else "no certificate, or not its key"
            raise ConfigError(f"cache: ?{name}={path}: cannot be used ({why}); correct the file") from error


@asynccontextmanager
async def open_shared(
    location: RedisLocation, local: MemoryCache, secret: Secret, command_s: float = COMMAND_S
) -> AsyncIterator[TieredCache]:
    """The cache in front of the one at `location`, to which nothing is connected before it is asked.

    Raises ConfigError for files of TLS that cannot be used.
    """
    check_files(location.tls or Tls())
    guard = Guard(command_s=command_s, abandon_s=max(ABANDON_S, command_s))
    store = RedisStore(location, guard)
    try:
        yield TieredCache(local, SealedStore(store, secret), store)
    finally:
        await store.aclose()
