"""Recorded scores of chunks, where those of a chunk depend on it alone: a `compressor.shelf.Shelf`.

Under a keyed hash of tenant, fingerprint and the chunk's own tokens, as the record of a whole text is. The
scores are kept as the scorer gave them, to the last bit: a text put together from records scores as one that
was scored at one go (law 3).
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np

from compressor.shelf import Part
from compressor.types import Subject
from gateway.hashing import Secret
from gateway.offload import Offload
from gateway.types import Cache

CHUNKS_TTL_S: Final = 24 * 3600.0
"""Texts are edited, and logs grow, while a conversation lasts."""


class InBackground(Protocol):
    """Takes work that nobody waits for."""

    def __call__(self, work: Coroutine[object, object, None], /) -> object:
        """Begin it."""


@dataclass(frozen=True, slots=True, eq=False)
class ChunkRecords:
    """Those of one tenant by one scorer."""

    cache: Cache
    secret: Secret
    offload: Offload
    tenant: str
    fingerprint: str
    in_background: InBackground

    async def find(self, subjects: Sequence[Subject]) -> list[Part | None]:
        """What is on record, and can be of such a chunk."""
        values = await self.cache.get_many(await self._named(subjects))
        return [read_part(value, subject) for value, subject in zip(values, subjects, strict=True)]

    def keep(self, subjects: Sequence[Subject], parts: Sequence[Part]) -> None:
        """Record them; who was first stays."""
        if subjects:
            self.in_background(self._record(subjects, parts))

    async def _record(self, subjects: Sequence[Subject], parts: Sequence[Part]) -> None:
        for key, part in zip(await self._named(subjects), parts, strict=True):
            await self.cache.put_if_absent(key, part.astype("<f4").tobytes(), CHUNKS_TTL_S)

    async def _named(self, subjects: Sequence[Subject]) -> list[bytes]:
        return await self.offload(sum(len(subject.content) for subject in subjects), self._keys, subjects)

    def _keys(self, subjects: Sequence[Subject]) -> list[bytes]:
        of = self.secret.keyed(b"chunks", self.tenant.encode(), self.fingerprint.encode())
        return [self.secret.keyed(b"chunk", of, subject.content) for subject in subjects]


def read_part(value: bytes | None, subject: Subject) -> Part | None:
    """A record if it can be the chunk's scores, else None."""
    if value is None or len(value) != 4 * subject.n_scores:
        return None
    part: np.ndarray[Any, np.dtype[np.float32]] = np.frombuffer(value, "<f4").astype(np.float32)
    is_sound = bool(((part >= 0) & (part <= 1)).all())  # a NaN is neither
    return part if is_sound else None
