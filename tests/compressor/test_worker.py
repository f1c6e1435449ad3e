"""The device thread: every future is resolved, whatever the scorer does and whenever the end comes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compressor.batcher import Batcher
from compressor.errors import DeadlineExceeded, OutOfMemory, Overloaded, ScorerDown, ScorerLost
from compressor.types import Chunk, Scorer
from compressor.worker import Parts, Worker
from tests.compressor.fake_scorers import FailingScorer, GatedScorer, LengthScorer

LONG_S = 30.0
"""What a test waits for what must happen; reached only where it fails."""


class Clock:
    """Time that stands still until told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def running(scorer: Scorer, clock: Clock | None = None, max_queue_tokens: int = 1000) -> Iterator[Worker]:
    worker = Worker(scorer, Batcher(100, max_queue_tokens), clock or Clock())
    worker.start()
    yield worker
    worker.stop(LONG_S)


def chunk(*lengths: float) -> Chunk:
    return Chunk(len(lengths), np.array(lengths, np.float32))


def values(future: Future[Parts]) -> list[list[float]]:
    return [(part * 100).round().tolist() for part in future.result(LONG_S)]


def open_gate(scorer: GatedScorer) -> None:
    scorer.gate.set()


def test_chunks_come_back_in_order() -> None:
    with running(LengthScorer()) as worker:
        future = worker.submit([chunk(1, 2), chunk(3), chunk(4, 5, 6)], owner=0).future
        assert values(future) == [[1, 2], [3], [4, 5, 6]]
        assert worker.trouble is None


def test_no_chunks_are_answered_at_once() -> None:
    assert Worker(LengthScorer(), Batcher(1, 1), Clock()).submit([], owner=0).future.result(0) == []


def test_a_bad_chunk_does_not_fail_its_neighbours() -> None:
    scorer = FailingScorer(lambda lengths: 13 in lengths)
    worker = Worker(scorer, Batcher(100, 1000), Clock())
    texts = [worker.submit([chunk(at, at)], owner=at).future for at in (11, 12, 13, 14)]
    worker.start()
    assert values(texts[0]) == [[11, 11]]
    assert values(texts[1]) == [[12, 12]]
    with pytest.raises(ScorerDown, match="RuntimeError in the scorer: device says no") as caught:
        texts[2].result(LONG_S)
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert values(texts[3]) == [[14, 14]]
    assert scorer.batches == [4, 1, 1, 1, 1]  # together, then one by one, once
    assert worker.trouble is None
    worker.stop(LONG_S)


def test_one_failed_chunk_fails_its_text_at_once() -> None:
    scorer = FailingScorer(lambda lengths: 13 in lengths)
    with running(scorer) as worker:
        with pytest.raises(ScorerDown):
            worker.submit([chunk(13), chunk(1)], owner=0).future.result(LONG_S)
        assert values(worker.submit([chunk(2)], owner=1).future) == [[2]]


def test_a_dead_scorer_is_said_and_recovery_too() -> None:
    scorer = FailingScorer(lambda lengths: True)
    with running(scorer) as worker:
        with pytest.raises(ScorerDown):
            worker.submit([chunk(1)], owner=0).future.result(LONG_S)
        assert worker.trouble == "RuntimeError in the scorer"
        assert scorer.batches == [1]  # alone: nothing to be gained by another try
        scorer.is_bad = lambda lengths: False
        assert values(worker.submit([chunk(1)], owner=0).future) == [[1]]
        assert worker.trouble is None


def test_a_scorer_that_forgets_a_chunk_has_failed() -> None:
    scorer = FailingScorer()
    scorer.forgets = True
    with running(scorer) as worker, pytest.raises(ScorerDown, match="the scorer answered 0 of 1 chunks"):
        worker.submit([chunk(1)], owner=0).future.result(LONG_S)


class Small(LengthScorer):
    """Its memory takes `n_chunks` at once."""

    def __init__(self, n_chunks: int) -> None:
        super().__init__()
        self.n_chunks = n_chunks

    def forward(self, batch: Sequence[Chunk]) -> list[NDArray[np.float32]]:
        if len(batch) > self.n_chunks:
            self.batches.append(-len(batch))
            raise OutOfMemory(f"{len(batch)} chunks")
        return super().forward(batch)


@pytest.mark.parametrize(
    ("n_chunks", "batches"),
    [
        (5, [-10, 5, 5]),
        (3, [-10, -5, 2, 2, 2, 2, 2]),
        (1, [-10, -5, -2, *[1] * 10]),
    ],
)
def test_what_does_not_fit_is_halved_and_the_bound_is_kept(n_chunks: int, batches: list[int]) -> None:
    scorer, clock = Small(n_chunks), Clock()
    worker = Worker(scorer, Batcher(100, 1000), clock)
    texts = [worker.submit([chunk(*[at] * 10)], owner=at).future for at in range(10)]
    worker.start()
    assert [values(text) for text in texts] == [[[at] * 10] for at in range(10)]
    assert scorer.batches == batches
    assert worker.trouble is None
    futures = [worker.submit([chunk(*[1] * 10)] * 5, owner=1).future for _ in range(2)]
    assert all(len(values(future)) == 5 for future in futures)
    assert min(scorer.batches[len(batches) :]) > 0  # learned
    worker.stop(LONG_S)


def test_a_chunk_that_never_fits_fails_alone() -> None:
    scorer = Small(0)
    with running(scorer) as worker:
        futures = [worker.submit([chunk(1)], owner=at).future for at in range(3)]
        for future in futures:
            with pytest.raises(OutOfMemory):
                future.result(LONG_S)
        assert worker.trouble is not None
        scorer.n_chunks = 1
        assert values(worker.submit([chunk(2)], owner=0).future) == [[2]]


def test_a_bad_chunk_in_a_batch_that_is_halved_fails_alone() -> None:
    class Both(Small):
        def forward(self, batch: Sequence[Chunk]) -> list[NDArray[np.float32]]:
            if len(batch) <= self.n_chunks and any(13 in np.asarray(chunk.payload) for chunk in batch):
                raise RuntimeError("device says no")
            return super().forward(batch)

    worker = Worker(Both(2), Batcher(100, 1000), Clock())
    texts = [worker.submit([chunk(at, at)], owner=at).future for at in range(10, 18)]
    worker.start()
    for at, text in enumerate(texts, start=10):
        if at == 13:
            with pytest.raises(ScorerDown, match="RuntimeError"):
                text.result(LONG_S)
        else:
            assert values(text) == [[at, at]]
    worker.stop(LONG_S)


def test_a_lost_scorer_is_not_asked_again_for_a_batch() -> None:
    class Lost(LengthScorer):
        def forward(self, batch: Sequence[Chunk]) -> list[NDArray[np.float32]]:
            self.batches.append(len(batch))
            raise ScorerLost("the scorer's process has ended")

    scorer = Lost()
    worker = Worker(scorer, Batcher(100, 1000), Clock())
    texts = [worker.submit([chunk(at)], owner=at).future for at in range(4)]
    worker.start()
    for text in texts:
        with pytest.raises(ScorerLost, match="has ended"):
            text.result(LONG_S)
    assert scorer.batches == [4]
    assert worker.trouble == "the scorer's process has ended"
    worker.stop(LONG_S)


NAN = np.array([np.nan], np.float32)


@pytest.mark.parametrize("answer", [NAN, np.array([1]), np.array(["1"]), [0.5], "0.5", None])
def test_what_is_no_score_is_the_scorers_failure(answer: Any) -> None:
    class Babbling(LengthScorer):
        def forward(self, batch: Sequence[Chunk]) -> list[NDArray[np.float32]]:
            return [answer for _ in batch]

    with running(Babbling()) as worker:
        with pytest.raises(ScorerDown, match="the scorer answered what are no scores"):
            worker.submit([chunk(1)], owner=0).future.result(LONG_S)
        assert worker.trouble == "the scorer answered what are no scores"
        assert worker.vitals().n_failed == 1


def test_no_answer_at_all_is_the_scorers_failure_too() -> None:
    class Mute(LengthScorer):
        def forward(self, batch: Sequence[Chunk]) -> list[NDArray[np.float32]]:
            return None  # type: ignore[return-value]  # the fault

    with running(Mute()) as worker:
        with pytest.raises(ScorerDown, match="TypeError in the scorer"):
            worker.submit([chunk(1)], owner=0).future.result(LONG_S)
        assert worker.trouble == "TypeError in the scorer"


def test_what_is_too_late_is_answered() -> None:
    clock, scorer = Clock(), GatedScorer()
    with running(scorer, clock) as worker:
        first = worker.submit([chunk(*[1] * 100)], owner=0).future
        assert scorer.entered.acquire(timeout=LONG_S)
        late = worker.submit([chunk(1)], owner=1, deadline=1.0).future
        clock.now = 2.0
        open_gate(scorer)
        with pytest.raises(DeadlineExceeded, match="in the queue"):
            late.result(LONG_S)
        assert len(values(first)) == 1


def test_dropping_an_owner_answers_its_texts_and_no_others() -> None:
    scorer = GatedScorer()
    with running(scorer) as worker:
        busy = worker.submit([chunk(*[1] * 100)], owner=0).future
        assert scorer.entered.acquire(timeout=LONG_S)
        gone = worker.submit([chunk(1), chunk(2)], owner=1).future
        stays = worker.submit([chunk(3)], owner=2).future
        worker.drop(1)
        with pytest.raises(DeadlineExceeded, match="nobody waits"):
            gone.result(0)
        open_gate(scorer)
        assert values(stays) == [[3]]
        assert len(values(busy)) == 1


def test_a_cancelled_future_is_let_be() -> None:
    scorer = GatedScorer()
    with running(scorer) as worker:
        future = worker.submit([chunk(1)], owner=0).future
        assert scorer.entered.acquire(timeout=LONG_S)
        assert future.cancel()
        open_gate(scorer)
        assert values(worker.submit([chunk(2)], owner=0).future) == [[2]]


def test_overload_is_the_submitters_to_know() -> None:
    scorer = GatedScorer()
    with running(scorer, max_queue_tokens=10) as worker:
        busy = worker.submit([chunk(1)], owner=0).future
        assert scorer.entered.acquire(timeout=LONG_S)
        worker.submit([chunk(*[1] * 10)], owner=1)
        with pytest.raises(Overloaded):
            worker.submit([chunk(1)], owner=2)
        open_gate(scorer)
        assert values(busy) == [[1]]


def test_background_work_dropped_for_room_is_answered() -> None:
    clock, scorer = Clock(), GatedScorer()
    with running(scorer, clock, max_queue_tokens=10) as worker:
        busy = worker.submit([chunk(1)], owner=0).future
        assert scorer.entered.acquire(timeout=LONG_S)
        late = worker.submit([chunk(*[1] * 8)], owner=1, deadline=-1.0, is_background=True)
        assert late.is_late
        kept = worker.submit([chunk(*[2] * 8)], owner=2).future
        with pytest.raises(ScorerDown, match="dropped to make room"):
            late.future.result(0)
        open_gate(scorer)
        assert len(values(busy)) == len(values(kept)) == 1


def test_stopping_answers_all_while_the_device_is_busy() -> None:
    before = set(threading.enumerate())
    scorer = GatedScorer()
    worker = Worker(scorer, Batcher(100, 1000), Clock())
    worker.start()
    running_one = worker.submit([chunk(*[1] * 100)], owner=0).future
    assert scorer.entered.acquire(timeout=LONG_S)
    queued = worker.submit([chunk(1), chunk(2)], owner=1).future
    worker.stop(0.0)
    for future in (running_one, queued):
        with pytest.raises(ScorerDown, match="the engine was closed"):
            future.result(0)
    with pytest.raises(ScorerDown, match="the engine was closed"):
        worker.submit([chunk(1)], owner=2)
    assert worker.trouble == "the engine was closed"
    open_gate(scorer)
    worker.stop(LONG_S)
    assert set(threading.enumerate()) <= before


def test_stopping_before_starting_is_the_end_too() -> None:
    worker = Worker(LengthScorer(), Batcher(100, 1000), Clock())
    queued = worker.submit([chunk(1)], owner=0).future
    worker.stop(0.0)
    with pytest.raises(ScorerDown):
        queued.result(0)
    worker.start()
    assert worker.trouble == "the engine was closed"


class Quitting(LengthScorer):
    """Ends its thread."""

    def forward(self, batch: Sequence[Chunk]) -> list[NDArray[np.float32]]:
        raise SystemExit


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # the subject
def test_a_thread_that_ends_answers_first() -> None:
    with running(Quitting()) as worker:
        future = worker.submit([chunk(1)], owner=0).future
        with pytest.raises(ScorerDown, match="the device thread has ended"):
            future.result(LONG_S)
        assert worker.trouble == "the device thread has ended"


def test_many_threads_submit_drop_and_all_are_answered() -> None:
    scorer = FailingScorer(lambda lengths: 13 in lengths)
    worker = Worker(scorer, Batcher(100, 1_000_000), time.monotonic)
    worker.start()
    futures: list[Future[Parts]] = []
    start = threading.Barrier(4)

    def submit(owner: int) -> None:
        start.wait()
        for at in range(200):
            futures.append(worker.submit([chunk(at % 20)] * (at % 4), owner=owner).future)
            if at % 50 == 49 and owner % 2:
                worker.drop(owner)

    threads = [threading.Thread(target=submit, args=(owner,)) for owner in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG_S)
    worker.drop(0)
    worker.stop(LONG_S)
    assert len(futures) == 800
    assert all(future.done() for future in futures)
