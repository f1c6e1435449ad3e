"""Which words deny or restrict, with what they govern.

A negation governs the next content word of its clause, function words between included (not in the budget);
at the end of a clause, the last one before it (er kommt nicht). Korean negations that are verbs or endings
govern the word before them (승인하지 않았다), Han and Kana ones are found by character.
"""

from __future__ import annotations

import numpy as np

from compressor.keep_han_negation import han_negations
from compressor.keep_hangul import Hangul, negations_after, negations_before, restrictions
from compressor.keep_lexicon import Kind, Kinds
from compressor.spans import Positions, fill, first_codes, last_codes, words_at
from compressor.types import Bools, Words
from compressor.words import Flag

_REACH = 4
"""How far the governed word may stand: up to three function words are skipped."""
_SECOND_REACH = 5
"""How far the second half of a French negation may stand."""


def negations(text: str, words: Words, kinds: Kinds, hangul: Hangul | None) -> Bools:
    """Negations, exceptions and modals of duty, with the words they govern; `words` are those of `text`."""
    mask = np.asarray(kinds & Kind.EXCEPTION != 0)
    clause = _Clauses(words, kinds)
    is_negation = kinds & Kind.NEGATION
    is_negation[_contractions(text, words)] = Kind.NEGATION
    forward = is_negation.nonzero()[0]
    forward = forward[~_is_label(words, forward)]
    if hangul is not None:
        mask[restrictions(text, hangul)] = True
        forward = np.union1d(forward, negations_before(hangul))
        mask |= clause.governed_before(negations_after(text, hangul))
    if len(forward):
        mask |= clause.governed(forward)
        seconds = (kinds & Kind.SECOND).nonzero()[0]
        if len(seconds):
            mask |= clause.up_to_second(forward, seconds)
    if words.has_flags & Flag.CJK:
        mask |= han_negations(words)
    return mask


_NOWHERE = np.empty(0, np.intp)


def _is_label(words: Words, at: Positions) -> Bools:
    """No. 5 is no denial."""
    dot, number = (np.minimum(at + i, len(words) - 1) for i in (1, 2))
    is_dot = words.first_codes[dot] == ord(".")
    return np.asarray(is_dot & ((words.flags[number] & Flag.HAS_DIGIT) != 0))


def _contractions(text: str, words: Words) -> Positions:
    """Words that end in n't, and words that begin with n' (n'est)."""
    marks = [(words.codes == ord(mark)).nonzero()[0] for mark in "'’" if mark in text]
    if not marks:
        return _NOWHERE
    at = words_at(words, np.concatenate(marks))
    at = np.asarray(at[(words.flags[at] & Flag.INNER) != 0])
    tails = [last_codes(words, at, i) for i in range(3)]
    is_not = _is_one_of(tails[0], "tT") & _is_one_of(tails[1], "'’") & _is_one_of(tails[2], "nN")
    heads = [first_codes(words, at, i) for i in range(3)]
    is_ne = _is_one_of(heads[0], "nN") & _is_one_of(heads[1], "'’") & (heads[2] != 0)
    return np.asarray(at[is_not | is_ne], np.intp)


def _is_one_of(codes: np.ndarray[tuple[int], np.dtype[np.uint32]], chars: str) -> Bools:
    return np.asarray((codes == ord(chars[0])) | (codes == ord(chars[1])))


class _Clauses:
    """Finds the neighbours of a word within its clause; the ends of the text end it too."""

    def __init__(self, words: Words, kinds: Kinds) -> None:
        n = len(words)
        is_other = (kinds & (Kind.FUNCTION | Kind.SECOND)) == 0
        self._n = n
        # what frames the contents lies beyond what frames the stops
        self._contents = _framed(-2, (words.is_ink & is_other).nonzero()[0], n + 1)
        self._stops = _framed(-1, (~words.is_ink & is_other).nonzero()[0], n)

    def governed(self, at: Positions) -> Bools:
        """The words `at` through what they govern: forward, else backward."""
        ahead, behind = self._ahead(at, self._contents, _REACH), np.zeros_like(at)
        lost = (ahead == 0).nonzero()[0]
        if len(lost):
            behind[lost] = self._behind(at[lost])
            bare = lost[behind[lost] == 0]
            ahead[bare] = _next(self._stops, at[bare]) > at[bare] + 1  # not all of them: the word after
            bare = bare[ahead[bare] == 0]
            behind[bare] = _last(self._stops, at[bare]) < at[bare] - 1  # he did not: or else the word before
        return fill(self._n, at - behind, at + ahead + 1)

    def governed_before(self, at: Positions) -> Bools:
        """The words `at` and what they govern before them."""
        return fill(self._n, at - self._behind(at), at + 1)

    def up_to_second(self, at: Positions, seconds: Positions) -> Bools:
        """ne … pas: everything between, where the second half follows in the clause."""
        distance = self._ahead(at, _framed(-2, seconds, self._n + 1), _SECOND_REACH)
        return fill(self._n, at, np.where(distance > 0, at + distance + 1, at))

    def _ahead(self, at: Positions, wanted: Positions, reach: int) -> Positions:
        """Steps from each word to the next wanted one within reach and clause; 0 where there is none."""
        found = _next(wanted, at)
        distance = found - at
        distance[(distance > reach) | (found > _next(self._stops, at))] = 0
        return distance

    def _behind(self, at: Positions) -> Positions:
        """Steps back from each word to the last content word within reach and clause; 0 for none."""
        found = _last(self._contents, at)
        distance = at - found
        distance[(distance > _REACH) | (found < _last(self._stops, at))] = 0
        return distance


def _framed(before: int, places: Positions, after: int) -> Positions:
    """Places in order, with one before and one after them all."""
    framed = np.empty(len(places) + 2, np.intp)
    framed[0], framed[1:-1], framed[-1] = before, places, after
    return framed


def _next(places: Positions, at: Positions) -> Positions:
    """The first place after each position."""
    return places[places.searchsorted(at, side="right")]


def _last(places: Positions, at: Positions) -> Positions:
    """The last place before each position."""
    return places[places.searchsorted(at) - 1]
