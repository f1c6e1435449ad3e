"""Opens the gate: the key store, the counters, and the gate itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from limits.aio.storage import Storage

from gateway.access.counters import Counters
from gateway.access.gate import Gate
from gateway.access.ring import KeyRing
from gateway.access.store import KeyStore
from gateway.hashing import Secret
from gateway.settings import Config
from gateway.types import Ledger


@asynccontextmanager
async def open_gate(config: Config, secret: Secret, ledger: Ledger) -> AsyncIterator[Gate]:
    """A gate over the configured keys. Raises ConfigError for a store that is not ours."""
    async with AsyncExitStack() as stack:
        store = KeyStore(config.key_store_url, config.ledger)
        stack.push_async_callback(asyncio.to_thread, store.close)
        ring = KeyRing(config.keys, store.load, time.monotonic)
        counters = Counters(secret, await _open_shared(config, stack))
        gate = Gate(ring, counters, requires_keys=config.requires_keys)
        stack.push_async_callback(gate.aclose)
        await gate.open(ledger)
        yield gate


async def _open_shared(config: Config, stack: AsyncExitStack) -> Storage | None:
    """Where replicas count together, or None."""
    if config.cache is None:
        return None
    from gateway.access.shared import open_counts

    return await stack.enter_async_context(open_counts(config.cache))
