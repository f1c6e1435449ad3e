"""What happens where words were dropped: no orphaned punctuation, no words grown together. Pure.

These rules run after selection, in the order `drop_consecutive`, `drop_orphans`, `keep_separators`. Protected
and forced words never go.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from compressor.chars import Group, classify, hash_words
from compressor.types import Bools, Codes, Words
from compressor.words import Flag

_STRONG = ".!?…。！？"
_WEAK = ",;、，；"
_MARKS = _STRONG + _WEAK + ":："
_OPENING, _CLOSING = "([{（「『【〈《“‘«", ")]}）」』】〉》”’»"


def drop_consecutive(words: Words, kept: Bools, protected: Bools, literals: Sequence[str]) -> Bools:
    """Of equal words that are a forced literal, with nothing kept between them, keep the first.

    Newlines of lines dropped whole collapse so. Protected words never go, and numbers do not either.
    """
    order = np.flatnonzero(kept)
    if len(order) < 2 or not literals:
        return kept
    is_literal = np.isin(words.hashes[order], hash_words(literals)) & (
        (words.flags[order] & Flag.HAS_DIGIT) == 0
    )
    droppable = is_literal & ~protected[order]
    repeats = droppable[1:] & droppable[:-1] & (words.hashes[order][1:] == words.hashes[order][:-1])
    result = kept.copy()
    result[order[1:][repeats]] = False
    return result


def keep_separators(words: Words, kept: Bools) -> Bools:
    """Also keep what stands between two kept words that would otherwise grow together.

    A dropped newline between them stays where no blank could part them; and where letters or digits on both
    sides would meet ("3至5", "使用Python编写Java"), the word just before the second stays.
    """
    order = np.flatnonzero(kept)
    left, right = order[:-1], order[1:]
    has_gap = np.zeros(len(kept), np.bool_)
    has_gap[1:] = words.starts[1:] > words.ends[:-1]
    gaps = np.cumsum(has_gap)
    meets = (right > left + 1) & (gaps[right] == gaps[left])
    left, right = left[meets], right[meets]
    if not len(left):
        return kept
    is_newline = (words.flags & Flag.NEWLINE) != 0
    newlines = np.flatnonzero(is_newline)
    first_newline = np.append(newlines, len(kept))[np.searchsorted(newlines, left, side="right")]
    parted = is_newline[left] | is_newline[right]
    result = kept.copy()
    by_newline = ~parted & (first_newline < right)
    result[first_newline[by_newline]] = True
    last_groups, _ = classify(words.codes[words.ends[left] - 1])
    first_groups, _ = classify(words.codes[words.starts[right]])
    grown = ~parted & ~by_newline & (last_groups == Group.WORD) & (first_groups == Group.WORD)
    result[right[grown] - 1] = True
    return result


def drop_orphans(words: Words, kept: Bools, fixed: Bools) -> Bools:
    """Drop punctuation whose words are gone; words of `fixed` stay.

    A mark that comes to stand behind another mark or at the beginning of a line goes ("Priya: Sure, yes." is
    "Priya:", not "Priya:,."), but of a weak and a strong one the weak ("in the end, you see." is "in the
    end."). A pair of brackets or quotes around nothing goes whole.
    """
    orphans = _orphans(words, kept, fixed)
    while orphans.any():  # each pass drops a word at least, and marks in a row are few
        kept = kept & ~orphans
        orphans = _orphans(words, kept, fixed)
    return kept


def _orphans(words: Words, kept: Bools, fixed: Bools) -> Bools:
    """Words to drop as things stand."""
    order = np.flatnonzero(kept)
    left, right = np.append(-1, order[:-1]), order
    seam = right > left + 1
    left, right = left[seam], right[seam]
    left_mark, right_mark = _single(words, left), _single(words, right)
    at_line_start = (left < 0) | ((words.flags[left] & Flag.NEWLINE) != 0)
    is_free_left, is_free_right = ~fixed[left] & (left >= 0), ~fixed[right]
    is_empty_pair = _pairs(left_mark, right_mark) & is_free_left & is_free_right
    is_orphan = _among(right_mark, _MARKS) & (at_line_start | (left_mark > 0))
    takes_left = is_orphan & _among(left_mark, _WEAK) & _among(right_mark, _STRONG) & is_free_left
    orphans = np.zeros(len(kept), np.bool_)
    orphans[left[is_empty_pair | takes_left]] = True
    orphans[right[is_empty_pair | (is_orphan & ~takes_left & is_free_right)]] = True
    return orphans


def _single(words: Words, at: NDArray[np.intp]) -> Codes:
    """The character of each word that is a single punctuation character, else 0; 0 for index -1."""
    is_single = (words.ends[at] - words.starts[at] == 1) & ((words.flags[at] & Flag.PUNCT) != 0) & (at >= 0)
    return np.where(is_single, words.codes[words.starts[at]], np.uint32(0))


def _among(marks: Codes, chars: str) -> Bools:
    return np.isin(marks, np.array([ord(char) for char in chars], np.uint32))


def _pairs(left: Codes, right: Codes) -> Bools:
    """Where the left opens what the right closes."""
    closing = np.zeros(len(left), np.uint32)
    for opener, closer in zip(_OPENING, _CLOSING, strict=True):
        closing[left == ord(opener)] = ord(closer)
    return np.equal(closing, right) & (closing > 0)
