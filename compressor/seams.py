"""What happens where words were dropped: no half pair, no orphaned mark, no words grown together. Pure.

These rules run after selection, in the order `drop_consecutive`, `drop_orphans`, `keep_separators`. Protected
and forced words never go.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from compressor.chars import codes_of, could_grow, hash_words
from compressor.layout import Layout
from compressor.line_marks import follow_lines
from compressor.spans import CharSet, Positions, runs, sums
from compressor.types import Bools, Words
from compressor.words import Flag

_STRONG = ".!?…。！？"
_WEAK = ",;、，；"
_COLONS = ":："
_MOST_PASSES = 8
"""Marks in a row are few; a text of nothing else is left as it comes out."""

Marks: TypeAlias = NDArray[np.uint16]


class Mark:
    """Bits: what a word is as punctuation."""

    SINGLE = 1
    """One character of punctuation, whatever it is."""
    ANY = 2
    """That ends or parts a phrase."""
    STRONG = 4
    WEAK = 8
    NEWLINE = 16


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


def keep_separators(words: Words, kept: Bools, layout: Layout, ends: Positions | None = None) -> Bools:
    """Also keep what stands between two kept words that would otherwise grow together.

    A dropped newline between them stays where no blank could part them; and where letters or digits on both
    sides would meet ("3至5", "使用Python编写Java"), the word just before the second stays, and if that closes
    a pair, what opens it. `ends` are words before which one of several texts ends: each is by itself.
    """
    first, past = runs(kept)
    left, right = past[:-1] - 1, first[1:]  # what is dropped stands between
    gaps = words.has_gap.cumsum()
    meets = gaps[right] == gaps[left]
    left, right = left[meets], right[meets]
    if not len(left):
        return kept
    is_newline = words.is_newline
    is_parted = is_newline[left] | is_newline[right]
    left, right = left[~is_parted], right[~is_parted]
    first_newline = np.append(words.newlines, len(kept))[words.newlines.searchsorted(left, side="right")]
    by_newline = first_newline < right
    result = kept.copy()
    result[first_newline[by_newline]] = True
    left, right = left[~by_newline], right[~by_newline]
    is_grown = could_grow(words.codes[words.ends[left] - 1]) & could_grow(words.first_codes[right])
    if not is_grown.any():
        return result
    right = right[is_grown]
    result[right - 1] = True
    balanced = balance(words, result, result, layout)
    if ends is not None:
        has_grown = np.zeros(len(ends), np.bool_)
        has_grown[ends.searchsorted(right)] = True
        balanced = np.where(np.repeat(has_grown, np.diff(ends, prepend=-1)), balanced, result)
    return balanced


def drop_orphans(words: Words, kept: Bools, fixed: Bools, layout: Layout) -> Bools:
    """Drop punctuation whose words are gone; words of `fixed` stay.

    The marks at the beginning of a line go with their line and stay with it. Of brackets, quotes and emphasis
    both halves stay or neither. A mark that comes to stand behind another mark or at the beginning of a line
    goes ("Priya: Sure, yes." is "Priya:", not "Priya:,."), but of a weak and a strong one the weak ("in the
    end, you see." is "in the end."). Where nothing else would be left it stays: better than nothing.
    """
    before = kept
    kept = follow_lines(words, kept, fixed, layout.first, layout.past)
    kept = balance(words, kept, fixed, layout)
    if not (kept & words.is_ink).any():
        return before
    marks = _marks(words)
    endings = (marks & Mark.ANY).nonzero()[0]
    endings = endings[endings > 0]
    kept = kept.copy()
    for _ in range(_MOST_PASSES):
        orphans = _orphans(marks, endings, kept, fixed)
        if not len(orphans):
            break
        kept[orphans] = False
    return kept


def balance(words: Words, kept: Bools, fixed: Bools, layout: Layout) -> Bools:
    """Of each pair keep both halves or neither: the one that opens decides, unless the other is fixed or ends
    a sentence besides. A pair goes when nothing of what it enclosed is left, and what it shared a word with:
    "[text](link)" without its text is "link".
    """
    opening, closing = layout.opening, layout.closing
    if not len(opening) or bool(kept.all()):
        return kept
    kept = kept.copy()
    is_ink = words.is_ink
    had_ink = sums(is_ink, opening + 1, closing) > 0
    must = _must(fixed, opening, closing)
    kept[opening[must]] = kept[closing[must]] = True
    is_more = words.lengths[closing] > 1
    is_barred = np.zeros(len(words), np.bool_)
    for _ in range(_MOST_PASSES):
        first, second = kept[opening], kept[closing]
        is_empty = had_ink & (sums(is_ink & kept, opening + 1, closing) == 0)
        is_lost = is_empty | is_barred[opening] | is_barred[closing]
        gone = (is_lost | ~(first | (second & is_more))) & (first | second) & ~must
        kept[opening[gone]] = kept[closing[gone]] = False
        is_barred[opening[gone]] = is_barred[closing[gone]] = True
        whole = (first != second) & ~gone & ~must
        if not gone.any() and not whole.any():
            break
        kept[opening[whole]] = kept[closing[whole]] = True
    return kept


def _must(fixed: Bools, opening: Positions, closing: Positions) -> Bools:
    """Pairs with a half that is fixed, or that share a word with such a pair; long chains are cut short."""
    must: Bools = fixed[opening] | fixed[closing]
    for _ in range(_MOST_PASSES):
        reached = fixed.copy()
        reached[opening[must]] = reached[closing[must]] = True
        more = reached[opening] | reached[closing]
        if (more == must).all():
            break
        fixed, must = reached, more
    return must


def _orphans(marks: Marks, endings: Positions, kept: Bools, fixed: Bools) -> Positions:
    """Words to drop as things stand; `endings` are the words after the first that end or part a phrase."""
    right = endings[kept[endings] & ~kept[endings - 1]]  # at a seam: something is dropped before it
    if not len(right):
        return right
    order = kept.nonzero()[0]
    rank = order.searchsorted(right)
    is_inner = rank > 0
    left = order[rank - 1]
    left_mark = np.where(is_inner, marks[left], np.uint16(Mark.NEWLINE))
    is_orphan = (left_mark & (Mark.SINGLE | Mark.NEWLINE)) != 0
    takes_left = is_orphan & ((left_mark & Mark.WEAK) != 0) & ((marks[right] & Mark.STRONG) != 0)
    takes_left &= is_inner & ~fixed[left]
    orphans: Positions = np.concatenate((left[takes_left], right[is_orphan & ~takes_left & ~fixed[right]]))
    return orphans


def _marks(words: Words) -> Marks:
    """`Mark` bits of each word; of several characters only dots count ("..."), as one."""
    puncts = words.puncts
    is_single = words.lengths[puncts] == 1
    single, longer = puncts[is_single], puncts[~is_single]
    marks: Marks = words.is_newline * np.uint16(Mark.NEWLINE)
    marks[single] = _mark_table().take(words.first_codes[single], mode="clip")
    dotted = longer[_DOTS.has(words.first_codes[longer])]
    for at, start, end in zip(
        dotted.tolist(), words.starts[dotted].tolist(), words.ends[dotted].tolist(), strict=True
    ):
        if words.codes[start:end].tobytes() in _ellipses():
            marks[at] = Mark.SINGLE | Mark.ANY | Mark.STRONG
    return marks


_DOTS = CharSet(".…。")


@cache
def _ellipses() -> frozenset[bytes]:
    """As codes."""
    return frozenset(codes_of(dots).tobytes() for dots in ("..", "...", "....", "……", "。。。"))


@cache
def _mark_table() -> Marks:
    """`Mark` bits by code point; the last stands for all beyond the basic plane."""
    table = np.full(0x10000, Mark.SINGLE, np.uint16)
    for chars, bits in (
        (_STRONG, Mark.ANY | Mark.STRONG),
        (_WEAK, Mark.ANY | Mark.WEAK),
        (_COLONS, Mark.ANY),
    ):
        for char in chars:
            table[ord(char)] |= bits
    return table
