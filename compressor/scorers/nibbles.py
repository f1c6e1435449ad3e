"""Four bits a number: tables of vectors, half as large as in bytes.

The sixteen levels are those that lose least of normally distributed numbers (Lloyd and Max), and so of a row
of a trained table: a tenth of its length, where even steps up to its largest number lose an eighth. Two
numbers share a byte, the earlier in its lower half. Pure.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_HALF = (6, 18, 31, 44, 58, 75, 96, 127)
LEVELS = np.array([*(-level for level in reversed(_HALF)), *_HALF], np.int8)
"""In order; a number is its level times the scale of its row."""
_BORDERS = (LEVELS[1:].astype(np.float32) + LEVELS[:-1]) / 2
_TURNS = 3


def packed(table: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float16]]:
    """Rows of an even number of columns, and the scale of each: the one that loses least."""
    scale = np.maximum(np.abs(table).max(axis=1), 1e-4) / np.float32(127)
    for _ in range(_TURNS):  # levels and scale by turns, as each is best for the other
        nearest = np.searchsorted(_BORDERS, table / scale[:, None]).astype(np.uint8)
        levels = LEVELS[nearest].astype(np.float32)
        scale = np.maximum((table * levels).sum(axis=1) / (levels * levels).sum(axis=1), 1e-6)
    return nearest[:, ::2] | nearest[:, 1::2] << 4, scale.astype(np.float16)


def unpacked(pairs: NDArray[np.uint8]) -> NDArray[np.int8]:
    """The levels of each row."""
    levels = np.empty((len(pairs), 2 * pairs.shape[1]), np.int8)
    levels[:, ::2] = LEVELS[pairs & 15]
    levels[:, 1::2] = LEVELS[pairs >> 4]
    return levels
