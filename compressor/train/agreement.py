"""How well scores agree with graded text: the figures by which a scorer is trained, chosen and reported.

    for language, found in by_language(held_out(graded_file), scoring).items(): ...

A unit is what the teacher graded: a white-space word, in Chinese and Japanese a character. Its score is the
mean of the words with letters or digits in it. Pure, but for reading the file.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from compressor.train.frequency_samples import READABLE, Sample, read_graded
from compressor.types import Bools

Scoring: TypeAlias = Callable[[Sample], NDArray[Any]]
"""A score for each word of a sample, `sample.words`."""

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Agreement:
    """`light`, `heavy`: ROC-AUC for being kept at that level, over all units together.

    `f1`: units of highest score against those kept in light, as many of each text as the teacher kept there;
    `f1_pooled`: the same with one threshold for all texts, as many in all.
    """

    n_texts: int
    n_units: int
    light: float
    heavy: float
    f1: float
    f1_pooled: float


def held_out(path: Path) -> Iterator[Sample]:
    """The graded chunks no weights may learn from."""
    return (sample for sample in read_graded(path) if sample.is_held_out)


def by_language(samples: Iterator[Sample] | Sequence[Sample], scoring: Scoring) -> dict[str, Agreement]:
    """Agreement in each language (`en`, `ko`, `zh`, …), in the order in which they are met."""
    groups: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[sample.language].append(sample)
    return {language: agreement(group, scoring) for language, group in groups.items()}


def agreement(samples: Sequence[Sample], scoring: Scoring) -> Agreement:
    """Agreement over all units of the samples."""
    scores = [unit_scores(sample, scoring(sample)) for sample in samples]
    kept = [sample.grades >= 1 for sample in samples]
    together, labels = np.concatenate(scores), np.concatenate(kept)
    hits = sum(n_hits(some, label) for some, label in zip(scores, kept, strict=True))
    n_kept = int(labels.sum())
    return Agreement(
        len(samples),
        len(labels),
        auc(together, labels),
        auc(together, np.concatenate([sample.grades >= 2 for sample in samples])),
        hits / n_kept,
        n_hits(together, labels) / n_kept,
    )


def unit_scores(sample: Sample, scores: NDArray[Any]) -> Floats:
    """Mean score of the readable words of each unit, of all its words where none is readable."""
    words = sample.words
    found = np.zeros(len(sample.units))
    for i, (start, end) in enumerate(sample.units):
        first = int(np.searchsorted(words.ends, start, side="right"))
        past = int(np.searchsorted(words.starts, end, side="left"))
        is_readable = (words.flags[first:past] & READABLE) != 0
        some = scores[first:past]
        found[i] = some[is_readable].mean() if is_readable.any() else some.mean()
    return found


def n_hits(scores: Floats, labels: Bools) -> int:
    """Of the units of highest score, as many as are labelled, how many are: F1 is this over their number.

    Ties go to the earlier unit, as in selection.
    """
    best = np.argsort(-scores, kind="stable")[: int(labels.sum())]
    return int(labels[best].sum())


def auc(scores: NDArray[Any], labels: Bools) -> float:
    """Chance that a labelled item scores above an unlabelled one, ties counting half; NaN with one kind."""
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    n = int(labels.sum())
    if n in (0, len(labels)):
        return float("nan")
    return float((ranks[labels].sum() - n * (n + 1) / 2) / (n * (len(labels) - n)))
