"""Opens the gate: the key store, the counters, and the gate itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

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
    store = KeyStore(config.key_store_url, config.ledger)
    ring = KeyRing(config.keys, store.load, time.monotonic)
    gate = Gate(ring, Counters(secret), requires_keys=config.requires_keys)
    try:
        await gate.open(ledger)
        yield gate
    finally:
        await gate.aclose()
        await asyncio.to_thread(store.close)
