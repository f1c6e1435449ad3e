"""Recorded scores in front of an engine: score once, select many.

What is recorded of a text, each under a keyed hash of tenant, text and what it depends on besides: the score
of every word (the scorer's fingerprint), what was found in it (what is protected and forced), and what its
words weigh (the tokenizer). So all policies, variants, replicas and model families share one forward pass and
one look at the text, and the cache holds no text. Of scores what was stored first wins: selection uses what
the store returns, so replicas that scored at the same time agree (law 3). Garbage in the cache is a miss.

In front of the cache this process remembers findings and weights, as arrays.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol, TypeVar

from compressor import Compressed, CompressionParams, ScoreRequest, ScoringError
from compressor.engine import Late
from compressor.findings import Findings
from compressor.types import Scores
from gateway.cache.analyses import Analyses
from gateway.chunk_records import ChunkRecords
from gateway.hashing import Secret
from gateway.offload import Offload
from gateway.recorded import (
    RECORDS_TTL_S,
    contents_subject,
    findings_subject,
    pack_scores,
    read_scores,
    weights_subject,
)
from gateway.run import Keys, Records, Run, begin_all, resume_all, too_late
from gateway.types import Cache

PUTS_AT_ONCE = 8
"""A store outside the process wants some 0.1 ms of the event loop for each."""
TURN_CHARACTERS = 128 * 1024
"""Of texts worked on in a row: some 10 ms with recorded findings."""

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
            return await asyncio.to_thread(too_late, texts, params)
        except asyncio.CancelledError:  # the client has left: what is queued for it is dropped
            work.cancel()
            raise

    async def _compress(
        self, texts: Sequence[str], params: CompressionParams, tenant: str, deadline_s: float | None
    ) -> list[Compressed]:
        loop = asyncio.get_running_loop()
        deadline = None if deadline_s is None else loop.time() + deadline_s
        runs = [Run(text, params) for text in texts]
        await self._offload(sum(map(len, texts)), self._name, runs, params, tenant)
        begun = [run for run in runs if run.result is None]
        await self._fetch(begun)
        await self._in_turns(begin_all, begun)
        self._remember(begun)
        if unscored := [run for run in begun if run.result is None]:
            left_s = None if deadline is None else max(0.0, deadline - loop.time())
            await self._score(unscored, tenant, left_s)
            await self._in_turns(resume_all, unscored)
        return [run.result for run in runs if run.result is not None]

    async def _in_turns(self, step: Callable[[Sequence[Run]], None], runs: Sequence[Run]) -> None:
        """The step for all runs; between two turns, other requests take theirs."""
        for turn in _turns(runs):
            await self._offload(sum(len(run.text) for run in turn), step, turn)

    def _name(self, runs: Sequence[Run], params: CompressionParams, tenant: str) -> None:
        """The keys of each text, but for those that are done because they are clearly short."""
        subjects = {
            b"scores": self._engine.fingerprint.encode(),
            b"findings": findings_subject(params),
            b"weights": weights_subject(params),
            b"contents": contents_subject(params),
        }
        for run in runs:
            run.measure()
            if run.result is None:
                text = run.text.encode("utf-8", "surrogatepass")
                digest = self._secret.keyed(b"words", tenant.encode(), text)
                run.keys = Keys(*(self._secret.keyed(kind, digest, on) for kind, on in subjects.items()))

    async def _fetch(self, runs: Sequence[Run]) -> None:
        """What this process remembers of each text, and what else is on record, at one go."""
        for run in runs:
            if not run.params.may_cut_first:
                run.found = self._analyses.findings.find(run.keys.findings)
                run.alike = self._analyses.contents.find(run.keys.contents)
                run.weights = self._analyses.weights.find(run.keys.weights)
        wanted = [key for run in runs for key in run.wanted()]
        values = dict(zip(wanted, await self._cache.get_many(wanted), strict=True)) if wanted else {}
        for run in runs:
            keys = (run.keys.scores, run.keys.findings, run.keys.weights)
            run.records = Records(*(values.get(key) for key in keys))

    def _remember(self, runs: Sequence[Run]) -> None:
        """What was found, here and, in the background, in the cache."""
        for run in runs:
            if run.found is not None and run.weights is not None:
                self._analyses.findings.keep(run.keys.findings, run.found)
                if isinstance(run.found, Findings):
                    self._analyses.contents.keep(run.keys.contents, run.found)
                self._analyses.weights.keep(run.keys.weights, run.weights)
        found = [record for run in runs for record in run.to_record]
        if found:
            self._in_background(self._record_all(found))

    async def _record_all(self, values: Sequence[tuple[bytes, bytes]]) -> None:
        for key, value in values:
            await self._cache.put_if_absent(key, value, RECORDS_TTL_S)

    async def _score(self, runs: Sequence[Run], tenant: str, deadline_s: float | None) -> None:
        """The engine's scores, which are recorded."""
        shelf = ChunkRecords(
            self._cache, self._secret, self._offload, tenant, self._engine.fingerprint, self._in_background
        )
        requests = [replace(run.request, shelf=shelf) for run in runs if run.request is not None]
        late = partial(self._record_late, runs)
        scored = await self._engine.score(requests, deadline_s=deadline_s, late=late)
        for at in range(0, len(runs), PUTS_AT_ONCE):
            some = slice(at, at + PUTS_AT_ONCE)
            await asyncio.gather(*map(self._settle, runs[some], scored[some]))

    async def _settle(self, run: Run, scores: Scores | ScoringError) -> None:
        """What the text is told: the scores stored first, if there are scores."""
        run.answer = scores if isinstance(scores, ScoringError) else await self._record(run, scores)

    async def _record(self, run: Run, scores: Scores) -> Scores:
        stored = await self._cache.put_if_absent(run.keys.scores, pack_scores(scores), RECORDS_TTL_S)
        in_force = read_scores(stored, len(scores))
        return scores if in_force is None else in_force

    def _record_late(self, runs: Sequence[Run], index: int, scores: Scores) -> None:
        self._in_background(self._record(runs[index], scores))

    def _in_background(self, work: Coroutine[object, object, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task


def _turns(runs: Sequence[Run]) -> Iterator[Sequence[Run]]:
    """Consecutive runs of about TURN_CHARACTERS each."""
    start = n_characters = 0
    for end, run in enumerate(runs, start=1):
        n_characters += len(run.text)
        if n_characters >= TURN_CHARACTERS or end == len(runs):
            yield runs[start:end]
            start, n_characters = end, 0
