"""Analyses of texts seen lately, in this process: bounded in bytes, least recently used out first.

They never leave the process. They say what is protected, and nothing after them would notice if another hand,
or another version, had written them.
"""

from __future__ import annotations

from collections import OrderedDict

from compressor.remembered import Remembered

ENTRY_OVERHEAD = 2048
"""Bytes of the objects around the arrays."""


class Analyses:
    """By keyed hash of tenant, text and parameters. For one event loop."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._entries: OrderedDict[bytes, Remembered] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size_bytes(self) -> int:
        """Never above `max_bytes`."""
        return self._size

    def find(self, key: bytes) -> Remembered | None:
        """What is remembered under the key."""
        found = self._entries.get(key)
        if found is not None:
            self._entries.move_to_end(key)
        return found

    def keep(self, key: bytes, remembered: Remembered) -> None:
        """Remember, unless it is remembered or larger than all there is room for."""
        cost = _cost(remembered)
        if key in self._entries or cost > self._max_bytes:
            return
        while self._size + cost > self._max_bytes:
            _, oldest = self._entries.popitem(last=False)
            self._size -= _cost(oldest)
        self._entries[key] = remembered
        self._size += cost


def _cost(remembered: Remembered) -> int:
    return remembered.size_bytes + ENTRY_OVERHEAD
