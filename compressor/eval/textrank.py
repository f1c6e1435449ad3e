"""TextRank: sentences ranked by what they share with the others, as a random walk would visit them.

Mihalcea and Tarau (2004): two sentences are linked by the words they share over the logarithms of their
lengths; the damping is .85. Function words are left out, Korean words are taken without their ending.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from compressor.scorers.frequency_types import Types, find_types
from compressor.types import Words

_DAMPING = 0.85
_ROUNDS = 40
_COMMON_TENTHS = 58
_END = re.compile(r"[.!?…。！？]+[\"'”’)\]」』]*(?=\s|$|[^\x00-\xff])|\n+")


def by_sentence(text: str, words: Words) -> NDArray[np.intp]:
    """Words by the rank of their sentence, in order within it."""
    sentence = sentences(text, words)
    ranks = rank(links(words, sentence, find_types(words)))
    return np.lexsort((np.arange(len(words)), sentence, -ranks[sentence]))


def sentences(text: str, words: Words) -> NDArray[np.intp]:
    """Which sentence each word is in: one ends at a full stop or its like, and with the line."""
    ends = np.array([match.end() for match in _END.finditer(text)], np.intp)
    return np.searchsorted(ends, words.starts, side="right")


def links(words: Words, sentence: NDArray[np.intp], types: Types) -> NDArray[np.float64]:
    """How much each two sentences share, shape [m, m]."""
    n = int(sentence.max(initial=-1)) + 1
    telling = words.is_ink & (types.tenths[types.of] < _COMMON_TENTHS)
    _, stem = np.unique(types.stems[types.of], return_inverse=True)
    holds = np.zeros((n, int(stem.max(initial=-1)) + 1), np.float32)
    holds[sentence[telling], stem[telling]] = 1
    shared = (holds @ holds.T).astype(np.float64)
    np.fill_diagonal(shared, 0)
    logs = np.log1p(holds.sum(axis=1))
    return np.asarray(shared / np.maximum(logs[:, None] + logs[None, :], 1e-9))


def rank(linked: NDArray[np.float64]) -> NDArray[np.float64]:
    """How often a walk along the links is at each sentence."""
    n = len(linked)
    totals = linked.sum(axis=0)
    steps = np.where(totals > 0, linked / np.where(totals > 0, totals, 1), 1 / max(1, n))
    at = np.full(n, 1 / max(1, n))
    for _ in range(_ROUNDS):
        at = (1 - _DAMPING) / n + _DAMPING * steps @ at
    return at
