"""The engine with scorers a test decides: every waiter is answered (law 7), scores follow the text."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from compressor import load_scorer
from compressor.engine import Engine
from compressor.errors import (
    DeadlineExceeded,
    Overloaded,
    ParamsError,
    PatternError,
    ScorerDown,
    ScoringError,
)
from compressor.flow import ScoreRequest
from compressor.params import CompressionParams, Protect
from compressor.replicas import ONLY
from compressor.types import SCORE_ONE, Chunk, Compressor, Scorer, Scores, Words
from compressor.words import split
from tests.compressor.fake_scorers import FailingScorer, GatedScorer, LengthScorer

LONG_S = 30.0
"""What a test waits for what must happen; reached only where it fails."""

SHORT_S = 0.02
"""A deadline that is meant to pass: nothing it waits for can happen."""

TEXT = (
    "The committee was of the opinion that a decision about the extraordinarily expensive bridge was needed. "
)
PARAMS = CompressionParams(rate=0.5)


@asynccontextmanager
async def engine_of(scorer: Scorer, max_queue_tokens: int = 100_000) -> AsyncIterator[Engine]:
    """An engine that is closed with its gate open, so that no thread stays behind."""
    engine = Engine(scorer, max_batch_tokens=100, max_queue_tokens=max_queue_tokens)
    await engine.start()
    try:
        yield engine
    finally:
        if isinstance(scorer, GatedScorer):
            scorer.gate.set()
        await engine.aclose()


def asked(text: str) -> ScoreRequest:
    return ScoreRequest(text, split(text))


def expected(text: str) -> list[int]:
    words = split(text)
    return [round(int(length) * 4096 / 100) for length in words.ends - words.starts]


def values(outcome: Scores | ScoringError) -> list[int]:
    assert not isinstance(outcome, ScoringError), outcome
    return [int(score) for score in outcome]


async def entered(scorer: GatedScorer) -> None:
    """Until a batch is on the device."""
    assert await asyncio.to_thread(scorer.entered.acquire, timeout=LONG_S)


async def until(condition: Callable[[], bool]) -> None:
    """Let the event loop go on until `condition`."""
    async with asyncio.timeout(LONG_S):
        while not condition():  # noqa: ASYNC110 - what the device thread has queued is no event of the loop
            await asyncio.sleep(0)


async def test_scores_come_back_for_the_right_text() -> None:
    texts = [TEXT * 9, "a bb ccc", "", "x", TEXT]
    async with engine_of(LengthScorer()) as engine:
        outcomes = await engine.score([asked(text) for text in texts])
    assert [values(outcome) for outcome in outcomes] == [expected(text) for text in texts]


async def test_nothing_asked_is_nothing_answered() -> None:
    async with engine_of(LengthScorer()) as engine:
        assert await engine.score([]) == []
        assert await engine.compress([], PARAMS) == []


async def test_texts_of_many_calls_share_batches() -> None:
    scorer = GatedScorer()
    async with engine_of(scorer) as engine:
        first = asyncio.create_task(engine.score([asked("one")]))
        await entered(scorer)
        others = [asyncio.create_task(engine.score([asked(f"word{at}")])) for at in range(10)]
        await until(lambda: len(engine._devices.workers[ONLY]._waiting) == 11)
        scorer.gate.set()
        await asyncio.gather(first, *others)
    assert scorer.batches == [1, 10]


async def test_compress_shortens_and_says_by_how_much() -> None:
    async with engine_of(LengthScorer()) as engine:
        compressor: Compressor = engine
        short, long = await compressor.compress(["", TEXT * 5], PARAMS, tenant="t")
    assert short.skip == "short"
    assert long.skip is None
    assert long.compressed_tokens < long.origin_tokens
    assert "extraordinarily" in long.text
    assert "".join((TEXT * 5)[start:end] for start, end in long.kept) == long.text


async def test_the_same_text_alone_and_in_company() -> None:
    async with engine_of(LengthScorer()) as engine:
        [alone] = await engine.compress([TEXT * 3], PARAMS)
        together = await engine.compress([TEXT * 3, TEXT, "x " * 400, TEXT * 3], PARAMS)
    assert together[0].text == together[3].text == alone.text


async def test_the_deadline_is_kept_while_the_device_is_busy() -> None:
    scorer = GatedScorer()
    async with engine_of(scorer) as engine:
        [late] = await engine.score([asked(TEXT)], deadline_s=SHORT_S)
        assert isinstance(late, DeadlineExceeded)
        [left] = await engine.compress([TEXT], PARAMS, deadline_s=SHORT_S)
        assert (left.text, left.skip) == (TEXT, "deadline")
        assert left.origin_tokens == left.compressed_tokens > 0


async def test_texts_in_time_are_not_lost_with_those_that_are_late() -> None:
    scorer = FirstPassesScorer()
    async with engine_of(scorer) as engine:
        done = asyncio.create_task(engine.score([asked("quick"), asked(TEXT * 12)], deadline_s=0.5))
        quick, slow = await done
        assert values(quick) == expected("quick")
        assert isinstance(slow, DeadlineExceeded)


class FirstPassesScorer(GatedScorer):
    """Only batches that hold the one-word text pass before the gate opens."""

    def __init__(self) -> None:
        super().__init__(chunk_words=100)

    def forward(self, batch: Sequence[Chunk]) -> list[NDArray[np.float32]]:
        if any(chunk.n_tokens == 1 for chunk in batch):
            return LengthScorer.forward(self, batch)
        return super().forward(batch)


async def test_a_late_text_is_scored_in_the_background() -> None:
    scorer = GatedScorer()
    told: list[tuple[int, list[int]]] = []
    async with engine_of(scorer) as engine:
        outcomes = await engine.score(
            [asked("one two"), asked("three")],
            deadline_s=SHORT_S,
            late=lambda at, scores: told.append((at, values(scores))),
        )
        assert [type(outcome) for outcome in outcomes] == [DeadlineExceeded] * 2
        assert told == []
        scorer.gate.set()
        await until(lambda: len(told) == 2)
    assert sorted(told) == [(0, expected("one two")), (1, expected("three"))]


async def test_what_is_in_time_is_not_told_twice() -> None:
    told: list[int] = []
    async with engine_of(LengthScorer()) as engine:
        [scores] = await engine.score([asked(TEXT)], deadline_s=LONG_S, late=lambda at, _: told.append(at))
        assert values(scores) == expected(TEXT)
        await asyncio.sleep(0)
    assert told == []


class SlowClock:
    """Every look at it is a second later: batches seem to take long."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


async def test_what_is_sure_to_be_late_is_answered_at_once_and_scored_all_the_same() -> None:
    scorer = GatedScorer()
    scorer.gate.set()
    told: list[int] = []
    engine = Engine(scorer, max_batch_tokens=100, clock=SlowClock())
    await engine.score([asked("to learn the pace")])
    scorer.gate.clear()
    await entered(scorer)
    busy = asyncio.create_task(engine.score([asked("busy")]))
    await entered(scorer)
    [hopeless] = await engine.score([asked("hopeless")], deadline_s=0.5, late=lambda at, _: told.append(at))
    assert isinstance(hopeless, Overloaded)
    assert "scored in the background" in str(hopeless)
    [refused] = await engine.score([asked("hopeless")], deadline_s=0.5)
    assert isinstance(refused, Overloaded)
    scorer.gate.set()
    await busy
    await until(lambda: told == [0])
    await engine.aclose()


async def test_overload_leaves_a_text_whole() -> None:
    scorer = GatedScorer()
    async with engine_of(scorer, max_queue_tokens=10) as engine:
        busy = asyncio.create_task(engine.score([asked("busy")]))
        await entered(scorer)
        waiting = asyncio.create_task(engine.score([asked("1 2 3 4 5 6 7 8 9 10")]))
        await until(lambda: len(engine._devices.workers[ONLY]._waiting) == 2)
        [left] = await engine.compress([TEXT], PARAMS)
        assert (left.text, left.skip) == (TEXT, "overloaded")
        scorer.gate.set()
        assert values((await busy)[0]) == expected("busy")
        assert len(values((await waiting)[0])) == 10


async def test_a_hanging_device_refuses_newcomers_at_once_and_all_are_answered() -> None:
    scorer, clock = GatedScorer(), SlowClock()
    engine = Engine(scorer, max_queue_age_s=2.0, clock=clock)
    async with engine:
        first = asyncio.create_task(engine.score([asked("one")]))
        await entered(scorer)
        clock.now = 3.0
        [refused] = await engine.score([asked("two")], deadline_s=1000.0)
        assert isinstance(refused, Overloaded)
        late: dict[int, Scores] = {}
        [told] = await engine.score([asked("three")], deadline_s=1000.0, late=late.__setitem__)
        assert isinstance(told, Overloaded)
        scorer.gate.set()
        assert values((await first)[0]) == expected("one")
        await until(lambda: 0 in late)
        assert values(late[0]) == expected("three")


async def test_a_cancelled_call_takes_its_chunks_along() -> None:
    scorer = GatedScorer()
    async with engine_of(scorer) as engine:
        busy = asyncio.create_task(engine.score([asked("busy")]))
        await entered(scorer)
        calls = [
            asyncio.create_task(engine.score([asked(TEXT * 3)], late=lambda at, scores: None)),
            asyncio.create_task(engine.compress([TEXT * 2, TEXT], PARAMS)),
        ]
        await until(lambda: len(engine._devices.workers[ONLY]._waiting) > 4)
        for call in calls:
            call.cancel()
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(result) for result in results] == [asyncio.CancelledError] * 2
        assert len(engine._devices.workers[ONLY]._waiting) == 1
        scorer.gate.set()
        assert values((await busy)[0]) == expected("busy")
    assert scorer.batches == [1]


class SlowEncoder(GatedScorer):
    """Encoding, too, says that it has `encoding` and goes on once the gate is open."""

    def __init__(self) -> None:
        super().__init__()
        self.encoding = threading.Semaphore(0)

    def encode(self, text: str, words: Words) -> list[Chunk]:
        self.encoding.release()
        assert self.gate.wait(LONG_S)
        return super().encode(text, words)


async def test_a_call_cancelled_while_it_is_encoded_leaves_nothing_behind() -> None:
    scorer = SlowEncoder()
    async with engine_of(scorer) as engine:
        call = asyncio.create_task(engine.score([asked(TEXT)]))
        assert await asyncio.to_thread(scorer.encoding.acquire, timeout=LONG_S)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        scorer.gate.set()
        [outcome] = await engine.score([asked("next")])
        assert values(outcome) == expected("next")
        assert not engine._devices.workers[ONLY]._waiting


class RecordingEncoder(SlowEncoder):
    """Remembers which texts were encoded, in order, by their number of words."""

    def __init__(self) -> None:
        super().__init__()
        self.order: list[int] = []

    def encode(self, text: str, words: Words) -> list[Chunk]:
        self.order.append(len(words))
        return super().encode(text, words)


async def test_a_call_of_many_texts_does_not_hold_up_the_pool() -> None:
    scorer = RecordingEncoder()
    engine = Engine(scorer, threads=1)
    many = asyncio.create_task(engine.score([asked("one")] * 100))
    assert await asyncio.to_thread(scorer.encoding.acquire, timeout=LONG_S)
    few = asyncio.create_task(engine.score([asked("one two")]))
    await until(lambda: engine._pool._work_queue.qsize() == 1)
    scorer.gate.set()
    await asyncio.gather(many, few)
    assert scorer.order.index(2) == 1
    await engine.aclose()


def test_bounds_below_one_are_refused() -> None:
    with pytest.raises(ParamsError, match="max_batch_tokens is 0: must be at least 1"):
        Engine(LengthScorer(), max_batch_tokens=0)
    with pytest.raises(ParamsError, match="max_queue_tokens is -1: must be at least 1"):
        Engine(LengthScorer(), max_queue_tokens=-1)


async def test_a_failing_device_is_said_and_recovers() -> None:
    scorer = FailingScorer(lambda lengths: True)
    async with engine_of(scorer) as engine:
        assert engine.degraded is None
        [left] = await engine.compress([TEXT], PARAMS)
        assert (left.text, left.skip) == (TEXT, "scorer_down")
        assert engine.degraded == "RuntimeError in the scorer"
        scorer.is_bad = lambda lengths: False
        [fine] = await engine.compress([TEXT], PARAMS)
        assert fine.skip is None
        assert engine.degraded is None


@pytest.mark.parametrize(("step", "error"), [("fails_encode", UnicodeError), ("fails_merge", ValueError)])
async def test_a_scorer_that_fails_off_the_device_fails_one_text(step: str, error: type[Exception]) -> None:
    scorer = FailingScorer()
    setattr(scorer, step, True)
    async with engine_of(scorer) as engine:
        [outcome] = await engine.score([asked(TEXT)])
        assert isinstance(outcome, ScorerDown)
        assert isinstance(outcome.__cause__, error)
        assert engine.degraded == f"{error.__name__} in the scorer"
        setattr(scorer, step, False)
        await engine.score([asked(TEXT)])
        assert engine.degraded is None


@pytest.mark.parametrize(
    "merged",
    [
        np.zeros(1, np.uint16),
        np.zeros(4, np.float32),
        np.zeros((4, 1), np.uint16),
        np.full(4, SCORE_ONE + 1, np.uint16),
        [0, 0, 0, 0],
        None,
    ],
)
async def test_what_are_no_scores_of_the_text_is_the_scorers_failure(merged: Any) -> None:
    """Too few, of another type or shape, beyond the scale: it would spoil the text, and what is on record."""

    class Muddling(LengthScorer):
        def merge(
            self, words: Words, chunks: Sequence[Chunk], scores: Sequence[NDArray[np.float32]]
        ) -> Scores:
            return cast(Scores, merged)

    async with engine_of(Muddling()) as engine:
        [outcome] = await engine.score([asked("a bb ccc dddd")])
        assert isinstance(outcome, ScorerDown)
        assert engine.degraded == "the scorer answered what are no scores"


async def test_one_bad_text_leaves_the_others_alone() -> None:
    scorer = FailingScorer(lambda lengths: 13 in lengths)
    async with engine_of(scorer) as engine:
        good, bad, fine = await engine.score([asked("a bb"), asked("a thirteen-char"[:15]), asked("ccc")])
        assert values(good) == expected("a bb")
        assert isinstance(bad, ScorerDown)
        assert values(fine) == expected("ccc")


async def test_a_bad_pattern_is_the_callers_error() -> None:
    async with engine_of(LengthScorer()) as engine:
        with pytest.raises(PatternError):
            await engine.compress([TEXT, TEXT], CompressionParams(protect=Protect(patterns=("(",))))


async def test_closing_answers_every_waiter_while_the_device_hangs() -> None:
    scorer = GatedScorer()
    engine = Engine(scorer, max_batch_tokens=100, threads=1)
    calls = [asyncio.create_task(engine.score([asked(TEXT * 9), asked("x")])) for _ in range(3)]
    late = asyncio.create_task(
        engine.score([asked("y")], deadline_s=SHORT_S, late=lambda at, scores: pytest.fail("was closed"))
    )
    compressing = asyncio.create_task(engine.compress([TEXT] * 3, PARAMS))
    await entered(scorer)
    await late
    closing = asyncio.create_task(engine.aclose())
    async with asyncio.timeout(LONG_S):
        outcomes = await asyncio.gather(*calls)
        results = await compressing
    assert {type(outcome) for call in outcomes for outcome in call} == {ScorerDown}
    assert {result.skip for result in results} == {"scorer_down"}
    assert engine.degraded == "the engine was closed"
    scorer.gate.set()
    await closing
    [after] = await engine.score([asked("x")])
    assert isinstance(after, ScorerDown)
    [whole] = await engine.compress([TEXT], PARAMS)
    assert (whole.text, whole.skip) == (TEXT, "scorer_down")


async def test_closing_answers_those_who_wait_for_the_pool() -> None:
    scorer = SlowEncoder()
    engine = Engine(scorer, threads=1)
    first = asyncio.create_task(engine.score([asked("first")]))
    assert await asyncio.to_thread(scorer.encoding.acquire, timeout=LONG_S)
    second = asyncio.create_task(engine.score([asked("second")]))
    await until(lambda: engine._pool._work_queue.qsize() == 1)
    closing = asyncio.create_task(engine.aclose())
    [outcome] = await second
    assert isinstance(outcome, ScorerDown)
    scorer.gate.set()
    await closing
    [outcome] = await first
    assert isinstance(outcome, ScorerDown)


async def test_it_starts_with_its_first_use_and_ends_its_thread() -> None:
    before = set(threading.enumerate())
    engine = Engine(LengthScorer())
    [scores] = await engine.score([asked("abc")])
    assert values(scores) == expected("abc")
    await engine.aclose()
    left = set(threading.enumerate()) - before
    assert not any(thread.name == "pith-device" for thread in left)


async def test_the_context_manager_starts_and_closes() -> None:
    async with Engine(LengthScorer()) as engine:
        assert engine.fingerprint == "length"
        assert engine.degraded is None
    assert engine.degraded == "the engine was closed"


def test_the_synchronous_twin_agrees() -> None:
    engine = Engine(LengthScorer())
    [once] = engine.compress_sync([TEXT * 3], PARAMS)
    [again] = engine.compress_sync([TEXT * 3], PARAMS)

    async def both() -> tuple[str, str]:
        """Inside a running loop, as in a notebook."""
        inner = engine.compress_sync([TEXT * 3], PARAMS)
        [outer] = await engine.compress([TEXT * 3], PARAMS)
        await engine.aclose()
        return inner[0].text, outer.text

    assert {once.text, again.text, *asyncio.run(both())} == {once.text}


def test_the_embedded_default_works_as_a_library() -> None:
    engine = Engine(load_scorer("default"))
    [result] = engine.compress_sync([TEXT * 3], PARAMS)
    asyncio.run(engine.aclose())
    assert result.compressed_tokens < result.origin_tokens


@pytest.mark.parametrize("module", ["compressor", "compressor.engine", "compressor.scorers"])
def test_importing_does_not_bring_torch(module: str) -> None:
    code = f"import sys, {module}; print([name for name in ('torch', 'transformers') if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
