"""What each character is, as arrays: the alphabet on which words, segments and forced words are decided.

Every rule downstream is arithmetic on two small tables indexed by code point, so a text of half a million
characters costs a handful of vector operations instead of a Python loop. Also the hash of a word:
h = sum of fold(code_i) * BASE**(i + 1) mod 2**64, so that the hash of a prefix is the word's hash less the
terms of its tail, and a whole text's words hash in one pass.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Codes: TypeAlias = NDArray[np.uint32]
"""Code points of a text, one an element."""
Hashes: TypeAlias = NDArray[np.uint64]
Inside: TypeAlias = NDArray[np.uint8]

BASE = 0x9E3779B97F4A7C15
"""Odd 64-bit multiplier of the word hash."""


class Group:
    """The coarse class that decides word boundaries. Plain ints: numpy widens arrays that meet an IntEnum."""

    SPACE = 0
    NEWLINE = 1
    WORD = 2
    """Letters and digits of scripts that put spaces between words, Hangul included."""
    HAN = 3
    HIRAGANA = 4
    KATAKANA = 5
    PUNCT = 6
    """Punctuation, symbols, emoji, anything else."""
    EXTEND = 7
    """Marks, joiners and selectors: belongs to the character before it. Never seen after `Text.of`."""


class Trait:
    """Bits: properties of a character that rules ask for; words take the union of their characters'."""

    DIGIT = 1
    UPPER = 2
    LOWER = 4
    LETTER = 8
    CJK = 16
    HANGUL = 32
    PUNCT = 64
    NEWLINE = 128
    JOINER = 256
    """Punctuation that holds a word together: well-known, a/b, user@host."""
    DIGIT_JOINER = 512
    """Punctuation that holds two digits together: 1,000 and 3:15 and 2–4."""
    PREFIX = 1024
    """Belongs to the letter after it: /usr, .NET, @user, -v."""
    DIGIT_PREFIX = 2048
    """Belongs to the digit after it: sign, currency, comparison."""
    SUFFIX = 4096
    """Belongs to the letter before it: C++, F#."""
    DIGIT_SUFFIX = 8192
    """Belongs to the digit before it: 5%, 20°, 3€."""


_TABLE_SIZE = 0x20000
_LETTERS = {"Lu", "Ll", "Lt", "Lm", "Lo"}
_DIGITS = {"Nd", "Nl", "No"}
_EXTENDS = {"Mn", "Mc", "Me", "Cf"}
_SETS = {
    Trait.JOINER: "-'’._/\\@:&+#%=~*^|$·‐‑⁄",
    Trait.DIGIT_JOINER: "-'’._/\\:+=~*^·‐‑⁄,–—×−;",
    Trait.PREFIX: "-/~.@#$\\&",
    Trait.DIGIT_PREFIX: "+-−–±~≈<>≤≥=#@№§.",
    Trait.SUFFIX: "+#",
    Trait.DIGIT_SUFFIX: "%‰°℃℉′″+",
}
# Representatives in the table for everything beyond it: planes 2 and 3 are Han, plane 14 selectors and tags.
_HAN_SAMPLE, _EXTEND_SAMPLE, _OTHER_SAMPLE = 0x4E00, 0xFE0F, 0x25A0


def _group_and_traits(code: int) -> tuple[int, int]:
    char = chr(code)
    category = unicodedata.category(char)
    if char in "\n\r":
        return Group.NEWLINE, Trait.NEWLINE
    if char.isspace():
        return Group.SPACE, 0
    if 0x3040 <= code <= 0x309F and category != "Mn":
        return Group.HIRAGANA, Trait.CJK | Trait.LETTER
    if 0x30A0 <= code <= 0x30FF or 0x31F0 <= code <= 0x31FF or 0xFF66 <= code <= 0xFF9F:
        # the middle dot separates; the prolonged sound mark and iteration marks belong to the run
        return (Group.PUNCT, Trait.PUNCT) if char == "・" else (Group.KATAKANA, Trait.CJK | Trait.LETTER)
    if 0x3400 <= code <= 0x4DBF or 0x4E00 <= code <= 0x9FFF or 0xF900 <= code <= 0xFAFF or char in "々〆〇":
        return Group.HAN, Trait.CJK | Trait.LETTER
    if 0x1F3FB <= code <= 0x1F3FF or category in _EXTENDS:  # skin tones colour the emoji before them
        return Group.EXTEND, 0
    if category in _DIGITS:
        return Group.WORD, Trait.DIGIT
    if category in _LETTERS or char == "_":
        hangul = 0xAC00 <= code <= 0xD7AF or 0x1100 <= code <= 0x11FF or 0x3130 <= code <= 0x318F
        case = Trait.UPPER if category in ("Lu", "Lt") else Trait.LOWER if category == "Ll" else 0
        return Group.WORD, Trait.LETTER | case | (Trait.HANGUL if hangul else 0)
    return Group.PUNCT, Trait.PUNCT | (Trait.DIGIT_PREFIX | Trait.DIGIT_SUFFIX if category == "Sc" else 0)


@cache
def _tables() -> tuple[NDArray[np.uint8], NDArray[np.uint16], NDArray[np.uint32]]:
    """Group, traits and case-folded code, each indexed by code point below _TABLE_SIZE."""
    groups = np.empty(_TABLE_SIZE, np.uint8)
    traits = np.empty(_TABLE_SIZE, np.uint16)
    fold = np.arange(_TABLE_SIZE, dtype=np.uint32)
    for code in range(_TABLE_SIZE):
        group, trait = _group_and_traits(code)
        groups[code], traits[code] = group, trait
        if trait & Trait.UPPER:
            lower = chr(code).lower()
            fold[code] = ord(lower) if len(lower) == 1 else code
    for trait, chars in _SETS.items():
        for char in chars:
            traits[ord(char)] |= trait
    fold[ord("’")] = ord("'")
    for table in (groups, traits, fold):
        table.setflags(write=False)
    return groups, traits, fold


@cache
def _powers() -> Hashes:
    """BASE**1 … BASE**256 mod 2**64; positions beyond wrap around, which only the longest words notice."""
    powers = np.empty(256, np.uint64)
    value = 1
    for i in range(256):
        value = value * BASE % 2**64
        powers[i] = value
    return powers


def codes_of(text: str) -> Codes:
    """The text's code points, shape [len(text)]."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _indices(codes: Codes) -> Codes:
    """Table indices: the code itself, or a representative of the planes the table leaves out."""
    if not codes.size or int(codes.max()) < _TABLE_SIZE:
        return codes
    beyond = np.where(
        codes < 0x40000,
        np.uint32(_HAN_SAMPLE),
        np.where(codes >= 0xE0000, np.uint32(_EXTEND_SAMPLE), np.uint32(_OTHER_SAMPLE)),
    )
    return np.where(codes < _TABLE_SIZE, codes, beyond).astype(np.uint32)


def could_grow(codes: Codes) -> NDArray[np.bool_]:
    """Whether each character, seen alone, is a letter or digit of a spaced script, or a mark on one."""
    groups = _tables()[0].take(_indices(codes), mode="clip")
    return np.asarray((groups == Group.WORD) | (groups == Group.EXTEND))


def classify(codes: Codes) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """Group and traits of every character, shape [len(codes)] each, marks resolved to what they extend.

    A mark takes the group of the character it follows, and so does the character after a zero-width joiner;
    a mark after white space or at the start stands for itself as PUNCT.
    """
    groups_table, traits_table, _ = _tables()
    indices = _indices(codes)
    groups, traits = groups_table.take(indices, mode="clip"), traits_table.take(indices, mode="clip")
    extends = groups == Group.EXTEND
    if extends.any():
        joined = np.zeros_like(extends)
        joined[1:] = (codes[:-1] == 0x200D) & (groups[1:] > Group.NEWLINE)
        extends |= joined
        anchors = np.maximum.accumulate(np.where(extends, 0, np.arange(len(codes))))
        base = groups[anchors]
        lone = (base <= Group.NEWLINE) | (base == Group.EXTEND)
        groups = np.where(extends, np.where(lone, np.uint8(Group.PUNCT), base), groups).astype(np.uint8)
        traits = np.where(extends, np.where(lone, np.uint16(Trait.PUNCT), np.uint16(0)), traits).astype(
            np.uint16
        )
    return groups, traits


def folded(codes: Codes) -> Codes:
    """Case-folded codes, one for one; the typographic apostrophe folds to the plain one."""
    _, _, fold = _tables()
    if not codes.size or int(codes.max()) < _TABLE_SIZE:
        return fold.take(codes, mode="clip")
    return np.where(codes < _TABLE_SIZE, fold[np.minimum(codes, _TABLE_SIZE - 1)], codes).astype(np.uint32)


def hash_spans(codes: Codes, starts: NDArray[np.int32], inside: Inside | None = None) -> Hashes:
    """Hash of each word from its start to the next one's, characters where `inside` is 0 left out.

    Those stand at the end of a word's stretch, so they do not shift the positions of its characters.
    """
    if not len(starts):
        return np.empty(0, np.uint64)
    begin = int(starts[0])
    positions = np.ones(len(codes) - begin, np.int32)
    positions[0] = 0
    positions[starts[1:] - begin] -= starts[1:] - starts[:-1]
    np.cumsum(positions, out=positions)
    terms = folded(codes[begin:]).astype(np.uint64)
    positions &= 0xFF  # not `take(mode="wrap")`: NumPy wraps by subtracting, quadratic in the longest word
    terms *= _powers().take(positions, mode="clip")
    if inside is not None:
        terms *= inside[begin:]
    return np.add.reduceat(terms, starts - begin)


def inside_of(n: int, starts: NDArray[np.int32], ends: NDArray[np.int32]) -> Inside:
    """1 for each of `n` characters that lies in one of the spans, else 0."""
    edges = np.zeros(n + 1, np.uint8)
    edges[starts] = 1
    edges[ends] -= 1  # one less than 0 is 255, and the sum wraps back
    return np.cumsum(edges[:n], dtype=np.uint8)


def hash_words(words: Sequence[str]) -> Hashes:
    """Hashes of non-empty words given as strings, shape [len(words)]."""
    lengths = np.fromiter((len(word) for word in words), np.int32, len(words))
    starts = np.zeros(len(words), np.int32)
    np.cumsum(lengths[:-1], out=starts[1:])
    codes = codes_of("".join(words))
    return hash_spans(codes, starts)


def hash_word(word: str) -> int:
    """The hash of one word."""
    return int(hash_words([word])[0])
