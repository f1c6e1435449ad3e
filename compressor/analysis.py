"""What is known of a text before any score: what was found in it, and what its words cost in target tokens.

    count → short? → find → weigh → protect head and tail

What is found (`compressor.findings`) does not depend on the tokenizer: where it is known already, it is
handed to `weigh` and `conclude`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from compressor import marks
from compressor.findings import Findings, Found, find
from compressor.layout import Layout
from compressor.params import CompressionParams
from compressor.patterns import pattern_spans
from compressor.spans import protected_mask
from compressor.tokens import Tokens, counter
from compressor.types import Bools, Compressed, Ints, SkipReason, Span, Words
from compressor.whole_lines import Rows

ENGINE_EPOCH = "2"
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
    rows: Rows | None = None
    """Lines that stay whole or go whole."""


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """What a text and its words, shape [n], cost in target tokens."""

    origin_tokens: int
    of_words: Ints

    def fit(self, found: Found) -> bool:
        """Whether they can be those of the words found."""
        return len(self.of_words) == (len(found.words) if isinstance(found, Findings) else 0)


Outcome: TypeAlias = Analysis | Compressed
"""An analysis, or a finished result when the text is to be left whole."""


def analyse(text: str, params: CompressionParams, regions: tuple[marks.Region, ...] = ()) -> Outcome:
    """All that needs no scores."""
    tokens = counter(params.tokenizer).encode(text)
    if len(tokens) < params.min_tokens:
        return left_whole(text, len(tokens), "short")
    found = find(text, params)
    return conclude(text, params, found, weigh(found, tokens, params), regions)


def weigh(found: Found, tokens: Tokens, params: CompressionParams) -> Weights:
    """The weights of a text's words, from its tokens."""
    if not isinstance(found, Findings):
        return Weights(len(tokens), np.empty(0, np.int32))
    return Weights(len(tokens), counter(params.tokenizer).weigh(tokens, found.words))


def conclude(
    text: str,
    params: CompressionParams,
    found: Found,
    weights: Weights,
    regions: tuple[marks.Region, ...] = (),
) -> Outcome:
    """The analysis of a text that is not too short, from what was found in it and what its words weigh."""
    if not isinstance(found, Findings):
        return left_whole(text, weights.origin_tokens, found)
    words, spans, protected = found.words, found.protected_spans, found.protected
    rows = Rows.of(text, words) if params.whole_lines else None
    if rows is not None:
        spans = rows.release(spans, pattern_spans(text, params.protect.patterns))
        protected = protected_mask(words, spans)
    if regions:
        marked = tuple(_kept_regions(words, regions))
        spans += marked
        protected = protected | protected_mask(words, marked)
    if params.protect.head_tokens or params.protect.tail_tokens:
        protected = protected | _head_and_tail(weights, params)
    if protected.all():
        return left_whole(text, weights.origin_tokens, "short")
    return Analysis(
        text,
        words,
        weights.of_words,
        weights.origin_tokens,
        spans,
        protected,
        found.forced,
        regions,
        found.layout,
        rows,
    )


def _kept_regions(words: Words, regions: tuple[marks.Region, ...]) -> Iterator[Span]:
    """Regions marked to be kept, from their first word to their last."""
    for first, past, rate in marks.stretches(words, regions):
        if rate is None:
            yield int(words.starts[first]), int(words.ends[past - 1])


def _head_and_tail(weights: Weights, params: CompressionParams) -> Bools:
    """Words that start within the head's tokens or end within the tail's."""
    upto = np.cumsum(weights.of_words)
    is_head: Bools = upto - weights.of_words < params.protect.head_tokens
    is_tail: Bools = upto > weights.origin_tokens - params.protect.tail_tokens
    return is_head | is_tail


def left_whole(text: str, tokens: int, skip: SkipReason) -> Compressed:
    """A text of so many tokens left as it is, and why."""
    return Compressed(text, tokens, tokens, np.array([[0, len(text)]], np.int32)[: len(text)], skip)
