"""What is known of a text before any score: it depends on the text and the parameters alone.

short? → words → protected → structured? → forced
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from compressor import keep, marks
from compressor.layout import Layout
from compressor.params import CompressionParams
from compressor.segments import is_structured, segments
from compressor.spans import protected_mask
from compressor.tokens import counter
from compressor.types import Bools, Compressed, Ints, SkipReason, Span, Words
from compressor.words import split

ENGINE_EPOCH = "1"
"""Names the byte behaviour of words, keep, select and render: raised when golden bytes change, only then.

Said by /pith/readyz, so that replicas can be told apart during a roll-out.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """What there is to choose from: arrays are per word, shape [n]; `weights` in target tokens."""

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
"""An analysis, or a finished result when the text is to be left whole."""


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
    protected = protected_mask(words, spans) | _head_and_tail(weights, origin_tokens, params)
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


def left_whole(text: str, tokens: int, skip: SkipReason) -> Compressed:
    """A text of so many tokens left as it is, and why."""
    return Compressed(text, tokens, tokens, np.array([[0, len(text)]], np.int32)[: len(text)], skip)
