"""What lies behind the in-process cache: a store of bytes outside this process, and what it holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Held:
    """A value that the store holds."""

    value: bytes
    ttl_s: float
    """It lives so long after it was last renewed."""
    written_at: float
    """Unix seconds; by the clock of the replica that wrote it."""


class Store(Protocol):
    """Keyed bytes outside this process. Every method raises `CacheError` on trouble."""

    async def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """One value or None a key, in order."""

    async def put_if_absent(self, key: bytes, value: bytes, ttl_s: float) -> bytes:
        """Store unless there is something; what is stored then, or nothing where that is no value."""

    async def replace(self, key: bytes, unwanted: bytes, value: bytes, ttl_s: float) -> bytes:
        """Store where `unwanted` still is, or nothing; what is stored then."""

    async def renew(self, ttls: Mapping[bytes, float]) -> list[bytes]:
        """Let keys live so many seconds from now; those that are not there any more."""
