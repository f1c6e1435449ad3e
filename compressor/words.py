"""Text to words: the smallest units kept or dropped, found in the text alone, never in tokens.

Laws: words do not overlap and come in order; between two words there is only white space that is no newline;
every newline is a word of its own; equal texts give equal words.

A word is a run of letters and digits with the punctuation that holds it together (state-of-the-art, 3:15,
user@host, -$5.00, 12%), a run of other punctuation, a newline, a Katakana run, or a Han/Hiragana stretch cut
where the two characters at the cut rarely stand inside one word (`lexicon.cohesion`).
"""

from __future__ import annotations

from functools import cache
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from compressor.chars import Group, Trait, classify, codes_of
from compressor.lexicon import cohesion
from compressor.types import Bools, Codes, Ints, Words
from compressor.types import Flag as Flag

WORDS_VERSION = "1"
"""Part of every fingerprint: changes whenever the same text would be cut otherwise."""

Groups: TypeAlias = NDArray[np.uint8]
Traits: TypeAlias = NDArray[np.uint16]

N = TypeVar("N", bound=np.generic)


def split(text: str) -> Words:
    """The words of `text`."""
    codes = codes_of(text)
    groups, traits = classify(codes)
    begins = _begins(codes, groups, traits)
    starts = begins.nonzero()[0].astype(np.int32)
    is_space = groups == Group.SPACE
    is_last = ~is_space
    is_last[:-1] &= is_space[1:] | begins[1:]
    ends = is_last.nonzero()[0].astype(np.int32)
    ends += 1
    return Words(codes, starts, ends, _flags(traits, starts, ends))


def _before(groups: Groups) -> Groups:
    """The group of the character before each one; SPACE before the first."""
    before = np.empty_like(groups)
    before[:1] = Group.SPACE
    before[1:] = groups[:-1]
    return before


def _begins(codes: Codes, groups: Groups, traits: Traits) -> Bools:
    """Which characters begin a word."""
    before = _before(groups)
    begins: Bools = np.not_equal(groups, before) & (groups != Group.SPACE)
    newlines = (groups == Group.NEWLINE).nonzero()[0]
    if len(newlines):
        after_return = (newlines > 0) & (codes[newlines - 1] == 13)
        begins[newlines] = (codes[newlines] == 13) | ~after_return
    _cut_han(codes, groups, traits, begins)
    _attach_punctuation(codes, groups, traits, begins)
    return begins


def _cut_han(codes: Codes, groups: Groups, traits: Traits, begins: Bools) -> None:
    """Inside Han and Hiragana, cut where the pair of characters does not hold together."""
    is_han = (groups == Group.HAN) | (groups == Group.HIRAGANA)
    if is_han.any():
        # traits 0: a mark, never cut off
        pairs = (is_han[1:] & is_han[:-1] & (traits[1:] != 0)).nonzero()[0] + 1
        begins[pairs] = ~cohesion().is_cohesive(codes[pairs - 1], codes[pairs])


def _attach_punctuation(codes: Codes, groups: Groups, traits: Traits, begins: Bools) -> None:
    """Glue runs of punctuation to the letters and digits they belong to. Works on the punctuation alone."""
    members = (groups == Group.PUNCT).nonzero()[0]
    if not len(members):
        return
    is_first = np.empty(len(members), np.bool_)
    is_first[0] = True
    np.not_equal(members[1:], members[:-1] + 1, out=is_first[1:])
    heads = is_first.nonzero()[0]  # of each run [first, past), where in `members` it begins
    first = members[heads]
    past = np.empty_like(first)
    past[:-1], past[-1] = members[heads[1:] - 1], members[-1]
    past += 1
    run = is_first.cumsum() - 1
    traits_of = traits[members]
    left_traits, right_traits = _around(traits, first, past)
    left, right = _around(groups, first, past)
    left_word, right_word = left == Group.WORD, right == Group.WORD
    left_digit, right_digit = (left_traits & Trait.DIGIT) != 0, (right_traits & Trait.DIGIT) != 0

    shared = np.bitwise_and.reduceat(traits_of, heads)
    is_joining = (shared & Trait.JOINER) != 0
    is_joining |= left_digit & right_digit & (past - first == 1) & ((shared & Trait.DIGIT_JOINER) != 0)
    is_joining &= left_word & right_word
    begins[first[is_joining]] = False
    begins[past[is_joining]] = False

    # what follows a word: 5% and C++ keep their sign
    suffix = np.where(left_digit, np.uint16(Trait.DIGIT_SUFFIX), np.uint16(Trait.SUFFIX))
    suffix[~left_word | is_joining] = 0
    is_suffix = (traits_of & suffix[run]) != 0
    cut = np.minimum(np.minimum.reduceat(np.where(is_suffix, len(codes), members), heads), past)
    attached = cut > first
    begins[first[attached]] = False
    inside = attached & (cut < past)
    begins[cut[inside]] = True

    # what precedes a word: -$5 and /usr and @user keep theirs
    prefix = np.where(right_digit, np.uint16(Trait.DIGIT_PREFIX), np.uint16(Trait.PREFIX))
    prefix[~right_word | is_joining] = 0
    is_prefix = (traits_of & prefix[run]) != 0
    begin = np.maximum(np.maximum.reduceat(np.where(is_prefix, -1, members), heads) + 1, cut)
    is_ellipsis = (past - begin > 1) & (codes[past - 1] == ord("."))
    attached = (begin < past) & (past - begin <= 3) & ~is_ellipsis
    begins[past[attached]] = False
    begins[begin[attached]] = True


def _around(
    values: NDArray[N], first: NDArray[np.intp], past: NDArray[np.intp]
) -> tuple[NDArray[N], NDArray[N]]:
    """The values before and after each range [first, past); 0, the group of a space, beyond the text."""
    before, after = values[first - 1], values[np.minimum(past, len(values) - 1)]
    if first[0] == 0:
        before[0] = 0
    if past[-1] == len(values):
        after[-1] = 0
    return before, after


def _flags(traits: Traits, starts: Ints, ends: Ints) -> NDArray[np.uint16]:
    """`Flag` bits of each word."""
    if not len(starts):
        return np.empty(0, np.uint16)
    union = np.bitwise_or.reduceat(traits, starts)  # white space has no traits
    flags = _flag_table().take(union & _FLAG_TRAITS)
    flags |= traits[starts] & Trait.UPPER  # the same bit as Flag.TITLE
    flags[ends - starts < 2] &= ~Flag.UPPER & 0xFFFF
    return flags


assert Flag.TITLE == Trait.UPPER

_FLAG_TRAITS = 255
"""The traits that flags are made of: the low eight."""


@cache
def _flag_table() -> NDArray[np.uint16]:
    """By the union of a word's traits, the flags that depend on nothing else; UPPER as if it were long."""
    union = np.arange(_FLAG_TRAITS + 1)
    has_core = (union & (Trait.DIGIT | Trait.LETTER)) != 0
    table = np.zeros(len(union), np.uint16)
    for flag, holds in (
        (Flag.HAS_DIGIT, (union & Trait.DIGIT) != 0),
        (Flag.UPPER, ((union & Trait.UPPER) != 0) & ((union & Trait.LOWER) == 0)),
        (Flag.HAS_LETTER, (union & Trait.LETTER) != 0),
        (Flag.CJK, (union & Trait.CJK) != 0),
        (Flag.HANGUL, (union & Trait.HANGUL) != 0),
        (Flag.PUNCT, ~has_core & ((union & Trait.NEWLINE) == 0)),
        (Flag.NEWLINE, (union & Trait.NEWLINE) != 0),
        (Flag.INNER, has_core & ((union & Trait.PUNCT) != 0)),
    ):
        table[holds] |= flag
    return table
