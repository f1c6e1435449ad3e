"""What the force-keep rules know about single words: a shipped list, looked up for a whole text at once.

`classes(hashes)` gives each word a set of `Kind` bits. A word whose meaning differs by language (Portuguese
"no" is "in the") counts only if the text is in a language that gives it that meaning, judged from the
function words of that text alone; a text without any gets the benefit of the doubt.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from compressor.types import Bools, Hashes
from compressor.word_index import Rows, WordIndex

LANGUAGES = ("en", "de", "fr", "es", "pt", "ko")
_ANY = "*"
_MIN_SHARE = 0.1
"""A language is taken as present at this share of the most frequent one's distinctive function words."""

Kinds = NDArray[np.uint16]


class Kind:
    """Bits: what a word can do in the rules."""

    FUNCTION = 1
    """Skipped on the way from a negation to what it governs."""
    NEGATION = 2
    EXCEPTION = 4
    """Kept by itself: must, only, except."""
    SECOND = 8
    """Second half of a French negation."""
    NUMBER = 16
    """A number by itself: two, dozen, million."""
    ONE = 32
    """A number only before a unit or another number: one, ein, 한."""
    BEFORE = 64
    """Belongs to the number after it: EUR, §, No., Section, about."""
    AFTER = 128
    """Belongs to the number before it: km, percent, million."""
    MONTH = 256
    """Belongs to a number on either side: months, weekdays."""
    BETWEEN = 512
    """Belongs to the numbers around it: to, bis, ×."""
    LINK = 1024
    """Joins a number and a month: 5 de mayo."""


_CLASSES = {
    "function": Kind.FUNCTION,
    "negation": Kind.NEGATION,
    "exception": Kind.EXCEPTION,
    "second": Kind.SECOND,
    "number": Kind.NUMBER,
    "one": Kind.ONE,
    "before": Kind.BEFORE,
    "bound": Kind.BEFORE,
    "unit": Kind.AFTER,
    "after": Kind.AFTER,
    "month": Kind.MONTH,
    "between": Kind.BETWEEN,
    "link": Kind.LINK,
}


@dataclass(frozen=True, slots=True, eq=False)
class Lexicon:
    """The listed words and, per word, its bits in each language (last column: any language)."""

    index: WordIndex
    bits: Kinds
    is_contested: Bools
    speaks_for: NDArray[np.uint8]
    """Column of the one language whose uncontested function word a word is; that of any if there is none."""
    known: dict[bytes, Kinds] = field(default_factory=dict)
    """`_bits_in` of the presences met so far: there are 2 ** languages at most."""

    def classes(self, hashes: Hashes) -> Kinds:
        """`Kind` bits of each word."""
        rows = self.index.rows(hashes)
        present = self._present(rows)
        bits = self.known.get(present.tobytes())
        if bits is None:
            bits = self.known[present.tobytes()] = self._bits_in(present)
        return bits[rows]

    def _present(self, rows: Rows) -> Bools:
        """Which languages the words found speak for, shape [languages]; all when there is no evidence."""
        spoken = self.speaks_for[rows[rows >= 0]]
        counts = np.bincount(spoken, minlength=len(LANGUAGES) + 1)[: len(LANGUAGES)]
        return np.asarray(counts >= _MIN_SHARE * counts.max())

    def _bits_in(self, present: Bools) -> Kinds:
        """Bits of each entry for a text in these languages, and none for row -1, which is no listed word."""
        bits = self.bits.copy()
        bits[self.is_contested] *= np.append(present, True)
        return np.append(np.bitwise_or.reduce(bits, axis=1), np.uint16(0))


@cache
def _entries() -> tuple[tuple[str, str, str], ...]:
    """(language, class, word) of the shipped list."""
    entries = []
    language = name = ""
    source = resources.files("compressor").joinpath("data/keep_lexicon.txt")
    for line in source.read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            continue
        if line.startswith("[") and line.endswith("]"):
            language, name = line[1:-1].split()
            continue
        entries += [(language, name, word) for word in line.split()]
    return tuple(entries)


@cache
def lexicon() -> Lexicon:
    """The shipped list."""
    entries = _entries()
    contested = {word for _, name, word in entries if name == "contested"}
    speakers = Counter(word for _, name, word in set(entries) if name == "function")
    words = sorted({word for _, _, word in entries})
    row = {word: i for i, word in enumerate(words)}
    columns = (*LANGUAGES, _ANY)
    bits = np.zeros((len(words), len(columns)), np.uint16)
    speaks_for = np.full(len(words), len(LANGUAGES), np.uint8)
    for language, name, word in entries:
        if name == "contested":
            continue
        bits[row[word], columns.index(language)] |= _CLASSES[name]
        if name == "function" and language != _ANY and speakers[word] == 1 and word not in contested:
            speaks_for[row[word]] = columns.index(language)
    is_contested = np.array([word in contested for word in words])
    return Lexicon(WordIndex(words), bits, is_contested, speaks_for)


def function_words() -> set[str]:
    """Function words of all languages: sentences hold them, code hardly does."""
    return {word for language, name, word in _entries() if name == "function" and language != _ANY}
