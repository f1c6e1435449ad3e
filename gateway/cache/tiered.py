"""The in-process cache first, the shared store behind it.

What the store answered is kept in process, so what was seen here before is not asked for again. A value put
goes to the store, and the one stored there first wins; a value put while the store is down is this process's
own, and is written behind when it is next used after the store is back.

Laws: a value this process has used stays as it is for this process; trouble of the store is a miss; TTLs
slide in the background, a few times in a TTL, and nobody waits for that.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from gateway.cache.guard import Counts
from gateway.cache.memory import MemoryCache
from gateway.cache.store import Held
from gateway.errors import CacheDown, CacheError
from gateway.trouble import Trouble

logger = logging.getLogger(__name__)

UPKEEP_S: Final = 1.0
MAX_DUE: Final = 20_000
"""Renewals that wait for the next upkeep; of those beyond, the next use reminds."""


class Behind(Protocol):
    """The shared store. Every method raises `CacheError` on trouble."""

    @property
    def n_unopened(self) -> int:
        """Values that were garbage."""

    async def get_many(self, keys: Sequence[bytes]) -> list[Held | None]:
        """What is held under each key, in order."""

    async def put_if_absent(self, key: bytes, value: bytes, ttl_s: float) -> Held:
        """Store unless there is a value; what is held then."""

    async def renew(self, ttls: Mapping[bytes, float]) -> list[bytes]:
        """Let keys live so many seconds from now; those that are not there any more."""


class Health(Protocol):
    """How the shared store is."""

    @property
    def degraded(self) -> str | None:
        """What is wrong, or None."""

    @property
    def counts(self) -> Counts:
        """What became of commands."""

    async def probe(self) -> None:
        """Find out whether it is well again."""


@dataclass(slots=True)
class TierCounts:
    """Where values came from, one a key."""

    local_hits: int = 0
    shared_hits: int = 0
    misses: int = 0
    lost: int = 0
    """Values in use here that the shared store had no more: evicted, or gone with a restart."""


class TieredCache:
    """A `gateway.types.Cache`."""

    def __init__(
        self, local: MemoryCache, behind: Behind, health: Health, now: Callable[[], float] = time.time
    ) -> None:
        self._local = local
        self._behind = behind
        self._health = health
        self._now = now
        self._due: dict[bytes, float] = {}
        self._trouble = Trouble(
            logger, "cache degraded, requests go on without it: %s", "cache answers again"
        )
        self._outages = 0
        """Those after which everything in use is written again."""
        self.counts = TierCounts()

    @property
    def degraded(self) -> str | None:
        """What is wrong with the shared store, or None."""
        return self._health.degraded

    @property
    def commands(self) -> Counts:
        """What became of the commands sent to the shared store."""
        return self._health.counts

    @property
    def n_unopened(self) -> int:
        """Values found there that were not sealed by us for their key."""
        return self._behind.n_unopened

    async def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """One value or None a key, in order."""
        values = await self._local.get_many(keys)
        self._note_due(keys)
        missing = [i for i, value in enumerate(values) if value is None]
        self.counts.local_hits += len(keys) - len(missing)
        if missing:
            for i, held in zip(missing, await self._ask([keys[i] for i in missing]), strict=True):
                values[i] = await self._keep(keys[i], held) if held is not None else None
        return values

    async def put_if_absent(self, key: bytes, value: bytes, ttl_s: float) -> bytes:
        """Store unless there is a value; returns what is in force."""
        [found] = await self._local.get_many((key,))
        if found is not None:
            self._note_due((key,))
            return found
        try:
            held = await self._behind.put_if_absent(key, value, ttl_s)
        except CacheError:  # ours until the store is back, and due from the first use on
            return await self._local.put_if_absent(key, value, ttl_s, age_s=ttl_s)
        return await self._keep(key, held)

    async def upkeep(self) -> None:
        """Say how the store is when that changes, probe it while it is not well, renew what is due."""
        await self._health.probe()
        trouble, outages = self._health.degraded, self._health.counts.outages
        if trouble is None and (self._trouble.last is not None or outages != self._outages):
            self._local.doubt_renewals()
            self._outages = outages
        self._trouble.see(trouble)
        if self._due:
            due, self._due = self._due, {}
            try:
                await self._renew(due)
            except CacheDown:
                self._local.doubt_renewals()
            except CacheError:
                pass  # refused: it would be the next time, too

    async def keep_up(self, every_s: float = UPKEEP_S) -> None:
        """Upkeep until cancelled."""
        while True:
            await self.upkeep()
            await asyncio.sleep(every_s)

    async def _ask(self, keys: Sequence[bytes]) -> Sequence[Held | None]:
        try:
            found: Sequence[Held | None] = await self._behind.get_many(keys)
        except CacheError:
            found = [None] * len(keys)
        n_found = sum(held is not None for held in found)
        self.counts.shared_hits += n_found
        self.counts.misses += len(keys) - n_found
        return found

    async def _keep(self, key: bytes, held: Held) -> bytes:
        """In process; what was there first is in force for this process."""
        age_s = max(0.0, self._now() - held.written_at)
        return await self._local.put_if_absent(key, held.value, held.ttl_s, age_s=age_s)

    def _note_due(self, keys: Sequence[bytes]) -> None:
        if len(self._due) < MAX_DUE:
            self._due |= self._local.take_due(keys)

    async def _renew(self, due: Mapping[bytes, float]) -> None:
        """What the store has no more is written to it again."""
        lost = await self._behind.renew(due)
        self.counts.lost += len(lost)
        for key, value in zip(lost, await self._local.get_many(lost), strict=True):
            if value is not None:
                await self._behind.put_if_absent(key, value, due[key])
