"""Compresses the cases and takes the time, the processor's too: on a machine that others use, only that is
comparable."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import cast

import numpy as np
from numpy import float32
from numpy.typing import NDArray

from compressor import CompressionParams, Engine
from compressor.bench import MODEL, RECIPE, Laps
from compressor.bench import compress as staged
from compressor.scorers.rows import Row
from compressor.types import Chunk, Scorer, Scores, Words
from gateway.throughput.cases import Case

PARAMS = CompressionParams(rate=0.5)


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one case: wall and processor seconds for `tokens` model tokens, and of single calls the middle and
    the 99th of a hundred. `given_tokens` went to the model: halos and control tokens besides."""

    tokens: int
    given_tokens: int
    seconds: float
    cpu_seconds: float
    forward_seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def per_second(self) -> float:
        """Tokens a second, by the clock."""
        return self.tokens / self.seconds

    @property
    def cpu_us(self) -> float:
        """Processor time a token."""
        return self.cpu_seconds / self.tokens * 1e6


class Meter:
    """The scorer, with what goes through it counted. A `Scorer`."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer
        self.fingerprint = scorer.fingerprint
        self.reset()

    def reset(self) -> None:
        """Count from nothing."""
        self.tokens = self.given_tokens = 0
        self.seconds = 0.0

    def encode(self, text: str, words: Words) -> list[Chunk]:
        """As the scorer does."""
        return self._scorer.encode(text, words)

    def forward(self, batch: Sequence[Chunk]) -> list[NDArray[float32]]:
        """As the scorer does, counted."""
        began = time.perf_counter()
        scores = self._scorer.forward(batch)
        self.seconds += time.perf_counter() - began
        self.tokens += sum(map(len, scores))
        self.given_tokens += sum(chunk.n_tokens for chunk in batch)
        return scores

    def merge(self, words: Words, chunks: Sequence[Chunk], scores: Sequence[NDArray[float32]]) -> Scores:
        """As the scorer does."""
        return self._scorer.merge(words, chunks, scores)


async def measure(engine: Engine, meter: Meter, case: Case, seed: str) -> Figures:
    """One run, over texts that another seed has not."""
    calls = case.calls(seed)
    meter.reset()
    began, computed = time.perf_counter(), time.process_time()
    latencies = sorted(await asyncio.gather(*(_call(engine, texts) for texts in calls)))
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - computed
    last = latencies[min(len(latencies) - 1, int(0.99 * len(latencies)))]
    return Figures(
        tokens=meter.tokens,
        given_tokens=meter.given_tokens,
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        forward_seconds=meter.seconds,
        p50_ms=median(latencies) * 1e3,
        p99_ms=last * 1e3,
    )


async def _call(engine: Engine, texts: Sequence[str]) -> float:
    began = time.perf_counter()
    results = await engine.compress(texts, PARAMS)
    took = time.perf_counter() - began
    if failed := {result.skip for result in results} & {"scorer_down", "overloaded", "deadline"}:
        raise RuntimeError(f"texts went whole ({failed}): {engine.degraded or 'no reason given'}")
    return took


@dataclass(frozen=True, slots=True)
class Bare:
    """Forward passes alone, on full rows: tokens a second of the wall's and of the processors' time."""

    tokens: int
    row_tokens: int
    seconds: float
    cpu_seconds: float

    @property
    def per_second(self) -> float:
        """Tokens a second, by the clock."""
        return self.tokens / self.seconds

    @property
    def cpu_us(self) -> float:
        """Processor time a token."""
        return self.cpu_seconds / self.tokens * 1e6


def bare(scorer: Scorer, chunks: Sequence[Chunk], repeats: int) -> Bare:
    """The best of so many passes over these chunks, after one that warms up."""
    scorer.forward(chunks)
    tokens = sum(chunk.n_tokens for chunk in chunks)
    runs = []
    for _ in range(repeats):
        began, computed = time.perf_counter(), time.process_time()
        scorer.forward(chunks)
        taken = time.perf_counter() - began, time.process_time() - computed
        runs.append(Bare(tokens, max(chunk.n_tokens for chunk in chunks), *taken))
    return min(runs, key=lambda run: run.cpu_seconds)


class _Instant(Meter):
    """A meter whose scorer is asked for no forward pass: its scores are all a half."""

    def forward(self, batch: Sequence[Chunk]) -> list[NDArray[float32]]:
        """As many as there are tokens in the chunks' cores."""
        rows = [cast(Row, chunk.payload) for chunk in batch]
        scores = [np.full(row.core_end - row.core_start, 0.5, float32) for row in rows]
        self.tokens += sum(map(len, scores))
        return scores


def besides_model_us(scorer: Scorer, case: Case, repeats: int) -> float:
    """CPU microseconds a model token of all that is not the forward pass, at best; scores are made up."""
    found = []
    for repeat in range(repeats):
        laps, meter = Laps(), Meter(_Instant(scorer))
        [[text]] = case.calls(f"besides {repeat}")
        staged(text, PARAMS, meter, laps)
        seconds = sum(spent for stage, spent in laps.seconds.items() if stage not in (MODEL, RECIPE))
        found.append(seconds / meter.tokens * 1e6)
    return min(found)
