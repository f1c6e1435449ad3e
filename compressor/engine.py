"""The local engine: texts → chunks (thread pool) → batcher → device thread → word scores (pool), and `flow`
around it. Of several devices each has a batcher and a thread of its own.

Law 7: whoever waits is answered, by a result, an error or the deadline, and an answer never waits for the
device. Scores depend on the text alone, so what the batcher does shows in nothing but time. The event loop
only passes things on: whatever costs more than microseconds runs in a thread.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import ParamSpec, TypeAlias, TypeVar, cast

import numpy as np

from compressor.batcher import Batcher
from compressor.compat_chunks import Vocabulary
from compressor.compat_flow import compat_flow, vocabulary_of
from compressor.errors import DeadlineExceeded, Overloaded, ParamsError, ScorerDown, ScoringError
from compressor.flow import ScoreRequest, advance, flow, whole
from compressor.params import CompressionParams
from compressor.replicas import Replicas, by_device
from compressor.shelf import Shelved, subjects_of
from compressor.types import SCORE_ONE, Chunk, Compressed, Scorer, Scores, SkipReason, Words
from compressor.worker import NO_SCORES, Parts, Submission, Vitals, Worker, shown

P = ParamSpec("P")
T = TypeVar("T")

Late: TypeAlias = Callable[[int, Scores], None]
"""Told the index of a text and its scores, on the event loop, after `score` had to answer without them."""

Tell: TypeAlias = Callable[[Scores], None]
"""`Late` for one text."""

_CLOSING_S = 5.0
"""How long `aclose` waits for a forward pass under way; whoever waits for its scores is answered before."""


@dataclass(slots=True, eq=False)
class _Call:
    """What the texts of a call share. `gate` bounds their work in the pool, so calls take turns there."""

    owner: int
    deadline_s: float | None
    deadline: float
    is_background: bool
    gate: asyncio.Semaphore
    is_abandoned: bool = False


class Engine:
    """A scorer and what feeds it; a `Compressor`. Starts with `async with` or its first use.

    `max_batch_tokens` bounds a forward pass, `max_queue_tokens` what may wait for one, `max_queue_age_s` for
    how long before whoever comes with a deadline is refused; `threads` tokenize and select.
    """

    def __init__(
        self,
        scorer: Scorer,
        *,
        max_batch_tokens: int = 16_384,
        max_queue_tokens: int = 1_048_576,
        max_queue_age_s: float = math.inf,
        threads: int = 2,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        for name, bound in (("max_batch_tokens", max_batch_tokens), ("max_queue_tokens", max_queue_tokens)):
            if bound < 1:
                raise ParamsError(f"{name} is {bound!r}: must be at least 1")
        self._scorer = scorer
        self._clock = clock
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, "pith-pool")
        self._devices = Replicas(
            {
                name: Worker(replica, Batcher(max_batch_tokens, max_queue_tokens, max_queue_age_s), clock)
                for name, replica in by_device(scorer).items()
            },
            clock,
        )
        self._owners = itertools.count()
        self._background: set[asyncio.Task[Scores]] = set()
        self._trouble: str | None = None
        """Why the last text got no scores although the device gave some, or could have."""

    @property
    def fingerprint(self) -> str:
        """The scorer's: equal fingerprints give equal scores."""
        return self._scorer.fingerprint

    @property
    def degraded(self) -> str | None:
        """Why texts are left whole, or which devices are down; None while all is well."""
        return self._devices.trouble or self._trouble

    def vitals(self) -> dict[str, Vitals]:
        """How each device is, by its name."""
        return self._devices.vitals()

    @property
    def vocabulary(self) -> Vocabulary:
        """For fidelity compat; read when first asked for. Raises ParamsError or ModelError if none."""
        return vocabulary_of(self._scorer)

    async def __aenter__(self) -> Engine:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def start(self) -> None:
        """Start the device threads."""
        self._devices.start()

    async def aclose(self) -> None:
        """Answer whoever still waits with ScorerDown and end the threads."""
        for task in self._background:
            task.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self._devices.stop, _CLOSING_S)

    async def compress(
        self,
        texts: Sequence[str],
        params: CompressionParams,
        *,
        tenant: str = "",
        deadline_s: float | None = None,
    ) -> list[Compressed]:
        """Compress each text by itself. Trouble with scores leaves a text whole, the reason in `skip`.

        `tenant` is for compressors that keep something; this one keeps nothing.
        """
        call = self._call(deadline_s, is_background=False)
        tasks = [asyncio.create_task(self._compress(text, params, call)) for text in texts]
        outcomes = await self._outcomes(call, tasks)
        missed = [
            (text, error)
            for text, error in zip(texts, outcomes, strict=True)
            if isinstance(error, ScoringError)
        ]
        # not in the pool: when texts miss their deadline, it has a queue
        left = iter(await asyncio.to_thread(_leave_whole, missed, params) if missed else ())
        return [next(left) if isinstance(outcome, ScoringError) else outcome for outcome in outcomes]

    def compress_sync(self, texts: Sequence[str], params: CompressionParams) -> list[Compressed]:
        """`compress` for scripts and notebooks: on an event loop of its own, in a thread of its own."""
        with ThreadPoolExecutor(1, "pith-sync") as runner:
            return runner.submit(lambda: asyncio.run(self.compress(texts, params))).result()

    async def score(
        self, requests: Sequence[ScoreRequest], *, deadline_s: float | None = None, late: Late | None = None
    ) -> list[Scores | ScoringError]:
        """The scores of each text, or why there are none. Cancelling the call drops its queued chunks.

        With `late`, a text that misses the deadline is scored in the background, when nothing is urgent, and
        handed to it; one that is sure to miss it is answered Overloaded at once.
        """
        call = self._call(deadline_s, is_background=late is not None)
        tells = [partial(late, at) if late else None for at in range(len(requests))]
        tasks = [
            asyncio.create_task(self._score(request, call, tell))
            for request, tell in zip(requests, tells, strict=True)
        ]
        outcomes = await self._outcomes(call, tasks)
        for task, tell in zip(tasks, tells, strict=True):
            if tell is not None and not task.done():
                self._leave_running(task, tell)
        return outcomes

    async def score_rows(self, chunks: Sequence[Chunk], *, deadline_s: float | None = None) -> Parts:
        """The probabilities of rows of fidelity compat. Raises ScoringError; cancelling drops them."""
        call = self._call(deadline_s, is_background=False)
        [outcome] = await self._outcomes(call, [asyncio.create_task(self._score_rows(chunks, call))])
        if isinstance(outcome, ScoringError):
            raise outcome
        return outcome

    def _call(self, deadline_s: float | None, *, is_background: bool) -> _Call:
        self._devices.start()
        deadline = math.inf if deadline_s is None else self._clock() + deadline_s
        gate = asyncio.Semaphore(self._threads)
        return _Call(next(self._owners), deadline_s, deadline, is_background, gate)

    async def _outcomes(self, call: _Call, tasks: Sequence[asyncio.Task[T]]) -> list[T | ScoringError]:
        """What has come of each task by the deadline. Raises what is no ScoringError."""
        if not tasks:
            return []
        try:
            _, pending = await asyncio.wait(tasks, timeout=call.deadline_s)
        except asyncio.CancelledError:
            self._abandon(call, tasks)
            raise
        if pending and not call.is_background:
            self._abandon(call, pending)
        late = DeadlineExceeded(
            f"no scores within {call.deadline_s} s: allow more time or use a faster scorer"
        )
        outcomes = [late if task in pending else _outcome(task) for task in tasks]
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, ScoringError):
                raise outcome
        return cast(list[T | ScoringError], outcomes)

    def _abandon(self, call: _Call, tasks: Iterable[asyncio.Task[T]]) -> None:
        """Nobody waits for these any more."""
        for task in tasks:
            task.cancel()
        call.is_abandoned = True
        self._devices.drop(call.owner)

    def _leave_running(self, task: asyncio.Task[Scores], tell: Tell) -> None:
        """Hand the task's scores to `tell` when they come."""

        def finished(task: asyncio.Task[Scores]) -> None:
            self._background.discard(task)
            if not task.cancelled() and task.exception() is None:
                tell(task.result())

        self._background.add(task)
        task.add_done_callback(finished)

    async def _compress(self, text: str, params: CompressionParams, call: _Call) -> Compressed:
        if params.fidelity == "compat":
            return await self._compress_compat(text, params, call)
        steps = flow(text, params)
        step = (await self._in_pool(call, advance, steps, None)).result()
        while isinstance(step, ScoreRequest):
            scores = await self._score(step, call, None)
            step = (await self._in_pool(call, advance, steps, scores)).result()
        return step

    async def _compress_compat(self, text: str, params: CompressionParams, call: _Call) -> Compressed:
        vocabulary = (await self._in_pool(call, vocabulary_of, self._scorer)).result()
        steps = compat_flow(text, params, vocabulary)
        step = (await self._in_pool(call, advance, steps, None)).result()
        while not isinstance(step, Compressed):
            parts = await self._score_rows(step, call)
            step = (await self._in_pool(call, advance, steps, parts)).result()
        return step

    async def _score_rows(self, chunks: Sequence[Chunk], call: _Call) -> Parts:
        submission = self._devices.submit(
            chunks, owner=call.owner, deadline=call.deadline, is_background=call.is_background
        )
        return await asyncio.wrap_future(submission.future)

    async def _score(self, request: ScoreRequest, call: _Call, tell: Tell | None) -> Scores:
        chunks, submission = self._from_scorer(await self._in_pool(call, self._encode, request, call))
        shelved = None
        if submission is None:
            shelved = await self._on_shelf(request, chunks)
            missing = shelved.missing(chunks)
            submission = self._from_scorer(await self._in_pool(call, self._submit, missing, call))
        rest = self._merge(request, chunks, submission.future, call, shelved)
        if submission.is_late and tell is not None:
            self._leave_running(asyncio.create_task(rest), tell)
            raise Overloaded("the deadline cannot be met: the text is scored in the background")
        return await rest

    def _encode(self, request: ScoreRequest, call: _Call) -> tuple[list[Chunk], Submission | None]:
        """In the pool: queued from there, the device need not wait for the event loop. None: not queued yet,
        since some may be on the shelf."""
        chunks = self._scorer.encode(request.text, request.words)
        if request.shelf is not None and subjects_of(chunks):
            return chunks, None
        return chunks, self._submit(chunks, call)

    async def _on_shelf(self, request: ScoreRequest, chunks: Sequence[Chunk]) -> Shelved:
        assert request.shelf is not None
        subjects = subjects_of(chunks)
        return Shelved(request.shelf, subjects, await request.shelf.find(subjects))

    def _submit(self, chunks: Sequence[Chunk], call: _Call) -> Submission:
        submission = self._devices.submit(
            chunks, owner=call.owner, deadline=call.deadline, is_background=call.is_background
        )
        if call.is_abandoned:  # meanwhile; whoever looks second, here or in `_abandon`, takes the chunks out
            self._devices.drop(call.owner)
        return submission

    async def _merge(
        self,
        request: ScoreRequest,
        chunks: list[Chunk],
        parts: Future[Parts],
        call: _Call,
        shelved: Shelved | None,
    ) -> Scores:
        scored = await asyncio.wrap_future(parts)
        if shelved is not None:
            scored = shelved.completed(scored)
        scores = self._from_scorer(await self._in_pool(call, self._merged, request.words, chunks, scored))
        self._trouble = None
        return scores

    def _merged(self, words: Words, chunks: Sequence[Chunk], parts: Parts) -> Scores:
        """In the pool: what goes from here to selection, and on record, is one score a word."""
        scores = self._scorer.merge(words, chunks, parts)
        if not _fit(scores, words):
            raise ScorerDown(NO_SCORES)
        return scores

    def _from_scorer(self, work: asyncio.Future[T]) -> T:
        """The result of a scorer's own step, whose failures are the scorer's."""
        error = work.exception()
        if error is None:
            return work.result()
        failure = error
        if not isinstance(failure, ScoringError):
            failure = ScorerDown(f"{type(error).__name__} in the scorer: {error}")
            failure.__cause__ = error
        if isinstance(failure, ScorerDown):
            self._trouble = shown(failure)
        raise failure

    async def _in_pool(
        self, call: _Call, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> asyncio.Future[T]:
        """The finished work; its result or exception is the caller's to read."""
        async with call.gate:
            try:
                work = asyncio.wrap_future(self._pool.submit(function, *args, **kwargs))
            except RuntimeError as error:  # the pool takes nothing after shutdown
                raise ScorerDown("the engine was closed") from error
            try:
                await asyncio.wait([work])
            finally:
                work.cancel()
        return work


def _fit(scores: object, words: Words) -> bool:
    return (
        isinstance(scores, np.ndarray)
        and scores.dtype == np.uint16
        and scores.shape == (len(words),)
        and int(scores.max(initial=0)) <= SCORE_ONE
    )


def _outcome(task: asyncio.Task[T]) -> T | BaseException:
    """What has come of a finished task."""
    if task.cancelled():  # not by the caller: those who cancel do not ask
        return ScorerDown("the engine was closed")
    return task.exception() or task.result()


def _leave_whole(missed: Sequence[tuple[str, ScoringError]], params: CompressionParams) -> list[Compressed]:
    return [whole(text, params, cast(SkipReason, error.skip)) for text, error in missed]
