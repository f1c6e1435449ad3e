"""The device thread: takes what the batcher hands out, runs the scorer, answers every waiter. It never
decides.

Law 7: a future given by `submit` is always resolved, with the scores of its chunks or with a ScoringError:
after its batch, when its jobs are dropped, when it is stopped (at once, whatever the device is doing), or
when the thread ends.
"""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from compressor.batcher import Batch, Batcher, Job
from compressor.errors import DeadlineExceeded, OutOfMemory, ScorerDown, ScorerLost, ScoringError
from compressor.types import Chunk, Scorer

Parts: TypeAlias = list[NDArray[np.float32]]
"""The scores of each chunk of a text, in order."""

Outcome: TypeAlias = NDArray[np.float32] | ScoringError

NO_SCORES = "the scorer answered what are no scores"


@runtime_checkable
class SelfReporting(Protocol):
    """A scorer that knows by itself whether it can be asked."""

    @property
    def trouble(self) -> str | None:
        """Why it cannot; None while it can."""

    @property
    def n_restarts(self) -> int:
        """How often it was started again."""


@dataclass(frozen=True, slots=True)
class Vitals:
    """How a device is."""

    n_tokens: int
    """Queued and running."""
    age_s: float
    """For how long somebody has waited for a turn, or the device has been at its batch."""
    batch_bound: int
    """Most tokens of a batch that memory is thought to take."""
    n_restarts: int
    busy_s: float = 0.0
    """Spent on forward passes so far."""
    n_scored: int = 0
    """Tokens scored in that time."""
    n_failed: int = 0
    """Chunks that got no scores, or what is no number: their texts stayed whole."""


@dataclass(slots=True, eq=False)
class _Waiter:
    """One text's chunks on their way. Touched under the lock, but for `settle`, which is called once."""

    parts: list[NDArray[np.float32] | None]
    future: Future[Parts] = field(default_factory=Future)
    n_missing: int = 0
    error: ScoringError | None = None
    is_settled: bool = False

    def take(self, at: int, outcome: Outcome) -> bool:
        """Note the outcome of chunk `at`; whether the whole is now known."""
        if isinstance(outcome, ScoringError):
            self.error = self.error or outcome
        else:
            self.parts[at] = outcome
            self.n_missing -= 1
        if self.is_settled or (self.n_missing and not self.error):
            return False
        self.is_settled = True
        return True

    def settle(self) -> None:
        """Resolve the future, unless its holder cancelled it."""
        if not self.future.set_running_or_notify_cancel():
            return
        if self.error:
            self.future.set_exception(self.error)
        else:
            self.future.set_result([part for part in self.parts if part is not None])


@dataclass(frozen=True, slots=True, eq=False)
class Submission:
    """`is_late`: the deadline cannot be met, the chunks were admitted as background work."""

    future: Future[Parts]
    is_late: bool


class Worker:
    """One thread for one scorer."""

    def __init__(self, scorer: Scorer, batcher: Batcher, clock: Callable[[], float]) -> None:
        self._scorer = scorer
        self._reports = scorer if isinstance(scorer, SelfReporting) else None
        self._batcher = batcher
        self._clock = clock
        self._wake = threading.Condition()
        self._waiting: dict[int, tuple[_Waiter, int]] = {}
        self._ids = itertools.count()
        self._busy_s, self._n_scored, self._n_failed = 0.0, 0, 0
        self._end: str | None = None
        self._thread = threading.Thread(target=self._run, name="pith-device", daemon=True)
        self._trouble: str | None = None
        """The last batch failed in every part, or the thread has ended."""

    @property
    def trouble(self) -> str | None:
        """Why nothing is being scored."""
        return (self._reports and self._reports.trouble) or self._trouble

    @property
    def is_lost(self) -> bool:
        """Whether there is no use in trying: the scorer says so, or the thread has ended."""
        return self._end is not None or bool(self._reports and self._reports.trouble)

    @property
    def n_tokens(self) -> int:
        """Queued and running."""
        return self._batcher.n_tokens

    def vitals(self) -> Vitals:
        """How the device is."""
        n_restarts = self._reports.n_restarts if self._reports else 0
        with self._wake:
            now = self._clock()
            return Vitals(
                self._batcher.n_tokens,
                self._batcher.age_s(now),
                self._batcher.batch_bound(now),
                n_restarts,
                self._busy_s,
                self._n_scored,
                self._n_failed,
            )

    def start(self) -> None:
        """Start the thread, unless it runs already or was stopped."""
        with self._wake:
            if self._thread.ident is None and self._end is None:
                self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Answer everybody now and end the thread; waits that long for a forward pass that is under way."""
        self.close()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def close(self) -> None:
        """Answer everybody now and take no more."""
        self._close("the engine was closed")

    def submit(
        self, chunks: Sequence[Chunk], *, owner: int, deadline: float = math.inf, is_background: bool = False
    ) -> Submission:
        """Queue the chunks of one text. Raises Overloaded, or ScorerDown once stopped."""
        waiter = _Waiter([None] * len(chunks), n_missing=len(chunks))
        if not chunks:
            waiter.settle()
            return Submission(waiter.future, False)
        with self._wake:
            if self._end is not None:
                raise ScorerDown(self._end)
            jobs = [Job(next(self._ids), chunk, deadline, owner, is_background) for chunk in chunks]
            admission = self._batcher.add(jobs, self._clock())
            self._waiting.update((job.id, (waiter, at)) for at, job in enumerate(jobs))
            self._wake.notify()
        self._answer((job, ScorerDown("dropped to make room for newer work")) for job in admission.dropped)
        return Submission(waiter.future, admission.is_late)

    def drop(self, owner: int) -> None:
        """The owner has gone: take its chunks out of the queue."""
        with self._wake:
            jobs = self._batcher.cancel(owner)
        self._answer((job, DeadlineExceeded("nobody waits for this text any more")) for job in jobs)

    def _run(self) -> None:
        try:
            while (batch := self._next()) is not None:
                self._answer(
                    (job, DeadlineExceeded("the deadline passed in the queue")) for job in batch.dropped
                )
                if batch.jobs:
                    self._score(batch)
        finally:
            self._close("the device thread has ended")

    def _next(self) -> Batch | None:
        """The next batch; None once stopped."""
        with self._wake:
            self._wake.wait_for(lambda: self._end is not None or bool(self._batcher))
            return None if self._end is not None else self._batcher.next_batch(self._clock())

    def _score(self, batch: Batch) -> None:
        began = self._clock()
        outcomes = self._forward(batch.jobs)
        took_s: float | None = self._clock() - began
        if _any(outcomes, ScoringError):
            took_s = None
            outcomes = self._again(batch.jobs, outcomes)
        with self._wake:
            self._busy_s += self._clock() - began
            self._n_scored += batch.n_tokens
            self._batcher.finished(batch, took_s)
            errors = [outcome for outcome in outcomes if isinstance(outcome, ScoringError)]
            self._n_failed += len(errors)
            if self._end is None and not (self._reports and _any(outcomes, ScorerLost)):
                self._trouble = shown(errors[-1]) if len(errors) == len(outcomes) else None
        self._answer(zip(batch.jobs, outcomes, strict=True))

    def _again(self, jobs: Sequence[Job], outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        """What a failed pass comes to in smaller ones: neither a bad chunk nor too many fail the others."""
        if len(jobs) == 1 or not _any(outcomes, ScoringError) or _any(outcomes, ScorerLost):
            return outcomes
        if _any(outcomes, OutOfMemory):
            return self._in_parts(jobs)
        return [outcome for job in jobs for outcome in self._forward([job])]

    def _in_parts(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Pass by pass, each as large as memory is then thought to take."""
        self._learn(jobs)
        outcomes: list[Outcome] = []
        while rest := jobs[len(outcomes) :]:
            with self._wake:
                some = self._batcher.fitting(rest, self._clock())
            came = self._forward(some)
            if len(some) > 1 and _any(came, OutOfMemory):
                self._learn(some)
            else:
                outcomes += self._again(some, came)
        return outcomes

    def _learn(self, too_many: Sequence[Job]) -> None:
        with self._wake:
            self._batcher.too_large(too_many, self._clock())

    def _forward(self, jobs: Sequence[Job]) -> Sequence[Outcome]:
        """One outcome a job: all scores, or for all the same error."""
        try:
            return _outcomes(self._scorer.forward([job.chunk for job in jobs]), len(jobs))
        except ScoringError as error:  # the scorer's own words
            return [error] * len(jobs)
        except Exception as error:  # noqa: BLE001 - the device thread outlives whatever a model raises
            failure = ScorerDown(f"{type(error).__name__} in the scorer: {error}")
            failure.__cause__ = error
            return [failure] * len(jobs)

    def _answer(self, outcomes: Iterable[tuple[Job, Outcome]]) -> None:
        settled = []
        with self._wake:
            for job, outcome in outcomes:
                waiter, at = self._waiting.pop(job.id, (None, 0))  # gone: answered when the engine was closed
                if waiter is not None and waiter.take(at, outcome):
                    settled.append(waiter)
        for waiter in settled:  # outside the lock: resolving runs the holder's callbacks
            waiter.settle()

    def _close(self, reason: str) -> None:
        """Answer everybody, those whose batch is on the device included, and take no more."""
        with self._wake:
            if self._end is not None:
                return
            self._end = self._trouble = reason
            self._batcher.drain()
            waiters = {id(waiter): waiter for waiter, _ in self._waiting.values()}.values()
            self._waiting.clear()
            settled = [waiter for waiter in waiters if waiter.take(0, ScorerDown(reason))]
            self._wake.notify_all()
        for waiter in settled:
            waiter.settle()


def _outcomes(scores: Parts, n_jobs: int) -> Sequence[Outcome]:
    """What a scorer answered, chunk by chunk; what is no score would spoil what it is merged into."""
    if len(scores) != n_jobs:
        return [ScorerDown(f"the scorer answered {len(scores)} of {n_jobs} chunks")] * n_jobs
    return [one if _are_scores(one) else ScorerDown(NO_SCORES) for one in scores]


def _any(outcomes: Sequence[Outcome], kind: type[ScoringError]) -> bool:
    return any(isinstance(outcome, kind) for outcome in outcomes)


def _are_scores(answer: object) -> bool:
    return isinstance(answer, np.ndarray) and answer.dtype.kind == "f" and bool(np.isfinite(answer).all())


def shown(error: ScoringError) -> str:
    """For everybody to see: not the words of a model's exception, which may quote a text."""
    return f"{type(error.__cause__).__name__} in the scorer" if error.__cause__ else str(error)
