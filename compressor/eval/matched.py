"""The longest beginning of an order of words that costs no more than so many tokens, once written out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compressor import render
from compressor.tokens import TokenCounter
from compressor.types import Spans, Words

NEAR_TOKENS = 2
"""So many tokens below the target are near enough: counting is what an evaluation spends its time on."""


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
        """Words from the beginning of `order` that come to the target or a little below it.

        Guesses by the cost of a word so far, between bounds that close in; none may be within the target.
        """
        fits, over = 0, len(order) + 1
        best = self.written(order, 0)
        cost = 1.0
        while over - fits > 1 and target_tokens - best.tokens > NEAR_TOKENS:
            guess = fits + max(1, int((target_tokens - best.tokens) / cost))
            n = guess if guess < over else (fits + over) // 2
            tried = self.written(order, n)
            cost = max(0.2, (tried.tokens - best.tokens) / (n - fits))
            if tried.tokens <= target_tokens:
                fits, best = n, tried
            else:
                over = n
        return best

    def written(self, order: NDArray[np.intp], n: int) -> Output:
        """The first `n` words of the order, in the order of the text."""
        kept = np.zeros(len(self.words), np.bool_)
        kept[order[:n]] = True
        spans = render.kept_spans(self.words, kept)
        return Output(spans, self.counter.count(render.slice_text(self.text, spans)))
