"""Which words are numbers, whole: with sign, currency, label, unit, range and date parts split off by spaces.

A number is a word with a digit, a number word, or a Korean or Han numeral. It takes along what stands beside
it in the same line: units after it (5 km, 12 million, 3 조 원), labels and bounds before it (§ 5, EUR 5,
at least 5), months on either side, and what stands between two numbers (10 – 12, 2019, 12).
"""

from __future__ import annotations

import numpy as np

from compressor.keep_compounds import compounds, romans
from compressor.keep_han_numbers import han_numbers
from compressor.keep_hangul import is_counter, is_numeral
from compressor.keep_lexicon import Kind, Kinds
from compressor.spans import CharSet, Positions, first_codes, last_codes
from compressor.types import Bools, Words
from compressor.words import Flag

_REACH = 3
"""Words a number takes along on one side: "5 million US dollars", "at least 5"."""

_PUNCT_AFTER = CharSet("$€£¥₩₹₽₺₿%‰°℃℉′″")
_PUNCT_BEFORE = CharSet("$€£¥₩₹₽₺₿§#≈±~≤≥<>=+-−–№^!")
_SPLITTING = CharSet(",.-:/")
"""What a number that goes on in the next line may end with."""
_LONGEST_PART = 4
"""Characters of capitals inside an account number (GB29 NWBK 6016), and between brackets: 2(b)(iii)."""


def numbers(words: Words, kinds: Kinds) -> Bools:
    """Words that are part of a number."""
    number = ((words.flags & Flag.HAS_DIGIT) != 0) | ((kinds & Kind.NUMBER) != 0)
    is_after = (kinds & (Kind.AFTER | Kind.MONTH)) != 0
    is_before = (kinds & (Kind.BEFORE | Kind.MONTH)) != 0
    puncts = np.flatnonzero(words.flags & Flag.PUNCT)
    is_after[puncts] |= _PUNCT_AFTER.has(first_codes(words, puncts))  # a run of them may end a clause: "5 %,"
    is_before[puncts] |= _PUNCT_BEFORE.has(last_codes(words, puncts))
    hangul = np.flatnonzero(words.flags & Flag.HANGUL)
    if len(hangul):
        is_after[hangul] |= is_counter(words, hangul)
        number[hangul] |= is_numeral(words, hangul)
    if (words.flags & Flag.CJK).any():
        number |= han_numbers(words)
    ones = np.flatnonzero(kinds[:-1] & Kind.ONE)
    number[ones] |= number[ones + 1] | is_after[ones + 1]
    number[compounds(words)] = True
    number[romans(words)] = True
    if not number.any():
        return np.asarray(number)
    return _Growth(words, kinds, is_before, is_after).grown(number)


class _Growth:
    """Takes words along, a step at a time. Arrays have a last place, no word, that index -1 and n meet."""

    def __init__(self, words: Words, kinds: Kinds, is_before: Bools, is_after: Bools) -> None:
        puncts = np.flatnonzero(((words.flags & Flag.PUNCT) != 0) & (words.ends - words.starts == 1))
        dots = puncts[words.codes[words.starts[puncts]] == ord(".")]
        self._after, self._before = np.flatnonzero(is_after), np.flatnonzero(is_before)
        self._puncts, self._between = puncts, np.flatnonzero(kinds & Kind.BETWEEN)
        self._links = np.flatnonzero(kinds & Kind.LINK)
        self._is_after, self._is_before = np.append(is_after, False), np.append(is_before, False)
        self._is_month = np.append((kinds & Kind.MONTH) != 0, False)
        is_name = np.append((words.flags & Flag.HAS_LETTER) != 0, False)
        self._is_linked = self._is_after & is_name
        self._dots = dots[self._is_before[dots - 1]]
        lengths, is_glued = words.ends - words.starts, np.append(_is_glued(words), False)
        upper = np.flatnonzero(words.flags & Flag.UPPER)
        self._groups = upper[lengths[upper] <= _LONGEST_PART]
        breaks = np.flatnonzero(words.flags & Flag.NEWLINE)
        breaks = breaks[breaks > 0] - 1
        self._splits = breaks[is_glued[breaks] & _SPLITTING.has(first_codes(words, breaks))]
        self._opening = _bracketed(words, is_glued)

    def grown(self, number: Bools) -> Bools:
        """The numbers with what belongs to them on either side."""
        number = np.append(number, False)
        n_before = -1
        for _ in range(_REACH):
            n_numbers = int(np.count_nonzero(number))
            if n_numbers == n_before:
                break
            n_before = n_numbers
            number[self._after[number[self._after - 1]]] = True
            number[self._before[number[self._before + 1]]] = True
            number[self._puncts[number[self._puncts - 1] & number[self._puncts + 1]]] = True
            right = self._between + 1
            number[self._between[number[right - 2] & (number[right] | self._is_after[right])]] = True
            number[self._groups[number[self._groups - 1] & number[self._groups + 1]]] = True
            number[self._splits[number[self._splits - 1] & number[self._splits + 2]]] = True
            parts = self._opening[number[self._opening - 1] | number[self._opening]]
            number[parts] = number[parts + 1] = number[parts + 2] = True
            self._label(number)
            if len(self._links):
                self._link(number)
        return np.asarray(number[:-1])

    def _label(self, number: Bools) -> None:
        """No. 5: label and full stop belong to the number."""
        dots = self._dots[number[self._dots + 1]]
        number[dots] = True
        number[dots - 1] = True

    def _link(self, number: Bools) -> None:
        """5. Mai, 5 de mayo, 5 millones de euros, Mon, 5 May: the link and both sides are one number."""
        left, right = self._links - 1, self._links + 1
        linked = (number[left] & self._is_linked[right]) | (self._is_month[left] & number[right])
        for part in (left, self._links, right):
            number[part[linked]] = True


def _is_glued(words: Words) -> Bools:
    """Words without a gap before them."""
    is_glued = np.zeros(len(words), np.bool_)
    is_glued[1:] = words.starts[1:] == words.ends[:-1]
    return is_glued


def _bracketed(words: Words, is_glued: Bools) -> Positions:
    """Opening brackets of clauses written onto a number, as in 2(b)(iii)."""
    puncts = np.flatnonzero(words.flags & Flag.PUNCT)
    at = puncts[last_codes(words, puncts) == ord("(")]
    at = at[(at > 0) & (at < len(words) - 2)]
    at = at[is_glued[at] & is_glued[at + 1] & is_glued[at + 2]]
    at = at[words.ends[at + 1] - words.starts[at + 1] <= _LONGEST_PART]
    return np.asarray(at[first_codes(words, at + 2) == ord(")")])
