"""The recipe for one text, as a generator without I/O: yields what it needs scored, is sent the scores.

    short? → words → protected → structured? → forced → (scores) → select → render → verify → count

Everything here is a pure function of the text and the parameters: the same text gives the same bytes on any
replica and at any turn of a conversation (laws 3 and 4).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from compressor import keep, marks, render, seams, select, verify
from compressor.layout import Layout
from compressor.params import CompressionParams
from compressor.segments import is_structured, segments
from compressor.tokens import counter
from compressor.types import Bools, Compressed, Ints, Scores, SkipReason, Span, Words
from compressor.words import split

ENGINE_EPOCH = "1"
"""Names the byte behaviour of words, keep, select and render: raised when golden bytes change, only then.

Said by /pith/readyz, so that replicas can be told apart during a roll-out.
"""


@dataclass(frozen=True, slots=True, eq=False)
class ScoreRequest:
    """A text whose words want scores."""

    text: str
    words: Words


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """What is known of a text before any score: it depends on the text and the parameters alone."""

    text: str
    words: Words
    weights: Ints
    origin_tokens: int
    protected_spans: tuple[Span, ...]
    protected: Bools
    forced: Bools
    regions: tuple[marks.Region, ...]
    layout: Layout


Outcome: TypeAlias = Analysis | Compressed
"""Of an analysis: what there is to choose from, or a finished result when the text is to be left whole."""

Flow = Generator[ScoreRequest, Scores, Compressed]


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


def whole(text: str, params: CompressionParams, skip: SkipReason) -> Compressed:
    """The text left as it is, but for its marks, and why."""
    if params.marks:
        marked = marks.read(text)
        tokens = counter(params.tokenizer).count(marked.text)
        return Compressed(marked.text, tokens, tokens, marked.visible, skip)
    tokens = counter(params.tokenizer).count(text)
    return left_whole(text, tokens, skip)


def left_whole(text: str, tokens: int, skip: SkipReason) -> Compressed:
    """A text of so many tokens left as it is, and why."""
    return Compressed(text, tokens, tokens, np.array([[0, len(text)]], np.int32)[: len(text)], skip)


def _from_analysis(analysis: Outcome, params: CompressionParams) -> Flow:
    if isinstance(analysis, Compressed):
        return analysis
    scores = yield ScoreRequest(analysis.text, analysis.words)
    return finish(analysis, scores, params)


def analyse(text: str, params: CompressionParams, regions: tuple[marks.Region, ...] = ()) -> Outcome:
    """All that needs no scores."""
    count = counter(params.tokenizer)
    words = split(text)
    origin_tokens, weights = count.weigh(text, words)
    if origin_tokens < params.min_tokens or not len(words):
        return left_whole(text, origin_tokens, "short")
    spans = tuple(segments(text, words, params.protect))
    if params.structure_guard and is_structured(text, words, spans):
        return left_whole(text, origin_tokens, "structured")
    spans += tuple(_kept_regions(words, regions))
    protected = keep.protected_mask(words, spans) | _head_and_tail(weights, origin_tokens, params)
    if protected.all():
        return left_whole(text, origin_tokens, "short")
    forced = keep.forced(text, words, params)
    return Analysis(text, words, weights, origin_tokens, spans, protected, forced, regions, Layout.of(words))


def _kept_regions(words: Words, regions: tuple[marks.Region, ...]) -> Iterator[Span]:
    """Regions marked to be kept, from their first word to their last."""
    for region in regions:
        inside = np.flatnonzero((words.starts < region.end) & (words.ends > region.start))
        if region.rate is None and len(inside):
            yield int(words.starts[inside[0]]), int(words.ends[inside[-1]])


def _head_and_tail(weights: Ints, origin_tokens: int, params: CompressionParams) -> Bools:
    """Words that start within the head's tokens or end within the tail's."""
    upto = np.cumsum(weights)
    is_head: Bools = upto - weights < params.protect.head_tokens
    is_tail: Bools = upto > origin_tokens - params.protect.tail_tokens
    return is_head | is_tail


def finish(analysis: Analysis, scores: Scores, params: CompressionParams) -> Compressed:
    """Scores to the result."""
    text, words = analysis.text, analysis.words
    kept, forced = choose(analysis, scores, params)
    spans = render.kept_spans(words, kept)
    if verify.broken_promise(words, spans, analysis.protected_spans, forced):
        return left_whole(text, analysis.origin_tokens, "verify_failed")
    compressed = render.slice_text(text, spans)
    tokens = counter(params.tokenizer).count(compressed)
    if tokens >= analysis.origin_tokens:
        return left_whole(text, analysis.origin_tokens, "no_gain")
    return Compressed(compressed, analysis.origin_tokens, tokens, spans)


def _by_region(
    analysis: Analysis, candidates: select.Candidates, params: CompressionParams, rate: float
) -> Bools:
    """Regions with a rate of their own at that, the rest as the parameters say."""
    words = analysis.words
    rest = np.ones(len(words), np.bool_)
    kept = analysis.forced | analysis.protected
    for region in analysis.regions:
        if region.rate is not None:
            inside = (words.starts < region.end) & (words.ends > region.start)
            rest &= ~inside
            kept |= select.by_rate(candidates.within(inside), region.rate) & inside
    kept |= select.select(candidates.within(rest), params, rate) & rest
    return kept


def choose(analysis: Analysis, scores: Scores, params: CompressionParams) -> tuple[Bools, Bools]:
    """Which words are kept, and which of them were promised to be, shape [n] each."""
    words, forced = analysis.words, analysis.forced
    candidates = select.Candidates(scores, analysis.weights, forced, analysis.protected)
    rate = params.rate_for(analysis.origin_tokens)
    if analysis.regions:
        kept = _by_region(analysis, candidates, params, rate)
    else:
        kept = select.select(candidates, params, rate)
    if params.drop_consecutive:
        kept = seams.drop_consecutive(words, kept, analysis.protected, params.force_tokens)
        forced = forced & kept
    kept = seams.drop_orphans(words, kept, forced | analysis.protected, analysis.layout)
    return seams.keep_separators(words, kept, analysis.layout), forced
