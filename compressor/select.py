"""Which words stay: scores, weights and force rules to a mask. Pure arithmetic; ties go to the earlier word.

Laws: protected and forced words are kept; a higher rate never keeps less; equal inputs, equal masks.
`rate` spends on the unprotected words, forced ones counted within it, and leaves at least a quarter of the
unforced weight, and one word; `target_tokens` is the whole text's and never goes below what is protected or
forced. Both are one budget for the text, of which each chunk gets a little (`compressor.ranking`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compressor.params import CompressionParams
from compressor.ranking import rank
from compressor.types import SCORE_ONE, Bools, Ints, Scores

UNFORCED_FLOOR = 0.25
"""Share of the unforced weight that a rate always leaves: a text of numbers keeps words between them."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """What there is to choose from: per word, shape [n] each."""

    scores: Scores
    weights: Ints
    forced: Bools
    protected: Bools

    @property
    def free(self) -> Bools:
        """Those there is a choice about."""
        return ~(self.forced | self.protected)

    def part(self, inside: slice) -> Candidates:
        """Only the words of a stretch, as if there were no others."""
        return Candidates(
            self.scores[inside], self.weights[inside], self.forced[inside], self.protected[inside]
        )

    def within(self, mask: Bools) -> Candidates:
        """Only the words of `mask`; the others weigh nothing and count as protected."""
        return Candidates(self.scores, np.where(mask, self.weights, 0), self.forced, self.protected | ~mask)


def select(
    candidates: Candidates, params: CompressionParams, rate: float, correction_tokens: int = 0
) -> Bools:
    """The words to keep, shape [n], by whichever way of selecting `params` asks for; `rate` is its rate.

    `correction_tokens` are added to what a rate or a budget would spend on free words.
    """
    if params.target_tokens is not None:
        spent = _weight(candidates, candidates.protected | candidates.forced)
        return _spend(candidates, params.target_tokens - spent + correction_tokens)
    if params.threshold is not None:
        return _by_threshold(candidates, params)
    return by_rate(candidates, rate, correction_tokens)


def by_rate(candidates: Candidates, rate: float, correction_tokens: int = 0) -> Bools:
    """The words to keep at `rate` of the unprotected weight."""
    budget = rate * _weight(candidates, ~candidates.protected)
    forced = _weight(candidates, candidates.forced & ~candidates.protected)
    floor = min(rate, UNFORCED_FLOOR) * _weight(candidates, candidates.free)
    return _spend(candidates, max(budget - forced, floor) + correction_tokens, at_least=1)


def _by_threshold(candidates: Candidates, params: CompressionParams) -> Bools:
    assert params.threshold is not None
    kept: Bools = ~candidates.free | (candidates.scores >= params.threshold * SCORE_ONE)
    total = _weight(candidates, ~candidates.protected)
    share = _weight(candidates, kept & ~candidates.protected) / total if total else 1.0
    clamped = min(max(share, params.min_rate), params.max_rate)
    return kept if clamped == share else by_rate(candidates, clamped)


def _weight(candidates: Candidates, mask: Bools) -> int:
    return int(candidates.weights.dot(mask))


def _spend(candidates: Candidates, budget: float, at_least: int = 0) -> Bools:
    """Everything not free, and the free words that rank first until the next one would pass the budget."""
    free = candidates.free
    ranked = rank(candidates.scores, candidates.weights, free)
    spent = candidates.weights[ranked].cumsum()
    kept = ~free
    kept[ranked[: max(at_least, int(spent.searchsorted(budget, side="right")))]] = True
    return kept
