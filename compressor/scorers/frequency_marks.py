"""What words are by their characters alone, and the sentences and lines they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntFlag
from functools import cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from compressor.types import Bools, Codes, Words
from compressor.words import Flag

Signs: TypeAlias = NDArray[np.uint16]
"""Bits of `Sign`."""


class Sign(IntFlag):
    """Kinds of punctuation; a character can be of several."""

    STOP = 1
    COMMA = 2
    COLON = 4
    OPENING = 8
    CLOSING = 16
    QUOTE = 32
    RULE = 64
    """Draws lines and bullets."""
    QUESTION = 128
    EXCLAMATION = 256
    HASH = 512
    BULLET = 1024
    MARKUP = 2048
    LABEL = 4096
    """Stands after a speaker's name."""


_SIGNS: Mapping[Sign, str] = {
    Sign.STOP: ".!?。！？…‥｡",
    Sign.COMMA: ",，、",
    Sign.COLON: ":：;；",
    Sign.OPENING: "([{<（「『【《〈“‘«",
    Sign.CLOSING: ")]}>）」』】》〉”’»",
    Sign.QUOTE: "\"'`",
    Sign.RULE: "#*-=|_~>•+",
    Sign.QUESTION: "?？",
    Sign.EXCLAMATION: "!！",
    Sign.HASH: "#",
    Sign.BULLET: "-*•+",
    Sign.MARKUP: "|<>`{[(",
    Sign.LABEL: ":：",
}


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """What a word is by its characters alone."""

    first: Codes
    last: Codes
    first_signs: Signs
    last_signs: Signs
    is_newline: Bools
    is_punct: Bools
    is_digit: Bools
    is_word: Bools
    """Has a letter."""
    is_stop: Bools
    """Punctuation that ends a sentence."""

    @classmethod
    def of(cls, words: Words) -> Marks:
        """The marks of a text's words."""
        flags, first, last = words.flags, words.codes[words.starts], words.codes[words.ends - 1]
        is_punct = (flags & Flag.PUNCT) != 0
        first_signs, last_signs = _signs(first), _signs(last)
        return cls(
            first=first,
            last=last,
            first_signs=first_signs,
            last_signs=last_signs,
            is_newline=(flags & Flag.NEWLINE) != 0,
            is_punct=is_punct,
            is_digit=(flags & Flag.HAS_DIGIT) != 0,
            is_word=(flags & Flag.HAS_LETTER) != 0,
            is_stop=is_punct & has(first_signs | last_signs, Sign.STOP),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Stretches:
    """Consecutive stretches of words, such as the sentences or the lines of a text."""

    first: NDArray[np.intp]
    """First word of each stretch."""
    of: NDArray[np.intp]
    """Stretch of each word."""
    place: NDArray[np.intp]
    """Words before it in its stretch."""

    @classmethod
    def ending_at(cls, is_end: Bools) -> Stretches:
        """The stretches that end with the words flagged."""
        begins = np.append(True, is_end[:-1])
        first = np.flatnonzero(begins)
        of = np.cumsum(begins) - 1
        return cls(first, of, np.arange(len(is_end)) - first[of])

    def sums(self, values: NDArray[np.generic]) -> NDArray[np.int64]:
        """Sum over each stretch."""
        totals: NDArray[np.int64] = np.add.reduceat(values.astype(np.int64), self.first)
        return totals


def has(signs: Signs, sign: Sign) -> Bools:
    """Which of these include `sign`."""
    found: Bools = (signs & np.uint16(sign)) != 0
    return found


@cache
def _sign_table() -> Signs:
    """Signs of each code point of the basic plane."""
    table = np.zeros(0x10000, np.uint16)
    for sign, chars in _SIGNS.items():
        for char in chars:
            table[ord(char)] |= sign
    return table


def _signs(codes: Codes) -> Signs:
    return _sign_table()[np.minimum(codes, 0xFFFF)]
