"""Keyed bytes in this process: bounded in bytes, least recently used out first, sliding TTL.

The first writer wins for as long as its entry lives. Made for one event loop: no method awaits inside,
so each is atomic.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

RENEW_SHARE = 0.25
"""Of its TTL: how long an entry may go on living here before it is renewed where it came from."""
ENTRY_OVERHEAD = 256
"""Bytes an entry costs besides key and value, measured on CPython 3.11 (see the test)."""


@dataclass(slots=True)
class _Kept:
    value: bytes
    ttl_s: float
    expires_at: float
    renewed_at: float
    """When it was last written or renewed in the store behind this one, if there is one."""


class MemoryCache:
    """A `gateway.types.Cache`."""

    def __init__(self, max_bytes: int, clock: Callable[[], float]) -> None:
        if max_bytes < 0:
            raise ValueError(f"max_bytes is {max_bytes}: must be 0 (nothing is kept) or more")
        self._max_bytes = max_bytes
        self._clock = clock
        self._entries: OrderedDict[bytes, _Kept] = OrderedDict()
        self._size = 0
        self._doubted_at = -math.inf
        """Renewals up to this moment count for nothing."""

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size_bytes(self) -> int:
        """What the entries cost by our count; never above `max_bytes`."""
        return self._size

    async def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """One value or None a key, in order."""
        now = self._clock()
        return [self._find(key, now) for key in keys]

    async def put_if_absent(self, key: bytes, value: bytes, ttl_s: float, *, age_s: float = 0.0) -> bytes:
        """Store unless there is a value; returns what is stored, or `value` if it is too large to be.

        `age_s` is how long ago the value was written to the store behind this one.
        """
        now = self._clock()
        found = self._find(key, now)
        if found is not None:
            return found
        cost = _cost(key, value)
        if cost <= self._max_bytes:
            self._make_room(cost, now)
            self._entries[key] = _Kept(value, ttl_s, now + ttl_s, now - age_s)
            self._size += cost
        return value

    def take_due(self, keys: Iterable[bytes]) -> dict[bytes, float]:
        """Those of the keys that are due in the store behind, with their TTLs; they count as renewed now."""
        now = self._clock()
        due = {}
        for key in keys:
            kept = self._entries.get(key)
            if kept is not None and (
                kept.renewed_at + RENEW_SHARE * kept.ttl_s <= now or kept.renewed_at <= self._doubted_at
            ):
                kept.renewed_at = now
                due[key] = kept.ttl_s
        return due

    def doubt_renewals(self) -> None:
        """The store behind may have lost everything: every entry is due when it is next used."""
        self._doubted_at = self._clock()

    def _find(self, key: bytes, now: float) -> bytes | None:
        kept = self._entries.get(key)
        if kept is None:
            return None
        if kept.expires_at <= now:
            self._drop(key)
            return None
        kept.expires_at = now + kept.ttl_s
        self._entries.move_to_end(key)
        return kept.value

    def _make_room(self, cost: int, now: float) -> None:
        """Drop the least recently used until `cost` fits, and expired ones at that end in any case."""
        while self._entries:
            oldest = next(iter(self._entries))
            if self._size + cost <= self._max_bytes and self._entries[oldest].expires_at > now:
                return
            self._drop(oldest)

    def _drop(self, key: bytes) -> None:
        self._size -= _cost(key, self._entries.pop(key).value)


def _cost(key: bytes, value: bytes) -> int:
    return len(key) + len(value) + ENTRY_OVERHEAD
