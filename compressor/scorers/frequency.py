"""The model-free scorer: how much a word tells, from word frequencies, repetition and form alone.

A scorecard: some twenty features a word (`frequency_features`), a weight each (`frequency_weights`), a sum.
Whole numbers from the text to the score, so equal texts score equal on every machine. About 0.2 µs a word.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from compressor.lexicon import LANGUAGES, fingerprint
from compressor.scorers.frequency_features import features
from compressor.scorers.frequency_marks import Marks
from compressor.scorers.frequency_pairs import level_pairs
from compressor.scorers.frequency_roles import read_roles
from compressor.scorers.frequency_types import Types, find_types
from compressor.scorers.frequency_weights import logistic, read_weights, weights
from compressor.turns import give_way
from compressor.types import SCORE_ONE, Chunk, Scores, Words
from compressor.words import WORDS_VERSION

VERSION = "1"
"""Changes whenever the same words would score otherwise for a reason outside the data files."""


class FrequencyScorer:
    """Scores words without a model. Implements `Scorer`; a text is one chunk."""

    @cached_property
    def fingerprint(self) -> str:
        """Version of the code and of words, and the content of every table."""
        tables = hashlib.sha256(fingerprint().encode() + read_roles() + read_weights()).hexdigest()[:16]
        return f"frequency-{VERSION}/words-{WORDS_VERSION}/{tables}"

    def encode(self, text: str, words: Words) -> list[Chunk]:
        """The whole text as one chunk; none if it has no words."""
        return [Chunk(1, words)] if len(words) else []

    def forward(self, batch: Sequence[Chunk]) -> list[NDArray[np.float32]]:
        """Scores in [0, 1] of the words of each text."""
        scores = []
        for chunk in batch:
            give_way()  # a full batch takes some 20 ms
            scores.append(self._scored(chunk).astype(np.float32) / np.float32(SCORE_ONE))
        return scores

    def merge(self, words: Words, chunks: Sequence[Chunk], scores: Sequence[NDArray[np.float32]]) -> Scores:
        """The same scores on the grid: multiples of 1/4096 are exact in float32."""
        if not chunks:
            return np.zeros(len(words), np.uint16)
        merged: Scores = np.rint(np.concatenate(scores) * np.float32(SCORE_ONE)).astype(np.uint16)
        return merged

    def _scored(self, chunk: Chunk) -> Scores:
        if not isinstance(chunk.payload, Words):
            raise TypeError(
                f"chunk holds {type(chunk.payload).__name__}: make chunks with this scorer's encode"
            )
        return score(chunk.payload)


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """What there is to see of the words of a text: most of what scoring it costs."""

    types: Types
    group: str
    features: Mapping[str, NDArray[np.intp]]


def look(words: Words) -> Sight:
    """What the words are; there must be some."""
    types = find_types(words)
    return Sight(types, group_of(types), features(words, types))


def score(words: Words, sight: Sight | None = None) -> Scores:
    """Scores of the words of one text; there must be some. `sight` is of these words."""
    sight = sight or look(words)
    types, group = sight.types, sight.group
    table = weights()
    total = table.words(types.stems, types.columns)[types.of] + np.int32(table.intercepts[group])
    for name, values in sight.features.items():
        total += table.tables[group][name][values]
    return level_pairs(words, Marks.of(words), logistic(total))


def group_of(types: Types) -> str:
    """The weights to use: Korean, Chinese or Japanese where a fifth of the known words are, else Latin."""
    counts = np.bincount(types.columns[types.tenths > 0], types.counts[types.tenths > 0], len(LANGUAGES))
    for language in ("ko", "ja", "zh"):
        if counts[LANGUAGES.index(language)] * 5 >= counts.sum() > 0:
            return language
    return "latin"
