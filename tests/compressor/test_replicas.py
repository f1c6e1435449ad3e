"""Several devices: who gets a text, who is avoided, and that all are answered."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pytest
from numpy.typing import NDArray

from compressor.batcher import Batcher
from compressor.engine import Engine
from compressor.errors import ModelError, Overloaded, ScorerDown
from compressor.flow import ScoreRequest
from compressor.pause import PAUSE_MAX_S, PAUSE_S
from compressor.replicas import Replicas, Replicated, by_device
from compressor.types import Chunk, Scorer
from compressor.words import split
from compressor.worker import Worker
from tests.compressor.fake_scorers import FailingScorer, GatedScorer, LengthScorer
from tests.compressor.test_worker import LONG_S, Clock, chunk, values

TEXTS = [f"text number {at} with some words" for at in range(20)]


class Reporting(LengthScorer):
    """Says by itself how it is."""

    trouble: str | None = None
    n_restarts = 3


@contextmanager
def replicas(
    *scorers: Scorer, clock: Clock | None = None, max_queue_tokens: int = 1000
) -> Iterator[Replicas]:
    clock = clock or Clock()
    made = Replicas(
        {
            f"gpu{at}": Worker(scorer, Batcher(100, max_queue_tokens), clock)
            for at, scorer in enumerate(scorers)
        },
        clock,
    )
    made.start()
    yield made
    for scorer in scorers:
        if isinstance(scorer, GatedScorer):
            scorer.gate.set()
    made.stop(LONG_S)


def fails_all(lengths: NDArray[np.float32]) -> bool:
    return True


def test_the_least_queued_tokens_come_first() -> None:
    first, second = GatedScorer(), GatedScorer()
    with replicas(first, second) as made:
        made.submit([chunk(*[1] * 50)], owner=0)
        assert first.entered.acquire(timeout=LONG_S)
        small = [made.submit([chunk(*[2] * 20)], owner=at).future for at in range(1, 3)]
        made.submit([chunk(*[3] * 20)], owner=3)  # 50 and 40: to the second
        made.submit([chunk(4)], owner=4)  # 50 and 60: to the first
        assert {name: vitals.n_tokens for name, vitals in made.vitals().items()} == {"gpu0": 51, "gpu1": 60}
        second.gate.set()
        assert all(len(values(future)) == 1 for future in small)


def test_a_full_device_passes_a_text_on_and_only_all_refuse() -> None:
    first, second = GatedScorer(), GatedScorer()
    with replicas(first, second, max_queue_tokens=10) as made:
        for scorer, owner in ((first, 0), (second, 1)):
            made.submit([chunk(*[1] * 9)], owner=owner)
            assert scorer.entered.acquire(timeout=LONG_S)
        made.submit([chunk(*[1] * 9)], owner=2)  # queued at the first
        made.submit([chunk(*[1] * 9)], owner=3)
        with pytest.raises(Overloaded):
            made.submit([chunk(*[1] * 9)], owner=4)


def test_dropping_reaches_every_device() -> None:
    first, second = GatedScorer(), GatedScorer()
    with replicas(first, second) as made:
        for owner, scorer in ((0, first), (1, second)):
            made.submit([chunk(1)], owner=owner)
            assert scorer.entered.acquire(timeout=LONG_S)
        gone = [made.submit([chunk(1)], owner=7).future for _ in range(2)]
        made.drop(7)
        assert all(future.exception(0) is not None for future in gone)


def test_a_failed_device_is_avoided_and_tried_again() -> None:
    clock = Clock()
    bad, good = FailingScorer(fails_all), LengthScorer()
    with replicas(bad, good, clock=clock) as made:
        with pytest.raises(ScorerDown):
            made.submit([chunk(1)], owner=0).future.result(LONG_S)
        assert made.trouble == "gpu0: RuntimeError in the scorer"
        with pytest.raises(ScorerDown):  # a pause has not begun: it is tried once more
            made.submit([chunk(1)], owner=0).future.result(LONG_S)
        for _ in range(5):
            assert values(made.submit([chunk(2)], owner=1).future) == [[2]]
        assert len(bad.batches) == 2
        clock.now = PAUSE_S
        bad.is_bad = lambda lengths: False
        assert values(made.submit([chunk(3)], owner=1).future) == [[3]]
        assert len(bad.batches) == 3
        assert made.trouble is None


def test_pauses_grow_up_to_a_limit() -> None:
    clock = Clock()
    bad, good = FailingScorer(fails_all), LengthScorer()
    tries = []
    with replicas(bad, good, clock=clock) as made:
        for second in range(200):
            clock.now = second / 2
            n_batches = len(bad.batches)
            made.submit([chunk(1)], owner=0).future.exception(LONG_S)
            if len(bad.batches) > n_batches:
                tries.append(clock.now)
    gaps = [after - before for before, after in itertools.pairwise(tries)]
    assert gaps[:6] == [0.5, 0.5, 1.0, 2.0, 4.0, 8.0]
    assert max(gaps) <= PAUSE_MAX_S


def test_with_all_down_somebody_is_asked_and_says_so() -> None:
    with replicas(FailingScorer(fails_all), FailingScorer(fails_all)) as made:
        for _ in range(6):
            error = made.submit([chunk(1)], owner=0).future.exception(LONG_S)
            assert "device says no" in str(error)


def test_what_says_it_is_lost_is_not_tried() -> None:
    lost, good = Reporting(), LengthScorer()
    lost.trouble = "the scorer's process has ended"
    with replicas(lost, good) as made:
        for _ in range(5):
            assert values(made.submit([chunk(2)], owner=1).future) == [[2]]
        assert lost.batches == []
        assert made.trouble == "gpu0: the scorer's process has ended"
        lost.trouble = None
        assert made.trouble is None
        assert values(made.submit([chunk(2)], owner=1).future) == [[2]]
        assert lost.batches == [1]
        assert made.vitals()["gpu0"].n_restarts == 3


def test_stopped_devices_refuse() -> None:
    with replicas(LengthScorer(), LengthScorer()) as made:
        made.stop(LONG_S)
        with pytest.raises(ScorerDown, match="the engine was closed"):
            made.submit([chunk(1)], owner=0)
        assert made.trouble == "gpu0: the engine was closed; gpu1: the engine was closed"


class Named(LengthScorer):
    def __init__(self, fingerprint: str) -> None:
        super().__init__()
        self.fingerprint = fingerprint


def test_replicas_are_of_one_fingerprint() -> None:
    with pytest.raises(ModelError, match="the scorer on cuda:1 has fingerprint 'b', the first has 'a'"):
        Replicated({"cuda:0": Named("a"), "cuda:1": Named("b")})


def test_replicated_is_a_scorer_itself() -> None:
    one, other = LengthScorer(), LengthScorer()
    both = Replicated({"a": one, "b": other})
    words = split(TEXTS[0])
    chunks = both.encode(TEXTS[0], words)
    assert (
        both.merge(words, chunks, both.forward(chunks)).tolist()
        == one.merge(words, chunks, other.forward(chunks)).tolist()
    )
    assert by_device(both) == {"a": one, "b": other}
    assert by_device(one) == {"default": one}


class Counting(LengthScorer):
    """Each pass waits until the other device has one, too."""

    def __init__(self, entered: list[str], name: str) -> None:
        super().__init__()
        self.entered, self.name = entered, name

    def forward(self, batch: Sequence[Chunk]) -> list[NDArray[np.float32]]:
        self.entered.append(self.name)
        return super().forward(batch)


async def test_an_engine_scores_alike_on_one_device_and_on_three() -> None:
    entered: list[str] = []
    alone = Engine(LengthScorer())
    three = Engine(
        Replicated({name: Counting(entered, name) for name in ("a", "b", "c")}), max_batch_tokens=100
    )
    requests = [ScoreRequest(text, split(text)) for text in TEXTS]
    async with alone, three:
        expected = await alone.score(requests)
        found = await asyncio.gather(*(three.score([request]) for request in requests))
        assert [np.asarray(scores).tolist() for [scores] in found] == [
            np.asarray(scores).tolist() for scores in expected
        ]
        assert set(three.vitals()) == {"a", "b", "c"}
        assert three.degraded is None
    assert entered


async def test_one_device_down_is_said_and_texts_go_on() -> None:
    bad = FailingScorer(fails_all)
    engine = Engine(Replicated({"cuda:0": bad, "cuda:1": LengthScorer()}))
    request = ScoreRequest(TEXTS[0], split(TEXTS[0]))
    async with engine:
        outcomes = [(await engine.score([request]))[0] for _ in range(10)]
        assert sum(isinstance(outcome, ScorerDown) for outcome in outcomes) == 2
        assert engine.degraded == "cuda:0: RuntimeError in the scorer"
