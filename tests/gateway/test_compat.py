"""gateway.compat: one forward pass for all rates, records that fit are believed, trouble is a skip."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from compressor import Chunk, Compressed, CompressionParams, Compressor, Engine, ModelError, ScorerDown
from compressor.compat_chunks import Vocabulary
from compressor.llmlingua2 import Probs
from compressor.scorers.classifier import ClassifierScorer
from gateway.cache.memory import MemoryCache
from gateway.compat import CompatCompressor, RowSource
from gateway.config import load as load_config
from gateway.hashing import Secret
from gateway.offload import Offload
from gateway.services import load
from tests.compressor.compat import models
from tests.compressor.compat.texts import CORPUS
from tests.gateway.pipeline import PureCompressor, pipeline, policy_set

SECRET = Secret(b"s" * 32)
COMPAT = CompressionParams(rate=0.5, fidelity="compat")


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> ClassifierScorer:
    folder = models.build(models.FAMILIES[1], tmp_path_factory.mktemp("compat"))
    return ClassifierScorer.load(str(folder), "cpu", "fp32")


class Counted:
    """A source of rows that counts, waits or fails as it is told."""

    fingerprint = "tiny"

    def __init__(self, scorer: ClassifierScorer) -> None:
        self._scorer = scorer
        self.n_passes = 0
        self.is_stuck = self.is_down = self.is_other = False

    @property
    def vocabulary(self) -> Vocabulary:
        if self.is_other:
            raise ModelError("of another family")
        return self._scorer.compat

    async def score_rows(self, chunks: Sequence[Chunk], *, deadline_s: float | None = None) -> Probs:
        self.n_passes += 1
        if self.is_down:
            raise ScorerDown("no")
        if self.is_stuck:
            await asyncio.Event().wait()
        return self._scorer.forward(chunks)


@pytest.fixture
def source(scorer: ClassifierScorer) -> Counted:
    return Counted(scorer)


@pytest.fixture
def cache() -> MemoryCache:
    return MemoryCache(1 << 20, lambda: 0.0)


@pytest.fixture
async def offload() -> AsyncIterator[Offload]:
    offload = Offload(threads=1)
    yield offload
    offload.close()


@pytest.fixture
def compressor(source: Counted, cache: MemoryCache, offload: Offload) -> Compressor:
    checked: RowSource = source
    return CompatCompressor(checked, PureCompressor(), cache, SECRET, offload)


async def test_every_rate_shares_one_pass(
    compressor: Compressor, source: Counted, scorer: ClassifierScorer
) -> None:
    half, third = COMPAT, CompressionParams(rate=0.33, fidelity="compat")
    [first] = await compressor.compress([CORPUS], half, tenant="t")
    [second] = await compressor.compress([CORPUS], third, tenant="t")
    assert (first.cache, second.cache, source.n_passes) == ("miss", "hit", 1)
    async with Engine(scorer) as engine:
        assert [first.text] == [result.text for result in await engine.compress([CORPUS], half)]
        assert [second.text] == [result.text for result in await engine.compress([CORPUS], third)]


@pytest.mark.parametrize("text", [CORPUS, CORPUS[:90]])
async def test_other_tenants_do_not_share_it(compressor: Compressor, source: Counted, text: str) -> None:
    results = [await compressor.compress([text], COMPAT, tenant=tenant) for tenant in ("t", "u")]
    assert [result.cache for [result] in results] == ["miss", "miss"]
    assert source.n_passes == 2


NAN = b"\xff\xff\xff\x7f"


@pytest.mark.parametrize("garbage", [b"", b"xyz", NAN])
async def test_garbage_on_record_is_not_believed(
    source: Counted, offload: Offload, garbage: bytes, scorer: ClassifierScorer
) -> None:
    class Garbage(MemoryCache):
        async def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
            return [garbage for _ in keys]

        async def put_if_absent(self, key: bytes, value: bytes, ttl_s: float, *, age_s: float = 0.0) -> bytes:
            return garbage * (len(value) // 4) if garbage == NAN else garbage

    cache = Garbage(1 << 20, lambda: 0.0)
    compressor = CompatCompressor(source, PureCompressor(), cache, SECRET, offload)
    [result] = await compressor.compress([CORPUS], COMPAT)
    async with Engine(scorer) as engine:
        [expected] = await engine.compress([CORPUS], COMPAT)
    assert (result.text, result.cache) == (expected.text, "miss")


async def test_what_is_native_is_anothers(compressor: Compressor, source: Counted) -> None:
    params = CompressionParams(rate=0.5)
    assert [one.text for one in await compressor.compress([CORPUS], params)] == [
        one.text for one in await PureCompressor().compress([CORPUS], params)
    ]
    assert source.n_passes == 0


@pytest.mark.parametrize("trouble", ["is_down", "is_other"])
async def test_trouble_leaves_texts_whole(compressor: Compressor, source: Counted, trouble: str) -> None:
    setattr(source, trouble, True)
    [result] = await compressor.compress([CORPUS], COMPAT)
    assert (result.text, result.skip) == (CORPUS, "scorer_down")


async def test_a_deadline_leaves_texts_whole(compressor: Compressor, source: Counted) -> None:
    source.is_stuck = True
    [result] = await compressor.compress([CORPUS], COMPAT, deadline_s=0.02)
    assert (result.text, result.skip) == (CORPUS, "deadline")


def test_policies_are_not_loaded_for_a_scorer_that_cannot(tmp_path: Path) -> None:
    policies = tmp_path / "policies.yaml"
    policies.write_text("policies:\n  - name: a\n    params: {fidelity: compat}\n")
    config = load_config(None, {}, {"policies": str(policies)})
    with pytest.raises(ValueError, match="fidelity is 'compat', which the scorer embedded"):
        load(config)


class Rewriter:
    """A compressor that puts one text in the place of every other."""

    async def compress(
        self,
        texts: Sequence[str],
        params: CompressionParams,
        *,
        tenant: str = "",
        deadline_s: float | None = None,
    ) -> list[Compressed]:
        assert params.fidelity == "compat"
        none = np.empty((0, 2), np.int32)
        return [Compressed('a "new" text', 9, 5, none, is_rewritten=True) for _ in texts]


async def test_a_request_goes_on_with_the_new_texts() -> None:
    policies = policy_set({"name": "a", "params": {"fidelity": "compat"}})
    body = b'{"model": "gpt-5", "messages": [{"role": "user", "content": "the \\u006fld text"}], "n": 1}'
    sent = await pipeline(policies, Rewriter()).forward(body)
    assert sent == body.replace(b"the \\u006fld text", b'a \\"new\\" text')
