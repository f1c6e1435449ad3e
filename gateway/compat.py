"""Fidelity compat in the gateway: the package's way, with probabilities recorded; the rest is another's work.

What is recorded under a keyed hash of tenant, fingerprint and token ids is the probability of every token, so
every rate shares one forward pass, and what was stored first wins (law 3). Results are no cuts of the text
but texts themselves, so they are recorded nowhere.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from compressor import Chunk, Compressed, CompressionParams, Compressor, CompressorError, ScoringError
from compressor.compat_chunks import Rows, Vocabulary
from compressor.compat_flow import compat_flow
from compressor.flow import advance, whole
from compressor.llmlingua2 import Probs
from compressor.types import CacheState
from gateway.hashing import Secret
from gateway.offload import Offload
from gateway.recorded import RECORDS_TTL_S
from gateway.run import too_late
from gateway.types import Cache

logger = logging.getLogger(__name__)


class RowSource(Protocol):
    """What gives probabilities: the engine."""

    @property
    def fingerprint(self) -> str:
        """Equal fingerprints give equal probabilities."""

    @property
    def vocabulary(self) -> Vocabulary:
        """Raises CompressorError where the scorer is none of LLMLingua-2."""

    async def score_rows(self, chunks: Sequence[Chunk], *, deadline_s: float | None = None) -> Probs:
        """The probabilities of every chunk's tokens. Raises ScoringError."""


class CompatCompressor:
    """A `Compressor` that answers fidelity compat itself and asks `native` for everything else."""

    def __init__(
        self, engine: RowSource, native: Compressor, cache: Cache, secret: Secret, offload: Offload
    ) -> None:
        self._engine = engine
        self._native = native
        self._cache = cache
        self._secret = secret
        self._offload = offload

    async def compress(
        self,
        texts: Sequence[str],
        params: CompressionParams,
        *,
        tenant: str = "",
        deadline_s: float | None = None,
    ) -> list[Compressed]:
        """One result a text, in order."""
        if params.fidelity == "native":
            return await self._native.compress(texts, params, tenant=tenant, deadline_s=deadline_s)
        work = (self._one(text, params, tenant, deadline_s) for text in texts)
        try:
            async with asyncio.timeout(deadline_s):
                return await asyncio.gather(*work)
        except TimeoutError:
            return await asyncio.to_thread(too_late, texts, params)

    async def _one(
        self, text: str, params: CompressionParams, tenant: str, deadline_s: float | None
    ) -> Compressed:
        cache: CacheState | None = None
        try:
            vocabulary = await asyncio.to_thread(lambda: self._engine.vocabulary)
            steps = compat_flow(text, params, vocabulary)
            step = await self._offload(len(text), advance, steps, None)
            while not isinstance(step, Compressed):
                cache, probs = await self._probabilities(step, tenant, deadline_s)
                step = await self._offload(len(text), advance, steps, probs)
        except ScoringError as error:
            return await self._offload(len(text), whole, text, params, error.skip)
        except CompressorError as error:  # a policy that was reloaded asks it of a scorer that cannot
            logger.error("a text goes on whole: %s", error)
            return await self._offload(len(text), whole, text, params, "scorer_down")
        return replace(step, cache=cache)

    async def _probabilities(
        self, chunks: list[Chunk], tenant: str, deadline_s: float | None
    ) -> tuple[CacheState, Probs]:
        """On record, else the engine's, which are recorded."""
        rows = [chunk.payload for chunk in chunks if isinstance(chunk.payload, Rows)]
        size = sum(row.ids.size for row in rows)
        key = await self._offload(size, self._key, rows, tenant)
        [recorded] = await self._cache.get_many([key])
        if (known := _read(recorded, rows)) is not None:
            return "hit", known
        scored = await self._engine.score_rows(chunks, deadline_s=deadline_s)
        stored = await self._cache.put_if_absent(key, _pack(scored), RECORDS_TTL_S)
        in_force = _read(stored, rows)
        return "miss", scored if in_force is None else in_force

    def _key(self, rows: Sequence[Rows], tenant: str) -> bytes:
        ids = b"".join(row.ids.astype("<i4").tobytes() for row in rows)
        return self._secret.keyed(b"compat", tenant.encode(), self._engine.fingerprint.encode(), ids)


def _pack(probs: Probs) -> bytes:
    return b"".join(flat.astype("<f4").tobytes() for flat in probs)


def _read(value: bytes | None, rows: Sequence[Rows]) -> Probs | None:
    """Recorded probabilities, if they can be those of the rows."""
    sizes = [int(row.mask.sum()) for row in rows]
    if value is None or len(value) != 4 * sum(sizes):
        return None
    flat = np.frombuffer(value, "<f4").astype(np.float32)
    if not bool(((flat >= 0) & (flat <= 1)).all()):
        return None
    return np.split(flat, np.cumsum(sizes)[:-1])
