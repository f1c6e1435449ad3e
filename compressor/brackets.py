"""Which words open and close a pair: brackets, quotation marks, emphasis. Pure, near-linear in the text.

A bracket is matched with the next closing one of its kind at the same depth in the same paragraph. Marks that
look alike on both sides (`"`, `*`, and curly quotes, which languages turn either way) alternate within a
line, and only where their number is even. Letters that look like brackets (the ’ of apostrophes) are none.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from compressor.spans import Positions, words_at
from compressor.types import Bools, Words
from compressor.words import Flag

_OPENING, _CLOSING = "([{（［｛「『【〈《〔", ")]}）］｝」』】〉》〕"
_ALIKE = ('"', "“”„‟", "«»", "‹›", "＂")
_STAR = ord("*")
_LONGEST = 6
"""Characters of a run of punctuation that are looked at."""
_LONGEST_STARS = 3
_FIRST_ALIKE = 32
_FIRST_STARS = 64

Kinds = NDArray[np.int8]


def pairs(words: Words) -> tuple[Positions, Positions]:
    """The words that open pairs and those that close them, in parallel; a word may hold several."""
    at, owner = _candidates(words)
    if not len(at):
        return at, owner
    kind = _table().take(words.codes[at], mode="clip")
    stars = kind >= _FIRST_STARS
    if stars.any():
        is_used = np.where(stars, _is_emphasis(words, at), True)
        kind[stars] += _run_lengths(words, at[stars])
        owner, kind = owner[is_used], kind[is_used]
    is_alike = np.abs(kind) >= _FIRST_ALIKE
    brackets, alike = owner[~is_alike], owner[is_alike]
    lines = words.newlines
    paragraphs = lines[1:][lines[1:] == lines[:-1] + 1]
    found = (
        _nested(brackets, kind[~is_alike], paragraphs.searchsorted(brackets)),
        _alternating(alike, kind[is_alike], lines.searchsorted(alike)),
    )
    opening = np.concatenate([first for first, _ in found])
    closing = np.concatenate([second for _, second in found])
    parted = opening < closing
    return opening[parted], closing[parted]


def _candidates(words: Words) -> tuple[Positions, Positions]:
    """Characters of words of punctuation that may open or close, in order, and the words they stand in."""
    at = _table().take(words.codes, mode="clip").nonzero()[0]
    owner = words_at(words, at)
    is_mark = ((words.flags[owner] & Flag.PUNCT) != 0) & (at - words.starts[owner] < _LONGEST)
    return at[is_mark], owner[is_mark]


@cache
def _table() -> Kinds:
    """By code point: a positive number for what opens, its negative for what closes, 0 for all else."""
    table = np.zeros(0x10000, np.int8)
    for number, (opener, closer) in enumerate(zip(_OPENING, _CLOSING, strict=True), start=1):
        table[ord(opener)], table[ord(closer)] = number, -number
    for number, chars in enumerate(_ALIKE, start=_FIRST_ALIKE):
        for char in chars:
            table[ord(char)] = number
    table[_STAR] = _FIRST_STARS
    table.setflags(write=False)
    return table


def _is_emphasis(words: Words, at: Positions) -> Bools:
    """Of stars: the first of a run that touches ink on a side; bullets and products touch none."""
    codes = np.concatenate((words.codes, np.zeros(_LONGEST_STARS + 1, np.uint32)))  # -1 meets the end
    is_first = codes[at - 1] != _STAR
    past = at + 1
    for _ in range(1, _LONGEST_STARS):
        past = past + (codes[past] == _STAR)
    return np.asarray(is_first & (_is_ink(codes[at - 1]) | _is_ink(codes[past])))


def _is_ink(codes: NDArray[np.uint32]) -> Bools:
    return np.asarray(codes > ord(" "))


def _run_lengths(words: Words, at: Positions) -> Kinds:
    """How many stars, up to three, stand in a row from each position."""
    codes = np.concatenate((words.codes, np.zeros(_LONGEST_STARS, np.uint32)))
    second = codes[at + 1] == _STAR
    third = second & (codes[at + 2] == _STAR)
    return np.asarray(second.astype(np.int8) + third)


def _nested(owner: Positions, kind: Kinds, scope: Positions) -> tuple[Positions, Positions]:
    """Brackets: what opens, followed by what closes, among those of one kind, depth and scope."""
    if not len(owner):
        return owner, owner
    number = np.abs(kind)
    order = np.argsort(number, kind="stable")
    step = np.where(kind[order] > 0, 1, -1)
    depth = np.cumsum(step) + (step < 0)  # of a closer, the depth before it
    keys = (np.arange(len(order)), depth, scope[order], number[order])
    ranked = order[np.lexsort(keys)]
    depths = np.empty(len(order), np.intp)
    depths[order] = depth
    left, right = ranked[:-1], ranked[1:]
    matches = (kind[left] > 0) & (kind[right] == -kind[left])
    matches &= (depths[left] == depths[right]) & (scope[left] == scope[right])
    return owner[left[matches]], owner[right[matches]]


def _alternating(owner: Positions, kind: Kinds, scope: Positions) -> tuple[Positions, Positions]:
    """Marks alike on both sides: by twos, where a scope holds an even number of the kind."""
    if not len(owner):
        return owner, owner
    order = np.lexsort((np.arange(len(owner)), kind, scope))
    kinds, scopes = kind[order], scope[order]
    is_first = np.ones(len(order), np.bool_)
    is_first[1:] = (kinds[1:] != kinds[:-1]) | (scopes[1:] != scopes[:-1])
    first = is_first.nonzero()[0]
    counts = np.diff(first, append=len(order))
    rank = np.arange(len(order)) - np.repeat(first, counts)
    is_even = np.repeat(counts % 2 == 0, counts)
    left = (is_even & (rank % 2 == 0)).nonzero()[0]
    return owner[order[left]], owner[order[left + 1]]
