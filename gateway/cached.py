"""Recorded scores in front of an engine: score once, select many.

What is recorded of a text is the score of every word (uint16), under a keyed hash of tenant, text and the
scorer's fingerprint, and what was found in it, under one of tenant, text and what is protected and forced.
So all policies, variants, replicas and model families share one forward pass and one look at the text, and
the cache holds no text. Of scores what was stored first wins: selection uses what the store returns, so
replicas that scored at the same time agree (law 3). Garbage in the cache is a miss.

In front of the cache this process remembers what it found, and what words weigh in target tokens, as arrays.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol, TypeVar

from compressor import Compressed, CompressionParams, ScoreRequest, ScoringError, counter
from compressor.analysis import Weights, conclude, left_whole, weigh
from compressor.engine import Late
from compressor.findings import Found, find, of_text, without_text
from compressor.flow import Flow, advance, flow, whole
from compressor.packed import pack, unpack
from compressor.tokens import Tokens
from compressor.turns import give_way
from compressor.types import CacheState, Scores
from gateway.cache.analyses import Analyses
from gateway.hashing import Secret
from gateway.offload import Offload
from gateway.recorded import findings_subject, pack_scores, read_scores
from gateway.types import Cache

RECORDS_TTL_S = 7 * 24 * 3600.0
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


@dataclass(frozen=True, slots=True)
class _Keys:
    """Where things about one text are recorded or remembered."""

    scores: bytes
    findings: bytes
    weights: bytes


@dataclass(slots=True, eq=False)
class _Run:
    """One text's way: what is known of it, its flow, and what that waits for or has come to."""

    text: str
    params: CompressionParams
    keys: _Keys = field(init=False)
    found: Found | None = None
    """Without the text."""
    tokens: Tokens | None = None
    weights: Weights | None = None
    recorded_scores: bytes | None = None
    recorded_findings: bytes | None = None
    to_record: bytes | None = None
    """Findings that were not on record."""
    steps: Flow = field(init=False)
    request: ScoreRequest | None = None
    answer: Scores | ScoringError | None = None
    """The engine's, where no scores were on record."""
    result: Compressed | None = None

    def recall(self, analyses: Analyses) -> None:
        """What this process remembers. Texts with marks are analysed as they are without them, and anew."""
        if not self.params.marks:
            self.found = analyses.findings.find(self.keys.findings)
            self.weights = analyses.weights.find(self.keys.weights)

    def measure(self) -> None:
        """Count its tokens, and be done if they are few."""
        if self.params.marks:
            return
        if self.weights is None:
            self.tokens = counter(self.params.tokenizer).encode(self.text)
            n_tokens = len(self.tokens)
        else:
            n_tokens = self.weights.origin_tokens
        if n_tokens < self.params.min_tokens:
            self.result = left_whole(self.text, n_tokens, "short")

    def begin(self) -> None:
        """On to the result with recorded scores, or to the request for some."""
        if self.params.marks:
            self.steps = flow(self.text, self.params)
        else:
            found = self._found()
            if self.weights is None:
                assert self.tokens is not None
                self.weights = weigh(found, self.tokens, self.params)
            self.steps = flow(self.text, self.params, conclude(self.text, self.params, found, self.weights))
        self._advance(None)
        if self.request is not None:
            scores = read_scores(self.recorded_scores, len(self.request.words))
            if scores is not None:
                self._advance(scores, cache="hit")

    def resume(self) -> None:
        """On to the result with the engine's answer."""
        if isinstance(self.answer, ScoringError):
            self.result = whole(self.text, self.params, self.answer.skip)
        else:
            self._advance(self.answer, cache="miss")

    def _found(self) -> Found:
        """What is in the text: remembered, recorded, or found now."""
        if self.found is not None:
            return of_text(self.found, self.text)
        found = unpack(self.recorded_findings or b"", self.text)
        if found is None:
            found = find(self.text, self.params)
            self.to_record = pack(found, self.text)
        self.found = without_text(found)
        return found

    def _advance(self, scores: Scores | None, cache: CacheState | None = None) -> None:
        """On to the next request or to the result."""
        step = advance(self.steps, scores)
        if isinstance(step, ScoreRequest):
            self.request = step
        else:
            self.result = replace(step, cache=cache)


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
        runs = [_Run(text, params) for text in texts]
        await self._offload(sum(map(len, texts)), self._name, runs, tenant)
        for run in runs:
            run.recall(self._analyses)
        await self._in_turns(_Run.measure, runs)
        begun = [run for run in runs if run.result is None]
        await self._fetch(begun)
        await self._in_turns(_Run.begin, begun)
        self._remember(begun)
        if unscored := [run for run in begun if run.result is None]:
            left_s = None if deadline is None else max(0.0, deadline - loop.time())
            await self._score(unscored, left_s)
            await self._in_turns(_Run.resume, unscored)
        return [run.result for run in runs if run.result is not None]

    async def _in_turns(self, step: Callable[[_Run], None], runs: Sequence[_Run]) -> None:
        """The step for every run; between two turns, other requests take theirs."""
        for turn in _turns(runs):
            size = sum(len(run.text) for run in turn)
            await self._offload(size, _each, step, turn)

    def _name(self, runs: Sequence[_Run], tenant: str) -> None:
        """The keys of each text."""
        for run in runs:
            text = run.text.encode("utf-8", "surrogatepass")
            digest = self._secret.keyed(b"words", tenant.encode(), text)
            fingerprint, tokenizer = self._engine.fingerprint.encode(), run.params.tokenizer.encode()
            run.keys = _Keys(
                self._secret.keyed(b"scores", digest, fingerprint),
                self._secret.keyed(b"findings", digest, findings_subject(run.params)),
                self._secret.keyed(b"weights", digest, tokenizer),
            )

    async def _fetch(self, runs: Sequence[_Run]) -> None:
        """What is on record of each text, at one go."""
        wanted = [run for run in runs if run.found is None and not run.params.marks]
        keys = [run.keys.scores for run in runs] + [run.keys.findings for run in wanted]
        values = await self._cache.get_many(keys) if keys else []
        for run, value in zip(runs, values, strict=False):
            run.recorded_scores = value
        for run, value in zip(wanted, values[len(runs) :], strict=True):
            run.recorded_findings = value

    def _remember(self, runs: Sequence[_Run]) -> None:
        """What was found, here and, after the answer, in the cache."""
        for run in runs:
            if run.found is not None:
                self._analyses.findings.keep(run.keys.findings, run.found)
            if run.weights is not None:
                self._analyses.weights.keep(run.keys.weights, run.weights)
        found = [(run.keys.findings, run.to_record) for run in runs if run.to_record is not None]
        if found:
            self._in_background(self._record_all(found))

    async def _record_all(self, values: Sequence[tuple[bytes, bytes]]) -> None:
        for key, value in values:
            await self._cache.put_if_absent(key, value, RECORDS_TTL_S)

    async def _score(self, runs: Sequence[_Run], deadline_s: float | None) -> None:
        """The engine's scores, which are recorded."""
        requests = [run.request for run in runs if run.request is not None]
        late = partial(self._record_late, runs)
        scored = await self._engine.score(requests, deadline_s=deadline_s, late=late)
        answers = (self._in_force(run, scores) for run, scores in zip(runs, scored, strict=True))
        for run, answer in zip(runs, await asyncio.gather(*answers), strict=True):
            run.answer = answer

    async def _in_force(self, run: _Run, scores: Scores | ScoringError) -> Scores | ScoringError:
        """The scores stored first, if there are scores."""
        return scores if isinstance(scores, ScoringError) else await self._record(run, scores)

    async def _record(self, run: _Run, scores: Scores) -> Scores:
        stored = await self._cache.put_if_absent(run.keys.scores, pack_scores(scores), RECORDS_TTL_S)
        in_force = read_scores(stored, len(scores))
        return scores if in_force is None else in_force

    def _record_late(self, runs: Sequence[_Run], index: int, scores: Scores) -> None:
        self._in_background(self._record(runs[index], scores))

    def _in_background(self, work: Coroutine[object, object, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task


def _turns(runs: Sequence[_Run]) -> Iterator[Sequence[_Run]]:
    """Consecutive runs of about TURN_CHARACTERS each."""
    start = n_characters = 0
    for end, run in enumerate(runs, start=1):
        n_characters += len(run.text)
        if n_characters >= TURN_CHARACTERS or end == len(runs):
            yield runs[start:end]
            start, n_characters = end, 0


def _each(step: Callable[[_Run], None], runs: Sequence[_Run]) -> None:
    for run in runs:
        give_way()
        step(run)
