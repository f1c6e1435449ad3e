"""The longest beginning of an order of words that costs no more than so many tokens, once written out."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compressor import render
from compressor.tokens import TokenCounter
from compressor.types import Spans, Words


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    """Spans of a text that were kept, and what they cost."""

    spans: Spans
    tokens: int


@dataclass(frozen=True, slots=True, eq=False)
class Budget:
    """A text that is to be cut down: its words and what counts its tokens."""

    text: str
    words: Words
    counter: TokenCounter

    def fit(self, order: NDArray[np.intp], target_tokens: int) -> Output:
        """The most words of `order` that come to no more than `target_tokens`; else none.

        A longer beginning nearly always costs more; where it does not, a word or two more would fit.
        """
        n = bisect_right(range(len(order) + 1), target_tokens, key=lambda n: self._written(order, n).tokens)
        return self._written(order, max(0, n - 1))

    def _written(self, order: NDArray[np.intp], n: int) -> Output:
        kept = np.zeros(len(self.words), np.bool_)
        kept[order[:n]] = True
        spans = render.kept_spans(self.words, kept)
        return Output(spans, self.counter.count(render.slice_text(self.text, spans)))
