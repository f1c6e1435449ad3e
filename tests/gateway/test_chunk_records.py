"""gateway.chunk_records: scores of chunks to the last bit, each tenant's and scorer's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine

import numpy as np
import pytest

from compressor import CompressionParams, Engine
from compressor.types import Subject
from compressor.words import split
from gateway.cache.analyses import Analyses
from gateway.cache.memory import MemoryCache
from gateway.cached import CachedCompressor
from gateway.chunk_records import ChunkRecords, read_part
from gateway.hashing import Secret
from gateway.offload import Offload
from tests.compressor.fake_scorers import LocalScorer

PATIENCE_S = 30.0
SECRET = Secret(b"s" * 32)
ONE, OTHER = Subject(b"one", 3), Subject(b"other", 2)
PART = np.array([0.0, 1 / 3, 1.0], np.float32)


@pytest.fixture
async def offload() -> AsyncIterator[Offload]:
    offload = Offload(threads=1)
    yield offload
    offload.close()


@pytest.fixture
def cache() -> MemoryCache:
    return MemoryCache(1 << 20, lambda: 0.0)


class Kept:
    """The records of a tenant and a scorer; what runs in the background is waited for here."""

    def __init__(self, cache: MemoryCache, offload: Offload, tenant: str, fingerprint: str) -> None:
        self._begun: list[asyncio.Task[None]] = []
        self.records = ChunkRecords(cache, SECRET, offload, tenant, fingerprint, self._begin)

    def _begin(self, work: Coroutine[object, object, None]) -> None:
        self._begun.append(asyncio.create_task(work))

    async def settle(self) -> None:
        await asyncio.gather(*self._begun)


async def test_they_come_back_to_the_last_bit(cache: MemoryCache, offload: Offload) -> None:
    kept = Kept(cache, offload, "team", "scorer")
    kept.records.keep([ONE], [PART])
    await kept.settle()
    found, missing = await kept.records.find([ONE, OTHER])
    assert missing is None
    assert found is not None
    assert found.dtype == np.float32
    assert found.tobytes() == PART.tobytes()


@pytest.mark.parametrize(("tenant", "fingerprint"), [("others", "scorer"), ("team", "other")])
async def test_nobody_else_finds_them(
    cache: MemoryCache, offload: Offload, tenant: str, fingerprint: str
) -> None:
    kept = Kept(cache, offload, "team", "scorer")
    kept.records.keep([ONE], [PART])
    await kept.settle()
    assert await Kept(cache, offload, tenant, fingerprint).records.find([ONE]) == [None]


async def test_nothing_is_recorded_of_nothing(cache: MemoryCache, offload: Offload) -> None:
    kept = Kept(cache, offload, "team", "scorer")
    kept.records.keep([], [])
    await kept.settle()
    assert len(cache) == 0


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        PART[:2].tobytes(),
        np.array([0, 0.5, np.nan], "<f4").tobytes(),
        np.array([0, 0.5, 1.5], "<f4").tobytes(),
        np.array([-1, 0.5, 1], "<f4").tobytes(),
    ],
)
def test_what_cannot_be_the_chunks_is_a_miss(value: bytes | None) -> None:
    assert read_part(value, ONE) is None


async def test_an_edited_text_is_scored_where_it_was_edited(cache: MemoryCache, offload: Offload) -> None:
    scorer = LocalScorer(chunk_words=10)
    words = ["x" * (1 + i * i % 17 + i % 5) for i in range(800)]
    text, edited = " ".join(words), " ".join(["y" * 30, *words[1:]])
    params = CompressionParams(rate=0.5)
    async with Engine(scorer) as engine:
        cached = CachedCompressor(engine, cache, Analyses(1 << 20), SECRET, offload)
        [first] = await cached.compress([text], params, tenant="team")
        subjects = {chunk.subject for chunk in scorer.encode(text, split(text))}
        async with asyncio.timeout(PATIENCE_S):
            n_records = 3 + len(subjects)  # of the whole there are scores, findings and weights
            while len(cache) < n_records:  # noqa: ASYNC110  # a cache tells nobody
                await asyncio.sleep(0)
        scorer.n_scored = 0
        [second] = await cached.compress([edited], params, tenant="team")
    assert (first.cache, second.cache, scorer.n_scored) == ("miss", "miss", 1)
    async with Engine(LocalScorer(chunk_words=10)) as fresh:
        [alone] = await fresh.compress([edited], params)
    assert second.text == alone.text
