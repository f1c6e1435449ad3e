"""Which words stay: scores, weights and force rules to a mask. Pure arithmetic; ties go to the earlier word.

Laws: protected and forced words are kept; a higher rate never keeps less; equal inputs, equal masks.
`rate` spends on the unprotected words, forced ones counted within it, and leaves at least a quarter of the
unforced weight, and one word; `target_tokens` is the whole text's and never goes below what is protected or
forced.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from compressor.chars import Group, classify, hash_words
from compressor.params import CompressionParams
from compressor.types import SCORE_ONE, Bools, Ints, Scores, Words
from compressor.words import Flag

UNFORCED_FLOOR = 0.25
"""Share of the unforced weight that a rate always leaves: a text of numbers keeps words between them."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """What there is to choose from: per word, shape [n] each."""

    scores: Scores
    weights: Ints
    forced: Bools
    protected: Bools

    def within(self, mask: Bools) -> Candidates:
        """Only the words of `mask`; the others weigh nothing and count as protected."""
        return Candidates(self.scores, np.where(mask, self.weights, 0), self.forced, self.protected | ~mask)


def select(candidates: Candidates, params: CompressionParams, rate: float) -> Bools:
    """The words to keep, shape [n], by whichever way of selecting `params` asks for; `rate` is its rate."""
    free = ~(candidates.forced | candidates.protected)
    if params.target_tokens is not None:
        spent = _weight(candidates, candidates.protected | candidates.forced)
        return _spend(candidates, free, params.target_tokens - spent)
    if params.threshold is not None:
        return _by_threshold(candidates, free, params)
    return by_rate(candidates, rate)


def by_rate(candidates: Candidates, rate: float) -> Bools:
    """The words to keep at `rate` of the unprotected weight."""
    free = ~(candidates.forced | candidates.protected)
    budget = rate * _weight(candidates, ~candidates.protected)
    forced = _weight(candidates, candidates.forced & ~candidates.protected)
    floor = min(rate, UNFORCED_FLOOR) * _weight(candidates, free)
    return _spend(candidates, free, max(budget - forced, floor), at_least=1)


def _by_threshold(candidates: Candidates, free: Bools, params: CompressionParams) -> Bools:
    assert params.threshold is not None
    kept: Bools = ~free | (candidates.scores >= params.threshold * SCORE_ONE)
    total = _weight(candidates, ~candidates.protected)
    share = _weight(candidates, kept & ~candidates.protected) / total if total else 1.0
    clamped = min(max(share, params.min_rate), params.max_rate)
    return kept if clamped == share else by_rate(candidates, clamped)


def _weight(candidates: Candidates, mask: Bools) -> int:
    return int(candidates.weights[mask].sum())


def _spend(candidates: Candidates, free: Bools, budget: float, at_least: int = 0) -> Bools:
    """Everything not free, and the best-scoring free words until the next one would pass the budget."""
    kept = ~free
    members = np.flatnonzero(free)
    ranked = members[np.argsort(SCORE_ONE - candidates.scores[members], kind="stable")]
    spent = np.cumsum(candidates.weights[ranked])
    kept[ranked[: max(at_least, int(np.searchsorted(spent, budget, side="right")))]] = True
    return kept


def drop_consecutive(words: Words, kept: Bools, protected: Bools, literals: Sequence[str]) -> Bools:
    """Of equal words that are a forced literal, with nothing kept between them, keep the first.

    Newlines of lines dropped whole collapse so. Protected words never go, and numbers do not either.
    """
    order = np.flatnonzero(kept)
    if len(order) < 2 or not literals:
        return kept
    is_literal = np.isin(words.hashes[order], hash_words(literals)) & (
        (words.flags[order] & Flag.HAS_DIGIT) == 0
    )
    droppable = is_literal & ~protected[order]
    repeats = droppable[1:] & droppable[:-1] & (words.hashes[order][1:] == words.hashes[order][:-1])
    result = kept.copy()
    result[order[1:][repeats]] = False
    return result


def keep_separators(words: Words, kept: Bools) -> Bools:
    """Also keep what stands between two kept words that would otherwise grow together.

    A dropped newline between them stays where no blank could part them; and where letters or digits on both
    sides would meet ("3至5", "使用Python编写Java"), the word just before the second stays.
    """
    order = np.flatnonzero(kept)
    left, right = order[:-1], order[1:]
    has_gap = np.zeros(len(kept), np.bool_)
    has_gap[1:] = words.starts[1:] > words.ends[:-1]
    gaps = np.cumsum(has_gap)
    meets = (right > left + 1) & (gaps[right] == gaps[left])
    left, right = left[meets], right[meets]
    if not len(left):
        return kept
    is_newline = (words.flags & Flag.NEWLINE) != 0
    newlines = np.flatnonzero(is_newline)
    first_newline = np.append(newlines, len(kept))[np.searchsorted(newlines, left, side="right")]
    parted = is_newline[left] | is_newline[right]
    result = kept.copy()
    by_newline = ~parted & (first_newline < right)
    result[first_newline[by_newline]] = True
    last_groups, _ = classify(words.codes[words.ends[left] - 1])
    first_groups, _ = classify(words.codes[words.starts[right]])
    grown = ~parted & ~by_newline & (last_groups == Group.WORD) & (first_groups == Group.WORD)
    result[right[grown] - 1] = True
    return result
