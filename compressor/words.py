"""Text to words: the smallest units kept or dropped, found in the text alone, never in tokens.

Laws: words do not overlap and come in order; between two words there is only white space that is no newline;
every newline is a word of its own; equal texts give equal words.

A word is a run of letters and digits with the punctuation that holds it together (state-of-the-art, 3:15,
user@host, -$5.00, 12%), a run of other punctuation, a newline, a Katakana run, or a Han/Hiragana stretch cut
where the two characters at the cut rarely stand inside one word (`lexicon.cohesion`).
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from compressor.chars import Group, Trait, classify, codes_of, hash_spans
from compressor.lexicon import cohesion
from compressor.types import Bools, Codes, Ints, Words

WORDS_VERSION = "1"
"""Part of every fingerprint: changes whenever the same text would be cut otherwise."""

Groups: TypeAlias = NDArray[np.uint8]
Traits: TypeAlias = NDArray[np.uint16]


class Flag:
    """Bits of `Words.flags`."""

    HAS_DIGIT = 1
    TITLE = 2
    """First character is a capital."""
    UPPER = 4
    """Two or more letters, all capitals."""
    HAS_LETTER = 8
    CJK = 16
    HANGUL = 32
    PUNCT = 64
    """Nothing but punctuation and symbols."""
    NEWLINE = 128
    INNER = 256
    """Letters or digits held together or adorned by punctuation."""


def split(text: str) -> Words:
    """The words of `text`."""
    codes = codes_of(text)
    groups, traits = classify(codes)
    begins = _begins(codes, groups, traits)
    starts = np.flatnonzero(begins).astype(np.int32)
    is_space = groups == Group.SPACE
    is_last = ~is_space
    is_last[:-1] &= is_space[1:] | begins[1:]
    ends = (np.flatnonzero(is_last) + 1).astype(np.int32)
    return Words(codes, starts, ends, _flags(traits, starts, ends), hash_spans(codes, starts, is_space))


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
    newlines = np.flatnonzero(groups == Group.NEWLINE)
    after_return = (newlines > 0) & (codes[newlines - 1] == 13)
    begins[newlines] = (codes[newlines] == 13) | ~after_return
    _cut_han(codes, groups, traits, begins)
    _attach_punctuation(codes, groups, traits, begins)
    return begins


def _cut_han(codes: Codes, groups: Groups, traits: Traits, begins: Bools) -> None:
    """Inside Han and Hiragana, cut where the pair of characters does not hold together."""
    is_han = (groups == Group.HAN) | (groups == Group.HIRAGANA)
    pairs = (
        np.flatnonzero(is_han[1:] & is_han[:-1] & (traits[1:] != 0)) + 1
    )  # traits 0: a mark, never cut off
    if len(pairs):
        begins[pairs] = ~cohesion().is_cohesive(codes[pairs - 1], codes[pairs])


def _attach_punctuation(codes: Codes, groups: Groups, traits: Traits, begins: Bools) -> None:
    """Glue runs of punctuation to the letters and digits they belong to."""
    n = len(groups)
    is_punct = groups == Group.PUNCT
    edges = np.flatnonzero(np.diff(is_punct, prepend=False, append=False))
    first, past = edges[::2], edges[1::2]  # runs are [first, past)
    if not len(first):
        return
    padded_groups = np.append(groups, np.uint8(Group.SPACE))
    padded_traits = np.append(traits, np.uint16(0))
    left, right = padded_groups[first - 1], padded_groups[past]  # index -1 is the padding: SPACE
    left_traits, right_traits = padded_traits[first - 1], padded_traits[past]
    left_word, right_word = left == Group.WORD, right == Group.WORD
    left_digit, right_digit = (left_traits & Trait.DIGIT) != 0, (right_traits & Trait.DIGIT) != 0

    is_joining = _all_have(traits, Trait.JOINER, first, past)
    is_joining |= left_digit & right_digit & (past - first == 1) & ((traits[first] & Trait.DIGIT_JOINER) != 0)
    is_joining &= left_word & right_word
    begins[first[is_joining]] = False
    begins[past[is_joining]] = False

    # what follows a word: 5% and C++ keep their sign
    suffix = np.where(left_digit, np.uint16(Trait.DIGIT_SUFFIX), np.uint16(Trait.SUFFIX))
    run = np.repeat(np.arange(len(first)), past - first)
    members = np.flatnonzero(is_punct)
    is_suffix = np.zeros(n + 1, np.bool_)
    is_suffix[members] = ((traits[members] & suffix[run]) != 0) & (left_word & ~is_joining)[run]
    not_suffix = np.where(is_suffix, n, np.arange(n + 1))
    cut = np.minimum(np.minimum.accumulate(not_suffix[::-1])[::-1][first], past)
    attached = cut > first
    begins[first[attached]] = False
    inside = attached & (cut < past)
    begins[cut[inside]] = True

    # what precedes a word: -$5 and /usr and @user keep theirs
    prefix = np.where(right_digit, np.uint16(Trait.DIGIT_PREFIX), np.uint16(Trait.PREFIX))
    is_prefix = np.zeros(n, np.bool_)
    is_prefix[members] = ((traits[members] & prefix[run]) != 0) & (right_word & ~is_joining)[run]
    not_prefix = np.where(is_prefix, -1, np.arange(n))
    begin = np.maximum(np.maximum.accumulate(not_prefix)[past - 1] + 1, cut)
    is_ellipsis = (past - begin > 1) & (codes[past - 1] == ord("."))
    attached = (begin < past) & (past - begin <= 3) & ~is_ellipsis
    begins[past[attached]] = False
    begins[begin[attached]] = True


def _all_have(traits: Traits, trait: int, first: NDArray[np.intp], past: NDArray[np.intp]) -> Bools:
    """For each range [first, past): do all its characters have the trait?"""
    missing = np.zeros(len(traits) + 1, np.int32)
    np.cumsum((traits & trait) == 0, out=missing[1:])
    return np.equal(missing[past], missing[first])


def _flags(traits: Traits, starts: Ints, ends: Ints) -> NDArray[np.uint16]:
    """`Flag` bits of each word."""
    if not len(starts):
        return np.empty(0, np.uint16)
    union = np.bitwise_or.reduceat(traits, starts)  # white space has no traits
    has_core = (union & (Trait.DIGIT | Trait.LETTER)) != 0
    is_upper = ((union & Trait.UPPER) != 0) & ((union & Trait.LOWER) == 0) & (ends - starts >= 2)
    flags = np.zeros(len(starts), np.uint16)
    for flag, holds in (
        (Flag.HAS_DIGIT, (union & Trait.DIGIT) != 0),
        (Flag.TITLE, (traits[starts] & Trait.UPPER) != 0),
        (Flag.UPPER, is_upper),
        (Flag.HAS_LETTER, (union & Trait.LETTER) != 0),
        (Flag.CJK, (union & Trait.CJK) != 0),
        (Flag.HANGUL, (union & Trait.HANGUL) != 0),
        (Flag.PUNCT, ~has_core & ((union & Trait.NEWLINE) == 0)),
        (Flag.NEWLINE, (union & Trait.NEWLINE) != 0),
        (Flag.INNER, has_core & ((union & Trait.PUNCT) != 0)),
    ):
        flags[holds] |= flag
    return flags
