"""The weights of the model-free scorer, as shipped in `data/frequency_weights.json`.

A word's score is the logistic of a sum: one weight for each of its features, and one for the word itself if
it is among the few hundred listed. Weights are whole numbers in 1/256, and differ by the text's script group.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from compressor.chars import hash_words
from compressor.scorers.frequency_features import SIZES
from compressor.scorers.frequency_roles import columns_of, salted
from compressor.types import SCORE_ONE, Hashes, Scores

GROUPS = ("latin", "ko", "zh", "ja")
UNIT = 256
_LIMIT = 8 * UNIT


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """Weights by group of scripts and feature, and of single words."""

    tables: Mapping[str, Mapping[str, NDArray[np.int32]]]
    intercepts: Mapping[str, int]
    keys: Hashes
    """Salted hashes (`frequency_roles.salted`) of the listed words, in order."""
    of_words: NDArray[np.int32]

    def words(self, stems: Hashes, columns: NDArray[np.uint8]) -> NDArray[np.int32]:
        """The weight of each word itself; 0 for most."""
        hashes = salted(stems, columns)
        at = np.minimum(np.searchsorted(self.keys, hashes), len(self.keys) - 1)
        found: NDArray[np.int32] = np.where(self.keys[at] == hashes, self.of_words[at], np.int32(0))
        return found


def read_weights() -> bytes:
    """The shipped file."""
    return (files("compressor") / "data" / "frequency_weights.json").read_bytes()


def parse_weights(data: bytes) -> Weights:
    """Weights from the JSON text; every feature must have a weight for each of its values."""
    raw = json.loads(data)
    tables = {
        group: {name: np.array(raw["features"][name][group], np.int32) for name in SIZES} for group in GROUPS
    }
    for group, of_group in tables.items():
        for name, size in SIZES.items():
            if len(of_group[name]) != size:
                raise ValueError(
                    f"frequency_weights.json: {name}.{group} has {len(of_group[name])} weights, not {size}: "
                    "fit again (python -m compressor.train.frequency_fit)"
                )
    words = [(word, language, weight) for language, of in raw["words"].items() for word, weight in of.items()]
    hashes = salted(
        hash_words([word for word, _, _ in words]), columns_of([language for _, language, _ in words])
    )
    order = np.argsort(hashes)
    return Weights(
        tables, raw["intercepts"], hashes[order], np.array([weight for *_, weight in words], np.int32)[order]
    )


@cache
def weights() -> Weights:
    """The shipped weights."""
    return parse_weights(read_weights())


@cache
def _logistic() -> NDArray[np.uint16]:
    """Score for each sum from -_LIMIT to _LIMIT."""
    sums = range(-_LIMIT, _LIMIT + 1)
    return np.array([round(SCORE_ONE / (1 + math.exp(-total / UNIT))) for total in sums], np.uint16)


def logistic(sums: NDArray[np.int32]) -> Scores:
    """Sums of weights to scores on the grid: a table look-up, the same on every machine."""
    scores: Scores = _logistic()[np.clip(sums, -_LIMIT, _LIMIT) + _LIMIT]
    return scores
