"""The marks a line begins with (bullets, quotation signs, headings, boxes, "(a)"): where they stand, and that
they stay with their line and go with it. Pure.
"""

from __future__ import annotations

import numpy as np

from compressor.spans import CharSet, Positions, fill, sums
from compressor.types import Bools, Words
from compressor.words import Flag

_MARKS = CharSet("-*+•–·‣▪◦●○■□✓✔>#")
_ENDS = CharSet(".)")
_DEEPEST = 4
"""Marks before a text: "> > - "."""
_LONGEST_LABEL = 4
"""Characters between brackets: [x], (iii)."""


def leads(words: Words) -> tuple[Positions, Positions]:
    """Of every line that begins with marks: its first word and the word after the marks."""
    n = len(words)
    begins = np.empty(len(words.newlines) + 1, np.intp)
    begins[0], begins[1:] = 0, words.newlines + 1
    begins = begins[begins < n]
    begins = begins[(words.flags[begins] & (Flag.PUNCT | Flag.HAS_DIGIT)) != 0]
    if not len(begins):
        return begins, begins
    has_gap = np.ones(n, np.bool_)  # behind the word; a newline and the end are as good
    np.logical_or(words.has_gap[1:], words.is_newline[1:], out=has_gap[:-1])
    past = begins
    is_mark = words.is_punct & has_gap
    for _ in range(_DEEPEST):
        here = np.minimum(past, n - 1)
        moves = (past < n) & is_mark[here] & _MARKS.has(words.first_codes[here])
        if not moves.any():
            break
        past = past + moves
    past = _past_box(words, past)
    past = _past_number(words, past, has_gap)
    long = past > begins
    return begins[long], past[long]


def _past_box(words: Words, at: Positions) -> Positions:
    """Moved past [ ], [x] and (a)."""
    n = len(words)
    first, second, third = (np.minimum(at + i, n - 1) for i in range(3))
    opener = words.first_codes[first]
    is_box = ((opener == ord("[")) | (opener == ord("("))) & (words.lengths[first] == 1)
    if not is_box.any():
        return at
    closer = np.where(opener == ord("["), ord("]"), ord(")"))
    is_empty = is_box & (second > first) & (words.first_codes[second] == closer)
    is_filled = is_box & (third > second) & (words.first_codes[third] == closer)
    is_filled &= words.lengths[second] <= _LONGEST_LABEL
    is_filled &= words.lengths[third] == 1
    return np.where(is_empty, at + 2, np.where(is_filled, at + 3, at))


def _past_number(words: Words, at: Positions, has_gap: Bools) -> Positions:
    """Moved past 1. and 2)."""
    n = len(words)
    first, second = (np.minimum(at + i, n - 1) for i in range(2))
    is_number = ((words.flags[first] & Flag.HAS_DIGIT) != 0) & (second > first) & ~has_gap[first]
    is_number &= _ENDS.has(words.first_codes[second]) & has_gap[second]
    is_number &= words.lengths[second] == 1
    return np.where(is_number, at + 2, at)


def follow_lines(words: Words, kept: Bools, fixed: Bools, first: Positions, past: Positions) -> Bools:
    """Keep the marks of lines that keep something else, drop those of lines that keep nothing.

    `first` and `past` are the `leads` of the words.
    """
    if not len(first):
        return kept
    n = len(words)
    breaks = np.append(words.newlines, n)
    ends = breaks[np.searchsorted(breaks, past)]
    is_content = (words.flags & (Flag.HAS_LETTER | Flag.HAS_DIGIT)) != 0
    is_full = sums(kept & is_content, past, ends) > 0
    result = kept.copy()
    result[fill(n, first[~is_full], past[~is_full]) & ~fixed] = False
    result[fill(n, first[is_full], past[is_full])] = True
    return result
