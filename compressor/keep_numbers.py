"""Which words are numbers, whole: with sign, currency, label, unit, range and date parts split off by spaces.

A number is a word with a digit, a number word, or a Korean or Han numeral. It takes along what stands beside
it in the same line: units after it (5 km, 12 million, 3 조 원), labels and bounds before it (§ 5, EUR 5,
at least 5), months on either side, and what stands between two numbers (10 – 12, 2019, 12).
"""

from __future__ import annotations

import numpy as np

from compressor.keep_compounds import compounds, romans
from compressor.keep_han_numbers import han_numbers
from compressor.keep_hangul import Hangul, is_counter, is_numeral
from compressor.keep_lexicon import Kind, Kinds
from compressor.spans import CharSet, Positions
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


def numbers(text: str, words: Words, kinds: Kinds, hangul: Hangul | None) -> Bools:
    """Words that are part of a number; `words` are those of `text`."""
    number = np.asarray((words.flags & Flag.HAS_DIGIT) | (kinds & Kind.NUMBER) != 0)
    is_after = np.asarray(kinds & (Kind.AFTER | Kind.MONTH) != 0)
    is_before = np.asarray(kinds & (Kind.BEFORE | Kind.MONTH) != 0)
    puncts = words.puncts
    is_after[puncts] |= _PUNCT_AFTER.has(words.first_codes[puncts])  # a run may end a clause: "5 %,"
    is_before[puncts] |= _PUNCT_BEFORE.has(words.codes[words.ends[puncts] - 1])
    if hangul is not None:
        is_after[hangul.at] |= is_counter(hangul)
        number[hangul.at] |= is_numeral(hangul)
    if words.has_flags & Flag.CJK:
        number |= han_numbers(words)
    ones = (kinds[:-1] & Kind.ONE).nonzero()[0]
    if len(ones):
        number[ones] |= number[ones + 1] | is_after[ones + 1]
        number[ones] |= _is_joined(ones, number, np.asarray(kinds & Kind.BETWEEN != 0) & ~words.is_punct)
    if "-" in text:
        number[compounds(words)] = True
    number[romans(words)] = True
    if number.any():
        _Growth(text, words, kinds, is_before, is_after).grow(number)
    return number


class _Growth:
    """Takes words along, a step at a time. Masks have a last place, no word, that index -1 and n meet."""

    def __init__(self, text: str, words: Words, kinds: Kinds, is_before: Bools, is_after: Bools) -> None:
        puncts = words.puncts
        puncts = puncts[words.lengths[puncts] == 1]
        dots = puncts[words.first_codes[puncts] == ord(".")]
        self._after, self._before, self._puncts = is_after.nonzero()[0], is_before.nonzero()[0], puncts
        self._between, self._links = (kinds & Kind.BETWEEN).nonzero()[0], (kinds & Kind.LINK).nonzero()[0]
        self._is_after, self._is_before = _with_room(is_after), _with_room(is_before)
        self._dots = dots[self._is_before[dots - 1]]
        if len(self._links):
            self._is_month = _with_room(np.asarray(kinds & Kind.MONTH != 0))
            self._is_linked = _with_room(is_after & ((words.flags & Flag.HAS_LETTER) != 0))
        upper = (words.flags & Flag.UPPER).nonzero()[0]
        self._groups = upper[words.lengths[upper] <= _LONGEST_PART]
        breaks = words.newlines
        breaks = breaks[breaks > 1] - 1
        breaks = breaks[_SPLITTING.has(words.first_codes[breaks])]
        self._splits = breaks[~words.has_gap[breaks]]
        self._opening = _bracketed(words) if "(" in text else breaks[:0]

    def grow(self, number: Bools) -> None:
        """Add what belongs to the numbers on either side."""
        grown = _with_room(number)
        n_before = -1
        for _ in range(_REACH):
            n_numbers = int(np.count_nonzero(grown))
            if n_numbers == n_before:
                break
            n_before = n_numbers
            self._step(grown)
        number[:] = grown[:-1]

    def _step(self, number: Bools) -> None:
        number[self._after[number[self._after - 1]]] = True
        number[self._before[number[self._before + 1]]] = True
        _fill_between(number, self._puncts, 1)
        if len(self._between):
            right = self._between + 1
            number[self._between[number[right - 2] & (number[right] | self._is_after[right])]] = True
        _fill_between(number, self._groups, 1)
        _fill_between(number, self._splits, 2)
        if len(self._opening):
            parts = self._opening[number[self._opening - 1] | number[self._opening]]
            number[parts] = number[parts + 1] = number[parts + 2] = True
        if len(self._dots):
            self._label(number)
        if len(self._links):
            self._link(number)

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


def _is_joined(ones: Positions, number: Bools, is_between: Bools) -> Bools:
    """Which of these words a number follows behind a word or two: one and a half, one or two."""
    numbers, betweens = np.append(number, [False] * 3), np.append(is_between, [False] * 3)
    near, far = betweens[ones + 1], betweens[ones + 1] & betweens[ones + 2]
    return np.asarray((near & numbers[ones + 2]) | (far & numbers[ones + 3]))


def _with_room(mask: Bools) -> Bools:
    """The mask with a last place, which is false."""
    room = np.zeros(len(mask) + 1, np.bool_)
    room[:-1] = mask
    return room


def _fill_between(number: Bools, at: Positions, reach: int) -> None:
    """Add the words `at` that have a number before them and one `reach` words on."""
    if len(at):
        number[at[number[at - 1] & number[at + reach]]] = True


def _bracketed(words: Words) -> Positions:
    """Opening brackets of clauses written onto a number, as in 2(b)(iii)."""
    at = words.puncts[words.codes[words.ends[words.puncts] - 1] == ord("(")]
    at = at[(at > 0) & (at < len(words) - 2)]
    has_gap = words.has_gap
    at = at[~(has_gap[at] | has_gap[at + 1] | has_gap[at + 2])]
    at = at[words.lengths[at + 1] <= _LONGEST_PART]
    return np.asarray(at[words.first_codes[at + 2] == ord(")")])
