"""The recipe for one text, as a generator without I/O: yields what it needs scored, is sent the scores.

    analyse → (scores) → choose → render → count, once or twice more if that is off the plan → verify

Everything here is a pure function of the text and the parameters: the same text gives the same bytes on any
replica and at any turn of a conversation (laws 3 and 4).
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar

from compressor import marks, render, verify
from compressor.analysis import Analysis, Outcome, analyse, left_whole
from compressor.choice import Choice, choose, corrected
from compressor.params import CompressionParams
from compressor.tokens import counter
from compressor.types import Compressed, Scores, SkipReason, Spans, Words

MAX_CORRECTIONS = 2


@dataclass(frozen=True, slots=True, eq=False)
class ScoreRequest:
    """A text whose words want scores."""

    text: str
    words: Words


Flow = Generator[ScoreRequest, Scores, Compressed]


Q = TypeVar("Q")
A = TypeVar("A")
R = TypeVar("R")


def flow(text: str, params: CompressionParams, known: Outcome | None = None) -> Flow:
    """Compress `text`; yields at most one ScoreRequest and is sent the scores of its words.

    `known` is what `analyse` found for text and parameters, if that was recorded; not for texts with marks.
    """
    if known is not None:
        return (yield from _from_analysis(known, params))
    marked = marks.read(text) if params.marks else None
    if marked is None:
        return (yield from _from_analysis(analyse(text, params), params))
    inner = yield from _from_analysis(analyse(marked.text, params, marked.regions), params)
    return Compressed(
        inner.text, inner.origin_tokens, inner.compressed_tokens, marked.original(inner.kept), inner.skip
    )


def advance(steps: Generator[Q, A, R], answer: A | None) -> Q | R:
    """What a recipe asks for next, or its result; None begins. (A future cannot carry a StopIteration.)"""
    try:
        return next(steps) if answer is None else steps.send(answer)
    except StopIteration as end:
        result: R = end.value
        return result


def whole(text: str, params: CompressionParams, skip: SkipReason, *, in_haste: bool = False) -> Compressed:
    """The text left as it is, but for its marks, and why. `in_haste`: counts of a long text are estimates."""
    target = counter(params.tokenizer)
    count = target.estimate if in_haste else target.count
    if params.marks:
        marked = marks.read(text)
        tokens = count(marked.text)
        return Compressed(marked.text, tokens, tokens, marked.visible, skip)
    return left_whole(text, count(text), skip)


def _from_analysis(analysis: Outcome, params: CompressionParams) -> Flow:
    if isinstance(analysis, Compressed):
        return analysis
    scores = yield ScoreRequest(analysis.text, analysis.words)
    return finish(analysis, scores, params)


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """A choice and what it came to."""

    choice: Choice
    spans: Spans
    text: str
    tokens: int


def settle(analysis: Analysis, scores: Scores, params: CompressionParams) -> Settled:
    """The choice that costs what the parameters ask for, as near as `MAX_CORRECTIONS` more tries come."""
    settled = _try(analysis, scores, params)
    planned_tokens = settled.choice.planned_tokens
    for _ in range(MAX_CORRECTIONS):
        better = corrected(analysis, params, settled.tokens - planned_tokens)
        if better is None:
            break
        params, settled = better, _try(analysis, scores, better)
    return settled


def _try(analysis: Analysis, scores: Scores, params: CompressionParams) -> Settled:
    choice = choose(analysis, scores, params)
    spans = render.kept_spans(analysis.words, choice.kept)
    text = render.slice_text(analysis.text, spans)
    return Settled(choice, spans, text, counter(params.tokenizer).count(text))


def finish(analysis: Analysis, scores: Scores, params: CompressionParams) -> Compressed:
    """Scores to the result."""
    settled = settle(analysis, scores, params)
    promised = settled.choice.promised
    if verify.broken_promise(analysis.words, settled.spans, analysis.protected_spans, promised):
        return left_whole(analysis.text, analysis.origin_tokens, "verify_failed")
    if settled.tokens >= analysis.origin_tokens:
        return left_whole(analysis.text, analysis.origin_tokens, "no_gain")
    return Compressed(settled.text, analysis.origin_tokens, settled.tokens, settled.spans)
