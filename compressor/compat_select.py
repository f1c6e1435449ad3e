"""Which words of a chunk LLMLingua-2 keeps: a percentile of the chunk's own probabilities. Pure.

The grid is irregular, since `100 * reduce + 1` is a float cut to a whole number: rate .75 is percentile 26,
.8 is 20. A word stays if it is above the threshold, so of equal words all go or none.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import cast

import numpy as np

from compressor.compat_words import Probability

Weigh = Callable[[str], int]
"""Tokens of a word by itself."""


def percentile(values: Sequence[Probability], rank: int) -> Probability:
    """NumPy's, linear, in float32 unless a Python float is among the values. IndexError if there are none."""
    return cast(Probability, np.percentile(cast("list[float]", values), rank))


def label(
    words: Sequence[str], probabilities: Sequence[Probability], reduce: float, weigh: Weigh
) -> list[bool]:
    """Which words are above the threshold, each as heavy as its tokens."""
    weighted = [p for word, p in zip(words, probabilities, strict=True) for _ in range(weigh(word))]
    threshold = percentile(weighted, int(100 * reduce + 1))
    return [bool(p > threshold or threshold == p == 1.0) for p in probabilities]


def zero_repeats(
    words: Sequence[str], probabilities: Sequence[Probability], reduce: float, literals: Collection[str]
) -> list[Probability]:
    """Probability 0 for a forced word that follows its like with nothing between them that is likely kept."""
    threshold = percentile(probabilities, int(100 * reduce))
    zeroed = list(probabilities)
    is_parted = False
    before: str | None = None
    for at, (word, probability) in enumerate(zip(words, probabilities, strict=True)):
        if word not in literals:
            is_parted = is_parted or bool(probability > threshold)
            continue
        if not is_parted and word == before:
            zeroed[at] = 0.0
        is_parted = False
        before = word
    return zeroed


def drop_repeats(words: Sequence[str], labels: Sequence[bool], literals: Collection[str]) -> list[bool]:
    """Also drop a forced word that follows its like among those kept."""
    dropped = list(labels)
    before: str | None = None
    for at, word in enumerate(words):
        if not labels[at]:
            continue
        if word == before and word in literals:
            dropped[at] = False
        before = word
    return dropped
