"""The virtual keys in force, in memory: those of the configuration, and a copy of the store's.

The copy is made anew every few seconds, off the event loop. When the store fails, the last copy holds for
`HOLD_S`; after that the store's keys are neither known nor unknown, and `find` says so (closed). Keys of the
configuration do not depend on it.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from gateway.access.keys import VirtualKey, digest_of, id_of
from gateway.errors import ConfigError, KeyStoreError

HOLD_S: Final = 60.0
"""How long the last copy of the store is trusted."""

_NO_ONE: Final = bytes(32)
"""Compared with where there is no such key, so that it takes the same time."""

Load = Callable[[], Iterable[VirtualKey]]
"""Reads the store; blocks. Raises KeyStoreError."""


class StaleKeys(KeyStoreError):
    """The store has not answered for too long."""


class KeyRing:
    """Looks keys up by their public id and compares the rest in constant time."""

    def __init__(
        self,
        configured: Iterable[VirtualKey],
        load: Load,
        clock: Callable[[], float],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._configured = {key.id: key for key in configured}
        self._stored: Mapping[str, VirtualKey] = {}
        self._load = load
        self._clock = clock
        self._now = now
        self._loaded_at: float | None = None
        self._problem: str | None = None

    @property
    def degraded(self) -> str | None:
        """Why the store's keys are not up to date, or None."""
        return self._problem

    @property
    def keys(self) -> list[VirtualKey]:
        """Every key known."""
        return [*({**self._stored, **self._configured}).values()]

    def refresh(self) -> None:
        """Copy the store. Blocks; trouble is in `degraded`. Raises ConfigError for one that is not ours."""
        began_at = self._clock()
        try:
            self._stored = {key.id: key for key in self._load()}
        except KeyStoreError as error:
            self._problem = str(error)
        except ConfigError as error:
            self._problem = str(error)
            raise
        else:
            self._loaded_at, self._problem = began_at, None

    def find(self, credential: bytes) -> VirtualKey | None:
        """The key in force, or None for one that is unknown, wrong or expired. Raises StaleKeys."""
        key_id = id_of(credential)
        key = self._configured.get(key_id) or self._stored.get(key_id)
        is_right = hmac.compare_digest(digest_of(credential), key.digest if key else _NO_ONE)
        if key_id not in self._configured and self._is_stale():
            raise StaleKeys("the key store has not answered for too long")
        return key if key is not None and is_right and not key.is_expired(self._now()) else None

    def _is_stale(self) -> bool:
        return self._loaded_at is None or self._clock() - self._loaded_at > HOLD_S
