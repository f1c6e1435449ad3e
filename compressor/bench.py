"""What compressing a new text costs on one core, stage by stage.

The stages are the calls that `flow` makes, in its order, and the scorer's three. "recipe" is `flow` itself
with the scores at hand: it shows when the stages written here have drifted from it. Time is the CPU time of
the whole process, so that other work on the machine disturbs it less than it would a wall clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from compressor import keep, render, verify
from compressor.analysis import Analysis
from compressor.finish import Settled, part, settling
from compressor.flow import ScoreRequest, advance, flow
from compressor.joint import mend
from compressor.layout import Layout
from compressor.params import CompressionParams
from compressor.segments import is_structured, segments
from compressor.spans import protected_mask
from compressor.tokens import counter
from compressor.types import Compressed, Scorer, Scores, Spans, Words
from compressor.words import split

P = ParamSpec("P")
T = TypeVar("T")

MODEL = "model"
"""The stage of `Scorer.forward`, which is what "everything but the model" leaves out."""
RECIPE = "recipe"


class Laps:
    """Adds up seconds by stage."""

    def __init__(self, clock: Callable[[], float] = time.process_time) -> None:
        self._clock = clock
        self.seconds: dict[str, float] = {}

    def time(self, stage: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The function's result; its time is added to the stage."""
        began = self._clock()
        result = function(*args, **kwargs)
        self.seconds[stage] = self.seconds.get(stage, 0.0) + self._clock() - began
        return result


def compress(text: str, params: CompressionParams, scorer: Scorer, laps: Laps) -> Compressed:
    """Compress one text, each stage timed. `params` must not leave it whole."""
    analysis = _analyse(text, params, laps)
    scores = _score(text, analysis.words, scorer, laps)
    spans = _finish(analysis, scores, params, laps)
    result = laps.time(RECIPE, _run, text, params, scores)
    if result.skip is not None or not (result.kept == spans).all():
        raise RuntimeError(
            f"the stages and the recipe differ (skip {result.skip!r}): bring compressor/bench.py up"
        )
    return result


def _analyse(text: str, params: CompressionParams, laps: Laps) -> Analysis:
    words = laps.time("words", split, text)
    tokens = laps.time("weights", counter(params.tokenizer).encode, text)
    weights = laps.time("weights", counter(params.tokenizer).weigh, tokens, words)
    spans = tuple(laps.time("segments", segments, text, words, params.protect))
    laps.time("segments", is_structured, text, words, spans)
    protected = laps.time("keep", protected_mask, words, spans)
    forced = laps.time("keep", keep.forced, text, words, params)
    layout = laps.time("layout", Layout.of, words)
    return Analysis(text, words, weights, len(tokens), spans, protected, forced, (), layout)


def _score(text: str, words: Words, scorer: Scorer, laps: Laps) -> Scores:
    chunks = laps.time("encode", scorer.encode, text, words)
    scored = laps.time(MODEL, scorer.forward, chunks)
    return laps.time("merge", scorer.merge, words, chunks, scored)


def _finish(analysis: Analysis, scores: Scores, params: CompressionParams, laps: Laps) -> Spans:
    """As `finish.settle_all`, stage by stage."""
    steps = settling(analysis, scores, params)
    step = laps.time("select", advance, steps, None)
    while not isinstance(step, Settled):
        [mended] = laps.time("seams", mend, [part(analysis, step)])
        compressed = laps.time("render", render.slice_text, analysis.text, mended.spans)
        tokens = laps.time("count", counter(params.tokenizer).count, compressed)
        outcome = Settled(step, mended.kept, mended.spans, compressed, tokens)
        step = laps.time("select", advance, steps, outcome)
    promised = step.choice.promised
    laps.time("verify", verify.broken_promise, analysis.words, step.spans, analysis.protected_spans, promised)
    return step.spans


def _run(text: str, params: CompressionParams, scores: Scores) -> Compressed:
    """`flow`, told these scores."""
    steps = flow(text, params)
    step = advance(steps, None)
    result = advance(steps, scores) if isinstance(step, ScoreRequest) else step
    if isinstance(result, Compressed):
        return result
    raise RuntimeError("the recipe asks for scores twice: compressor/bench.py knows of once")
