"""In which order the words of a text are kept, whatever the budget: so a larger one never keeps less. Pure.

Law: however many words come first in that order, each chunk of about `CHUNK_TOKENS` keeps of its words, but
for one, at least `CHUNK_FLOOR` of the share that the text keeps. One budget is spent over the whole text, and
yet no stretch of it vanishes.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from compressor.spans import Positions
from compressor.types import SCORE_ONE, Bools, Ints, Scores

CHUNK_TOKENS = 512
"""About what scorers with windows see at once; of the target's tokens, so that all scorers spend alike."""
CHUNK_FLOOR = 0.2
"""Enough to say what a dull stretch was about, little enough to leave the budget to the others."""

_MOST_CHUNKS = 0xFFFF
_STEPS = 0xFFFF
"""Chunks and places fit 16 bits, which NumPy sorts in linear time: 1 ms for 50,000 words."""

_Places: TypeAlias = NDArray[np.float64]
"""What a word and all before it in some order weigh, as a share of that order's weight."""


def rank(scores: Scores, weights: Ints, free: Bools) -> Positions:
    """The words of `free`, the first to be kept first: by score, ties to the earlier word.

    But a word comes as early in the text as `CHUNK_FLOOR` wants it kept in its chunk.
    """
    members = free.nonzero()[0]
    by_score: Positions = members[(SCORE_ONE - scores[members]).argsort(kind="stable")]
    upto = weights.cumsum()
    n_chunks = min(int(upto[-1]) // CHUNK_TOKENS, _MOST_CHUNKS) if len(members) else 0
    if n_chunks < 2:
        return by_score
    ordered = weights[by_score]
    in_text: _Places = ordered.cumsum() / max(int(ordered.sum()), 1)
    chunks = ((upto - weights) * n_chunks // upto[-1]).astype(np.uint16)[by_score]
    in_chunk = np.empty_like(in_text)
    by_chunk = chunks.argsort(kind="stable")
    in_chunk[by_chunk] = _places(ordered[by_chunk], chunks[by_chunk], n_chunks)
    # what floors bring forward adds to a share at most CHUNK_FLOOR / (1 - CHUNK_FLOOR) of it
    places = np.minimum(in_text, in_chunk * ((1 - CHUNK_FLOOR) / CHUNK_FLOOR))
    ranked: Positions = by_score[np.ceil(places * _STEPS).astype(np.uint16).argsort(kind="stable")]
    return ranked


def _places(weights: Ints, chunks: NDArray[np.uint16], n_chunks: int) -> _Places:
    """The place of each word in its chunk; `chunks` are sorted."""
    totals = np.bincount(chunks, weights, n_chunks)
    before = totals.cumsum() - totals
    reached: _Places = (weights.cumsum() - before[chunks]) / np.maximum(totals, 1)[chunks]
    return reached
