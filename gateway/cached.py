"""Recorded scores in front of an engine: score once, select many.

What is recorded is the score of every word of a whole text (uint16), under a keyed hash of tenant, text and
the scorer's fingerprint; so every policy and every variant shares one forward pass, and the cache holds no
text. What was stored first wins: selection uses what the store returns, so replicas that scored at the same
time agree (law 3). Garbage in the cache is a miss.

What was found in a text before scoring (`compressor.remembered`) is more than half of what a recorded text
costs, and a new rate or threshold does not change it either. It is remembered too, in this process alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol, TypeAlias, TypeVar

import numpy as np

from compressor import Compressed, CompressionParams, ScoreRequest, ScoringError
from compressor.analysis import analyse
from compressor.engine import Late
from compressor.flow import Flow, advance, flow, whole
from compressor.remembered import Remembered, subject
from compressor.types import SCORE_ONE, CacheState, Scores
from gateway.cache.analyses import Analyses
from gateway.hashing import Secret
from gateway.offload import Offload
from gateway.types import Cache

SCORES_TTL_S = 7 * 24 * 3600.0
TURN_CHARACTERS = 128 * 1024
"""Of texts worked on in a row: some 10 ms with recorded analyses."""
_FORMAT = b"1"

T = TypeVar("T")


class ScoreSource(Protocol):
    """What gives scores: the engine."""

    @property
    def fingerprint(self) -> str:
        """Equal fingerprints give equal scores."""

    async def score(
        self, requests: Sequence[ScoreRequest], *, deadline_s: float | None = None, late: Late | None = None
    ) -> list[Scores | ScoringError]:
        """Scores, or why there are none; what comes after the deadline is handed to `late`."""


Answer: TypeAlias = Scores | ScoringError | None
"""What a flow is told: scores, why there are none, or None to begin."""


@dataclass(slots=True, eq=False)
class _Run:
    """One text's flow, and what it waits for or has come to."""

    text: str
    params: CompressionParams
    steps: Flow = field(init=False)
    digest: bytes = b""
    """Keyed hash of tenant and text."""
    analysis: Remembered | None = None
    """To be remembered."""
    request: ScoreRequest | None = None
    result: Compressed | None = None
    cache: CacheState = "hit"
    """Of its scores, once it has asked for some."""

    def begin(self, remembered: Remembered | None) -> None:
        """On to the first request, or to the result, from the remembered analysis if there is one."""
        known = remembered.of_text(self.text) if remembered is not None else None
        if known is None and not self.params.marks:
            known = analyse(self.text, self.params)
            self.analysis = Remembered.of(known)
        self.steps = flow(self.text, self.params, known)
        self.advance(None)

    def advance(self, answer: Answer) -> None:
        """On to the next request or to the result."""
        if isinstance(answer, ScoringError):
            self.result = whole(self.text, self.params, answer.skip)
            return
        step = advance(self.steps, answer)
        if isinstance(step, ScoreRequest):
            self.request = step
        else:
            self.result = replace(step, cache=self.cache if self.request else None)


class CachedCompressor:
    """A `Compressor` that asks the cache before the engine."""

    def __init__(
        self, engine: ScoreSource, cache: Cache, analyses: Analyses, secret: Secret, offload: Offload
    ) -> None:
        self._engine = engine
        self._cache = cache
        self._analyses = analyses
        self._secret = secret
        self._offload = offload
        self._background: set[asyncio.Task[object]] = set()

    async def compress(
        self,
        texts: Sequence[str],
        params: CompressionParams,
        *,
        tenant: str = "",
        deadline_s: float | None = None,
    ) -> list[Compressed]:
        """One result a text, in order. Texts that are not scored in time are left whole, with the reason."""
        work = self._in_background(self._compress(texts, params, tenant, deadline_s))
        try:
            async with asyncio.timeout(deadline_s):
                return await asyncio.shield(work)
        except TimeoutError:  # the work goes on and its scores are recorded: the next conversation profits
            return await asyncio.to_thread(
                lambda: [whole(text, params, "deadline", in_haste=True) for text in texts]
            )
        except asyncio.CancelledError:  # the client has left: what is queued for it is dropped
            work.cancel()
            raise

    async def _compress(
        self, texts: Sequence[str], params: CompressionParams, tenant: str, deadline_s: float | None
    ) -> list[Compressed]:
        loop = asyncio.get_running_loop()
        deadline = None if deadline_s is None else loop.time() + deadline_s
        size = sum(map(len, texts))
        runs = [_Run(text, params) for text in texts]
        await self._begin(runs, params, tenant)
        while pending := [run for run in runs if run.result is None]:
            left_s = None if deadline is None else max(0.0, deadline - loop.time())
            answers = await self._answers(pending, left_s)
            for turn in _turns(pending):
                await self._offload(size, _advance_all, pending[turn], answers[turn])
        return [run.result for run in runs if run.result is not None]

    async def _begin(self, runs: Sequence[_Run], params: CompressionParams, tenant: str) -> None:
        """Every run to its first request or its result; new analyses are remembered."""
        size = sum(len(run.text) for run in runs)
        await self._offload(size, self._digests, runs, tenant)
        keys = self._keys(b"analysis", runs, subject(params))
        values = [self._analyses.find(key) for key in keys]
        for turn in _turns(runs):
            await self._offload(size, _begin_all, runs[turn], values[turn])
        for key, run in zip(keys, runs, strict=True):
            if run.analysis is not None:
                self._analyses.keep(key, run.analysis)

    async def _answers(self, runs: Sequence[_Run], deadline_s: float | None) -> list[Answer]:
        """The recorded scores of each text, or the engine's, which are recorded."""
        keys = self._keys(b"scores", runs, self._engine.fingerprint.encode())
        values = await self._cache.get_many(keys)
        answers: list[Answer] = [_read(value, run) for value, run in zip(values, runs, strict=True)]
        missing = [i for i, answer in enumerate(answers) if answer is None]
        requests = [request for i in missing if (request := runs[i].request) is not None]
        late = partial(self._record_late, [(keys[i], runs[i]) for i in missing])
        scored = await self._engine.score(requests, deadline_s=deadline_s, late=late) if missing else []
        for i, scores in zip(missing, scored, strict=True):
            runs[i].cache = "miss"
            answers[i] = (
                scores if isinstance(scores, ScoringError) else await self._record(keys[i], runs[i], scores)
            )
        return answers

    def _digests(self, runs: Sequence[_Run], tenant: str) -> None:
        for run in runs:
            text = run.text.encode("utf-8", "surrogatepass")
            run.digest = self._secret.keyed(b"words", tenant.encode(), text)

    def _keys(self, kind: bytes, runs: Sequence[_Run], subject: bytes) -> list[bytes]:
        """Where something about each text is recorded; `subject` is what it depends on besides the text."""
        return [self._secret.keyed(kind, run.digest, subject) for run in runs]

    async def _record(self, key: bytes, run: _Run, scores: Scores) -> Scores:
        """The scores in force: those stored first."""
        stored = _read(await self._cache.put_if_absent(key, _pack_scores(scores), SCORES_TTL_S), run)
        return scores if stored is None else stored

    def _record_late(self, missing: Sequence[tuple[bytes, _Run]], index: int, scores: Scores) -> None:
        key, run = missing[index]
        self._in_background(self._record(key, run, scores))

    def _in_background(self, work: Coroutine[object, object, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task


def _turns(runs: Sequence[_Run]) -> Iterator[slice]:
    """Consecutive runs of about TURN_CHARACTERS each: between two turns, other requests take theirs."""
    start = n_characters = 0
    for end, run in enumerate(runs, start=1):
        n_characters += len(run.text)
        if n_characters >= TURN_CHARACTERS or end == len(runs):
            yield slice(start, end)
            start, n_characters = end, 0


def _begin_all(runs: Sequence[_Run], remembered: Sequence[Remembered | None]) -> None:
    for run, value in zip(runs, remembered, strict=True):
        run.begin(value)


def _advance_all(runs: Sequence[_Run], answers: Sequence[Answer]) -> None:
    for run, answer in zip(runs, answers, strict=True):
        run.advance(answer)


def _pack_scores(scores: Scores) -> bytes:
    return _FORMAT + scores.astype("<u2").tobytes()


def _read(value: bytes | None, run: _Run) -> Scores | None:
    """Recorded scores if they are what this text's words want, else None."""
    n_words = len(run.request.words) if run.request is not None else 0
    if value is None or value[:1] != _FORMAT or len(value) != 1 + 2 * n_words:
        return None
    scores = np.frombuffer(value, "<u2", offset=1).astype(np.uint16)
    return scores if not n_words or int(scores.max()) <= SCORE_ONE else None
