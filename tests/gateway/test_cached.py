"""gateway.cached: one forward pass a text, whatever is asked of it; the store's word is final."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from compressor import (
    CompressionParams,
    DeadlineExceeded,
    ScorerDown,
    ScoreRequest,
    ScoringError,
    counter,
)
from compressor.analysis import Weights
from compressor.engine import Late
from compressor.packed import pack
from compressor.types import SCORE_ONE, Scores
from compressor.words import split
from gateway.cache.analyses import Analyses
from gateway.cache.memory import MemoryCache
from gateway.cached import TURN_CHARACTERS, CachedCompressor
from gateway.hashing import Secret
from gateway.offload import Offload, P, T
from gateway.recorded import pack_weights
from gateway.types import Cache

TEXT = " ".join(f"sentence number {i} about the very same subject" for i in range(40))
HALF = CompressionParams(rate=0.5)


class FakeEngine:
    """Scores by word length; counts; answers with an error, or late, when told to."""

    fingerprint = "fake-1"

    def __init__(self) -> None:
        self.n_scored = 0
        self.error: ScoringError | None = None
        self.hold: asyncio.Event | None = None
        self.late: Late | None = None

    async def score(
        self, requests: Sequence[ScoreRequest], *, deadline_s: float | None = None, late: Late | None = None
    ) -> list[Scores | ScoringError]:
        if self.hold is not None:
            await self.hold.wait()
        self.late = late
        if self.error is not None:
            return [self.error for _ in requests]
        self.n_scored += len(requests)
        return [by_length(request) for request in requests]


def by_length(request: ScoreRequest) -> Scores:
    scores: Scores = np.minimum((request.words.ends - request.words.starts) * 100, SCORE_ONE).astype(
        np.uint16
    )
    return scores


class OtherReplicasCache:
    """A store in which another replica was always first, or which holds garbage."""

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self._answer = answer

    async def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return [None for _ in keys]

    async def put_if_absent(self, key: bytes, value: bytes, ttl_s: float) -> bytes:
        return self._answer(value)


class RecordingCache:
    """A store one can look into."""

    def __init__(self) -> None:
        self.kept: dict[bytes, bytes] = {}

    async def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return [self.kept.get(key) for key in keys]

    async def put_if_absent(self, key: bytes, value: bytes, ttl_s: float) -> bytes:
        return self.kept.setdefault(key, value)


@pytest.fixture
async def offload() -> AsyncIterator[Offload]:
    offload = Offload(threads=1)
    yield offload
    offload.close()


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


def compressor_with(
    engine: FakeEngine, cache: Cache, offload: Offload, analyses: Analyses | None = None
) -> CachedCompressor:
    analyses = Analyses(1 << 20) if analyses is None else analyses
    return CachedCompressor(engine, cache, analyses, Secret(b"s" * 32), offload)


@pytest.fixture
def cached(engine: FakeEngine, offload: Offload) -> CachedCompressor:
    return compressor_with(engine, MemoryCache(1 << 20, lambda: 0.0), offload)


async def test_every_rate_shares_one_forward_pass(cached: CachedCompressor, engine: FakeEngine) -> None:
    [first] = await cached.compress([TEXT], HALF)
    [second] = await cached.compress([TEXT], CompressionParams(rate=0.7))
    assert (first.cache, second.cache, engine.n_scored) == ("miss", "hit", 1)
    assert len(first.text) < len(second.text) < len(TEXT)


STRUCTURED = "```\n" + TEXT + "\n```"
BOTH = [TEXT, STRUCTURED]


async def expected_of(texts: list[str], params: CompressionParams, offload: Offload) -> list[str]:
    """What a compressor that knows nothing makes of the texts."""
    fresh = compressor_with(FakeEngine(), RecordingCache(), offload)
    return [result.text for result in await fresh.compress(texts, params)]


async def test_a_new_rate_needs_nothing_new(offload: Offload, engine: FakeEngine) -> None:
    cache, analyses = RecordingCache(), Analyses(1 << 20)
    cached = compressor_with(engine, cache, offload, analyses)
    await cached.compress(BOTH, HALF)
    await asyncio.sleep(0)
    assert len(cache.kept) == 5, "findings and weights of both, scores of the one that wanted some"
    assert (len(analyses.findings), len(analyses.weights)) == (2, 2)
    more = await cached.compress(BOTH, CompressionParams(rate=0.7))
    assert (len(cache.kept), len(analyses.findings), len(analyses.weights)) == (5, 2, 2)
    assert [(result.cache, result.skip) for result in more] == [("hit", None), (None, "structured")]
    assert [result.text for result in more] == await expected_of(BOTH, CompressionParams(rate=0.7), offload)


async def test_another_tokenizer_needs_new_weights_alone(offload: Offload, engine: FakeEngine) -> None:
    cache, analyses = RecordingCache(), Analyses(1 << 20)
    cached = compressor_with(engine, cache, offload, analyses)
    other = CompressionParams(rate=0.5, tokenizer="cl100k_base")
    await cached.compress(BOTH, HALF)
    results = await cached.compress(BOTH, other)
    await asyncio.sleep(0)
    assert (len(cache.kept), len(analyses.findings), len(analyses.weights)) == (7, 2, 4)
    assert [result.text for result in results] == await expected_of(BOTH, other, offload)


async def test_other_force_rules_need_new_findings_alone(offload: Offload, engine: FakeEngine) -> None:
    cache, analyses = RecordingCache(), Analyses(1 << 20)
    cached = compressor_with(engine, cache, offload, analyses)
    other = CompressionParams(rate=0.5, force_tokens=("subject",))
    await cached.compress(BOTH, HALF)
    results = await cached.compress(BOTH, other)
    await asyncio.sleep(0)
    assert (len(cache.kept), len(analyses.findings), len(analyses.weights)) == (7, 4, 2)
    assert [result.text for result in results] == await expected_of(BOTH, other, offload)
    assert engine.n_scored == 1


OTHER_PROTECTION = replace(HALF, protect=replace(HALF.protect, urls=False))


async def test_other_protection_needs_nothing_else_anew(offload: Offload, engine: FakeEngine) -> None:
    cache, analyses = RecordingCache(), Analyses(1 << 20)
    cached = compressor_with(engine, cache, offload, analyses)
    await cached.compress(BOTH, HALF)
    results = await cached.compress(BOTH, OTHER_PROTECTION)
    await asyncio.sleep(0)
    kinds = (cache.kept, analyses.findings, analyses.contents, analyses.weights)
    assert [len(kept) for kept in kinds] == [7, 4, 1, 2]
    assert [result.text for result in results] == await expected_of(BOTH, OTHER_PROTECTION, offload)
    assert engine.n_scored == 1


async def test_contents_remembered_are_not_found_anew(offload: Offload, engine: FakeEngine) -> None:
    cache, first, second = RecordingCache(), Analyses(1 << 20), Analyses(1 << 20)
    await compressor_with(engine, cache, offload, first).compress([TEXT], HALF)
    [(key, (contents, _))] = first.contents._entries.items()
    second.contents.keep(key, replace(contents, forced=contents.forced | True))
    [result] = await compressor_with(engine, cache, offload, second).compress([TEXT], OTHER_PROTECTION)
    assert (result.text, result.skip) == (TEXT, "no_gain")


class CountingCache(RecordingCache):
    """Says what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []

    async def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        self.asked.append(len(keys))
        return await super().get_many(keys)


async def test_another_replica_starts_from_what_is_on_record(offload: Offload) -> None:
    cache, first, second = CountingCache(), FakeEngine(), FakeEngine()
    await compressor_with(first, cache, offload).compress(BOTH, HALF)
    await asyncio.sleep(0)
    recorded = dict(cache.kept)
    second.error = ScorerDown("must not be asked")
    results = await compressor_with(second, cache, offload).compress(BOTH, HALF)
    assert cache.asked == [6, 6], "scores, findings and weights of both texts at one go"
    assert cache.kept == recorded
    assert [result.cache for result in results] == ["hit", None]
    assert [result.text for result in results] == await expected_of(BOTH, HALF, offload)


async def test_findings_on_record_are_used_and_not_made_anew(engine: FakeEngine, offload: Offload) -> None:
    cache = RecordingCache()
    await compressor_with(engine, cache, offload).compress([TEXT], HALF)
    await asyncio.sleep(0)
    [key] = [key for key, value in cache.kept.items() if value[:1] == b"\0"]
    cache.kept[key] = pack("structured", TEXT)
    [result] = await compressor_with(engine, cache, offload).compress([TEXT], HALF)
    assert (result.text, result.skip) == (TEXT, "structured")


async def test_weights_of_other_words_are_a_miss(engine: FakeEngine, offload: Offload) -> None:
    cache = RecordingCache()
    await compressor_with(engine, cache, offload).compress([TEXT], HALF)
    await asyncio.sleep(0)
    n_words, origin_tokens = len(split(TEXT)), counter(HALF.tokenizer).count(TEXT)
    [key] = [key for key, value in cache.kept.items() if len(value) == 5 + n_words]
    cache.kept[key] = pack_weights(Weights(origin_tokens, np.ones(n_words - 1, np.int32)))
    [result] = await compressor_with(engine, cache, offload).compress([TEXT], HALF)
    assert (result.cache, [result.text]) == ("hit", await expected_of([TEXT], HALF, offload))


async def test_texts_too_short_are_not_looked_up(engine: FakeEngine, offload: Offload) -> None:
    cache = CountingCache()
    cached = compressor_with(engine, cache, offload)
    [result] = await cached.compress(["one two three"], CompressionParams(min_tokens=15))
    assert (result.skip, cache.asked) == ("short", [])
    [result] = await cached.compress(["one two three"], CompressionParams(min_tokens=5))
    assert (result.skip, cache.asked) == ("short", [3]), "13 characters may be 5 tokens"


async def test_texts_with_marks_are_analysed_anew(cached: CachedCompressor, engine: FakeEngine) -> None:
    marked = f"<pith keep>never drop this</pith> {TEXT}"
    params = CompressionParams(rate=0.3, marks=True)
    [first], [second] = await cached.compress([marked], params), await cached.compress([marked], params)
    assert first.text == second.text
    assert first.text.startswith("never drop this ")
    assert (second.cache, engine.n_scored) == ("hit", 1)


async def test_tenants_and_fingerprints_share_nothing(cached: CachedCompressor, engine: FakeEngine) -> None:
    await cached.compress([TEXT], HALF, tenant="a")
    await cached.compress([TEXT], HALF, tenant="b")
    assert engine.n_scored == 2
    engine.fingerprint = "fake-2"
    [again] = await cached.compress([TEXT], HALF, tenant="a")
    assert (again.cache, engine.n_scored) == ("miss", 3)


async def test_texts_that_need_no_scores_ask_for_none(cached: CachedCompressor, engine: FakeEngine) -> None:
    results = await cached.compress(["", "short", "```\n" + TEXT + "\n```"], CompressionParams(min_tokens=5))
    assert [result.skip for result in results] == ["short", "short", "structured"]
    assert engine.n_scored == 0


async def test_trouble_is_a_reason_on_the_result(cached: CachedCompressor, engine: FakeEngine) -> None:
    engine.error = ScorerDown("lost")
    [result] = await cached.compress([TEXT], HALF)
    assert (result.text, result.skip) == (TEXT, "scorer_down")


async def test_what_the_store_holds_is_what_is_used(engine: FakeEngine, offload: Offload) -> None:
    def reverse(value: bytes) -> bytes:
        return value[:1] + (SCORE_ONE - np.frombuffer(value, "<u2", offset=1)).astype("<u2").tobytes()

    own = compressor_with(engine, OtherReplicasCache(lambda value: value), offload)
    others = compressor_with(engine, OtherReplicasCache(reverse), offload)
    [mine], [theirs] = await own.compress([TEXT], HALF), await others.compress([TEXT], HALF)
    assert mine.text != theirs.text


@pytest.mark.parametrize("garbage", [b"", b"1", b"2" + b"\0" * 400, b"1" + b"\xff" * 700, b"1abc"])
async def test_garbage_in_the_store_is_a_miss(engine: FakeEngine, offload: Offload, garbage: bytes) -> None:
    spoilt = compressor_with(engine, OtherReplicasCache(lambda value: garbage), offload)
    [result] = await spoilt.compress([TEXT], HALF)
    assert [result.text] == await expected_of([TEXT], HALF, offload)
    cache = RecordingCache()
    await compressor_with(engine, cache, offload).compress([TEXT], HALF)
    await asyncio.sleep(0)
    cache.kept = dict.fromkeys(cache.kept, garbage)
    [result] = await compressor_with(engine, cache, offload).compress([TEXT], HALF)
    assert (result.cache, engine.n_scored) == ("miss", 3)
    assert [result.text] == await expected_of([TEXT], HALF, offload)


async def test_scores_that_come_late_serve_the_next_request(
    cached: CachedCompressor, engine: FakeEngine
) -> None:
    engine.error = DeadlineExceeded("too late")
    [result] = await cached.compress([TEXT], HALF)
    assert result.skip == "deadline"
    assert engine.late is not None
    engine.late(0, by_length(ScoreRequest(TEXT, split(TEXT))))
    engine.error = ScorerDown("must not be asked again")
    [again] = await cached.compress([TEXT], HALF)
    assert (again.cache, again.skip) == ("hit", None)


async def test_the_deadline_holds_although_the_engine_does_not_answer(
    cached: CachedCompressor, engine: FakeEngine
) -> None:
    engine.hold = asyncio.Event()
    [result] = await cached.compress([TEXT], HALF, deadline_s=0.01)
    assert (result.text, result.skip) == (TEXT, "deadline")
    engine.hold.set()
    [again] = await cached.compress([TEXT], HALF)
    assert again.skip is None


async def test_the_cache_holds_no_text(engine: FakeEngine, offload: Offload) -> None:
    stored: list[bytes] = []

    def keep(value: bytes) -> bytes:
        stored.append(value)
        return value

    await compressor_with(engine, OtherReplicasCache(keep), offload).compress([TEXT], HALF)
    await asyncio.sleep(0)
    assert len(stored) == 3
    assert not any(b"sentence" in value for value in stored)


class CountingOffload(Offload):
    """Counts the turns on the thread."""

    def __init__(self) -> None:
        super().__init__(threads=1)
        self.sizes: list[int] = []

    async def __call__(self, size: int, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        self.sizes.append(size)
        return await super().__call__(size, function, *args, **kwargs)


async def test_many_texts_leave_the_thread_to_others_between_turns(engine: FakeEngine) -> None:
    texts = [f"{i} {TEXT} " * 60 for i in range(9)]  # two a turn
    assert 2 * len(texts[0]) > TURN_CHARACTERS > len(texts[0])
    offload = CountingOffload()
    cached = compressor_with(engine, MemoryCache(1 << 20, lambda: 0.0), offload)
    results = await cached.compress(texts, HALF)
    offload.close()
    assert [result.skip for result in results] == [None] * 9
    assert [result.text[0] for result in results] == list("012345678")
    assert len(offload.sizes) == 1 + 2 * 5  # keys, and five turns before and after the scores
