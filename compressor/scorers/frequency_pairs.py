"""Brackets and quotes: two marks that belong together get one score, that of what they enclose.

Otherwise "(" would stay without its ")", or "()" around nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from compressor.scorers.frequency_marks import Marks, Sign, Stretches, has
from compressor.spans import sums
from compressor.types import Scores, Words


def level_pairs(words: Words, marks: Marks, scores: Scores) -> Scores:
    """The scores with those of paired marks set to the mean score between them; n must be positive."""
    lines = Stretches.ending_at(marks.is_newline)
    first, last = _pairs(words, marks, lines)
    if not len(first):
        return scores
    means = sums(scores, first + 1, last) // np.maximum(last - first - 1, 1)
    levelled = scores.copy()
    levelled[first] = levelled[last] = means.astype(np.uint16)
    return levelled


def _pairs(words: Words, marks: Marks, lines: Stretches) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First and second mark of each pair, both in one line and something between them."""
    is_open = marks.is_punct & has(marks.first_signs | marks.last_signs, Sign.OPENING)
    is_close = marks.is_punct & ~is_open & has(marks.first_signs | marks.last_signs, Sign.CLOSING)
    at = np.flatnonzero(is_open | is_close)
    # the depth of a closing mark is taken before it closes: a pair's marks are at one depth
    depth = np.cumsum(is_open[at].astype(np.int64) - is_close[at]) + is_close[at]
    order = np.lexsort((at, depth, lines.of[at]))
    bracket = at[order]
    is_pair = is_open[bracket[:-1]] & is_close[bracket[1:]] & (depth[order][:-1] == depth[order][1:])
    quote = np.flatnonzero(
        marks.is_punct & has(marks.first_signs, Sign.QUOTE) & (words.ends - words.starts == 1)
    )
    quote = quote[np.lexsort((quote, words.codes[words.starts[quote]], lines.of[quote]))]
    is_quoted = _alternate(words, lines, quote)
    first = np.concatenate([bracket[:-1][is_pair], quote[:-1][is_quoted]])
    last = np.concatenate([bracket[1:][is_pair], quote[1:][is_quoted]])
    is_kept = (lines.of[first] == lines.of[last]) & (last - first > 1)
    return first[is_kept], last[is_kept]


def _alternate(words: Words, lines: Stretches, quote: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Of quote marks sorted by line and character: which one opens, taking them by twos."""
    if not len(quote):
        return np.zeros(0, np.bool_)
    char, line = words.codes[words.starts[quote]], lines.of[quote]
    is_same = (char[1:] == char[:-1]) & (line[1:] == line[:-1])
    begins = np.append(True, ~is_same)
    rank = np.arange(len(quote)) - np.flatnonzero(begins)[np.cumsum(begins) - 1]
    opens: NDArray[np.bool_] = is_same & (rank[:-1] % 2 == 0)
    return opens
