"""Which units of a source a compression kept: the best alignment in order, by a sliding window.

LLMLingua-2 looks for each compressed word outward from the last match and takes the first that fits; so a
repeated word may be found at the wrong place, and one bad jump leads the next astray. Here every window is
aligned whole: among all ways to match in order, the one with most matches, then the closest in spelling, then
in the longest runs, then the earliest. The window moves on by half, so cost grows with the text's length, not
its square; a text of up to WINDOW units is one window, and its alignment the best there is.

Laws: a match never crosses another; as many flags as source units; nothing raises.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compressor.train.units import Keys
from compressor.types import Bools

WINDOW = 1024
"""Source units looked at together: every chunk that a teacher is given fits."""

SAME, CUT = 100, 60
"""A match of the same word; of one that lost a part."""
SPELLED, PREFERRED, RUN = 8, 10, 6
"""Added for the same spelling; for a unit said to be likelier; for following the match before it."""
_NEVER = -(1 << 30)

Ints = NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Keyed:
    """Units as numbers to compare: the same number, the same key, on either side."""

    spelled: Ints
    folded: Ints
    stems: Ints
    heads: Ints

    def __len__(self) -> int:
        return len(self.spelled)

    def part(self, start: int, end: int) -> Keyed:
        return Keyed(*(keys[start:end] for keys in (self.spelled, self.folded, self.stems, self.heads)))


class Numbering:
    """Gives each key a number, once for both sides."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._keys: dict[str, Keys] = {}

    def keyed(self, units: Sequence[str]) -> Keyed:
        keys = [self._keys.get(unit) or self._keys.setdefault(unit, Keys.of(unit)) for unit in units]
        return Keyed(
            self._numbered(units),
            self._numbered([key.folded for key in keys]),
            self._numbered([key.stem for key in keys]),
            self._numbered([key.head for key in keys]),
        )

    def _numbered(self, keys: Sequence[str]) -> Ints:
        numbers = self._numbers
        return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int32)


def kept_units(source: Keyed, compressed: Keyed, preferred: Bools | None = None) -> Bools:
    """Which source units stand in the compression. `preferred` ones win over others as good."""
    likelier = np.zeros(len(source), np.bool_) if preferred is None else preferred
    kept = np.zeros(len(source), np.bool_)
    at = said = 0
    while at < len(source) and said < len(compressed):
        end = min(at + WINDOW, len(source))
        ahead = _look_ahead(end - at, len(source) - at, len(compressed) - said)
        places = _aligned(
            source.part(at, end), compressed.part(said, said + ahead), likelier[at:end], end == len(source)
        )
        until = end if end == len(source) else at + WINDOW // 2
        matched = [(i, j) for i, j in places if at + i < until]
        kept[[at + i for i, _ in matched]] = True
        said += max((j + 1 for _, j in matched), default=0)
        at = until
    return kept


def _look_ahead(n_window: int, n_left: int, n_said: int) -> int:
    """Compressed units that may lie within the window: half as many again as an even share, and some.

    A deletion never has more than the window holds; what goes on beyond twice that was made up.
    """
    share = n_said if n_window == n_left else -(-n_said * n_window * 3 // (2 * n_left)) + 64
    return min(n_said, share, 2 * WINDOW)


def _weights(source: Keyed, compressed: Keyed, preferred: Bools) -> Ints:
    """What matching each source unit with each compressed one is worth; 0 for two different words."""
    same = source.folded[:, None] == compressed.folded
    cut = source.stems[:, None] == compressed.stems
    for part in (source.stems, source.heads):  # 회의 itself ends like a particle, and 회의에서 was cut to it
        cut |= part[:, None] == compressed.folded
    spelled = source.spelled[:, None] == compressed.spelled
    worth = np.where(same, SAME, np.where(cut, CUT, 0)) + np.where(spelled, SPELLED, 0)
    return np.asarray(worth + np.where(preferred[:, None] & (worth > 0), PREFERRED, 0), np.int32)


def _aligned(source: Keyed, compressed: Keyed, preferred: Bools, is_last: bool) -> list[tuple[int, int]]:
    """The pairs of the best alignment, in order. Row by row: `ending` is the best that ends with this pair,
    `best` the best so far with or without it."""
    worth = _weights(source, compressed, preferred)
    n, m = worth.shape
    ending = np.full((n + 1, m + 1), _NEVER, np.int32)
    best = np.zeros((n + 1, m + 1), np.int32)
    for i in range(n):
        before = np.maximum(best[i, :-1], ending[i, :-1] + RUN)
        ending[i + 1, 1:] = np.where(worth[i] > 0, worth[i] + before, _NEVER)
        np.maximum.accumulate(np.maximum(best[i], ending[i + 1]), out=best[i + 1])
    return _traced(worth, ending, best)


def _traced(worth: Ints, ending: Ints, best: Ints) -> list[tuple[int, int]]:
    """Back along what was best; of equals, the earliest in the source."""
    i, j = worth.shape
    pairs = []
    is_pair = False
    while i and j:
        if is_pair or best[i, j] not in (best[i - 1, j], best[i, j - 1]):
            pairs.append((i - 1, j - 1))
            is_pair = bool(ending[i - 1, j - 1] + RUN > best[i - 1, j - 1])
            i, j = i - 1, j - 1
        elif best[i, j] == best[i - 1, j]:
            i -= 1
        else:
            j -= 1
    return pairs[::-1]
