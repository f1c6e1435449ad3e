"""Token scores to word scores, by character offsets alone.

Laws: a word's score is the plain mean over the tokens that overlap it; a word without one (a newline
WordPiece never sees, a character the vocabulary lacks) has the score of the nearest word that has, the
earlier of two; where no word has any, all are kept. Scores are snapped to k / 4096, so that rounding in the
model (batch neighbours, device) rarely reaches them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from compressor.types import SCORE_ONE, Bools, Ints, Scores, Words


def word_scores(
    words: Words, starts: Ints, ends: Ints, is_known: Bools, scores: NDArray[np.float32]
) -> Scores:
    """Scores of all `words` from the scores of tokens at [starts, ends); tokens not known are left out."""
    first = np.searchsorted(ends, words.starts, side="right")
    past = np.maximum(first, np.searchsorted(starts, words.ends, side="left"))
    counts = _sums(is_known.astype(np.float64), first, past)
    sums = _sums(np.where(is_known, scores, 0.0), first, past)
    means = sums / np.maximum(counts, 1.0)
    nearest = _nearest(np.flatnonzero(counts), len(words))
    if nearest is None:
        return np.full(len(words), SCORE_ONE, np.uint16)
    snapped: Scores = np.rint(means[nearest] * SCORE_ONE).astype(np.uint16)
    return snapped


def _sums(
    values: NDArray[np.float64], first: NDArray[np.intp], past: NDArray[np.intp]
) -> NDArray[np.float64]:
    """The sum of each range [first, past)."""
    totals = np.zeros(len(values) + 1)
    np.cumsum(values, out=totals[1:])
    return totals[past] - totals[first]


def _nearest(present: NDArray[np.intp], n: int) -> NDArray[np.intp] | None:
    """For each index below `n`, the nearest of the sorted indices `present`; None if there is none."""
    if not len(present):
        return None
    indices = np.arange(n)
    after = np.searchsorted(present, indices)
    before = present[np.maximum(after - 1, 0)]
    following = present[np.minimum(after, len(present) - 1)]
    return np.where(np.abs(following - indices) < np.abs(indices - before), following, before)
