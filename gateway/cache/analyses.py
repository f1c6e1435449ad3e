"""What was found in texts seen lately, and what their words weigh, as arrays: in this process alone.

Bounded in bytes, least recently used out first. What was found depends on the text and on what is protected
and forced, weights on the text and the tokenizer. Each is remembered by itself, so that another model family
needs new weights alone, and findings once more whatever is protected, so that other protection needs nothing
else anew. Those share their arrays; both are counted.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from compressor.analysis import Weights
from compressor.findings import Findings, Found

ENTRY_OVERHEAD = 2048
"""Bytes of the objects around the arrays."""
WEIGHTS_SHARE = 0.15
"""Of the bytes: 4 a word, where findings have 12 or so, twice."""

T = TypeVar("T")


class Kept(Generic[T]):
    """Values by keyed hash of tenant and text, and what they depend on besides. For one event loop."""

    def __init__(self, max_bytes: int, size_of: Callable[[T], int]) -> None:
        self._max_bytes = max_bytes
        self._size_of = size_of
        self._entries: OrderedDict[bytes, tuple[T, int]] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size_bytes(self) -> int:
        """Never above `max_bytes`."""
        return self._size

    def find(self, key: bytes) -> T | None:
        """What is remembered under the key."""
        found = self._entries.get(key)
        if found is None:
            return None
        self._entries.move_to_end(key)
        return found[0]

    def keep(self, key: bytes, value: T) -> None:
        """Remember, unless something is remembered or the value is larger than all there is room for."""
        if key in self._entries:
            return
        cost = self._size_of(value) + ENTRY_OVERHEAD
        if cost > self._max_bytes:
            return
        while self._size + cost > self._max_bytes:
            _, (_, least) = self._entries.popitem(last=False)
            self._size -= least
        self._entries[key] = value, cost
        self._size += cost


class Analyses:
    """Findings without their text, and weights."""

    def __init__(self, max_bytes: int) -> None:
        for_weights = int(max_bytes * WEIGHTS_SHARE)
        half = (max_bytes - for_weights) // 2
        self.findings: Kept[Found] = Kept(half, _size_of_findings)
        self.contents: Kept[Findings] = Kept(half, _size_of_findings)
        self.weights: Kept[Weights] = Kept(for_weights, lambda weights: weights.of_words.nbytes)


def _size_of_findings(found: Found) -> int:
    return found.size_bytes if isinstance(found, Findings) else 0
