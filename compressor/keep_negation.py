"""Which words deny or restrict, with what they govern.

A negation governs the next content word of its clause, function words between included (not in the budget);
at the end of a clause, the last one before it (er kommt nicht). Korean negations that are verbs or endings
govern the word before them (승인하지 않았다), Han and Kana ones are found by character.
"""

from __future__ import annotations

import numpy as np

from compressor.keep_han_negation import han_negations
from compressor.keep_hangul import negations_after, negations_before, restrictions
from compressor.keep_lexicon import Kind, Kinds
from compressor.spans import Positions, fill, first_codes, last_codes, words_at
from compressor.types import Bools, Words
from compressor.words import Flag

_REACH = 4
"""How far the governed word may stand: up to three function words are skipped."""
_SECOND_REACH = 5
"""How far the second half of a French negation may stand."""


def negations(words: Words, kinds: Kinds) -> Bools:
    """Negations, exceptions and modals of duty, with the words they govern."""
    is_function = (kinds & (Kind.FUNCTION | Kind.SECOND)) != 0
    clause = _Clauses(words, is_function)
    is_negation = (kinds & Kind.NEGATION) != 0
    is_negation[_contractions(words)] = True
    forward = np.flatnonzero(is_negation)
    forward = forward[~_is_label(words, forward)]
    mask = (kinds & Kind.EXCEPTION) != 0
    if (words.flags & Flag.HANGUL).any():
        hangul = np.flatnonzero(words.flags & Flag.HANGUL)
        mask[restrictions(words, hangul)] = True
        forward = np.union1d(forward, negations_before(words, hangul))
        mask |= clause.governed_before(negations_after(words, hangul))
    mask |= clause.governed(forward)
    if (kinds & Kind.SECOND).any():
        mask |= clause.up_to_second(forward, (kinds & Kind.SECOND) != 0)
    if (words.flags & Flag.CJK).any():
        mask |= han_negations(words)
    return np.asarray(mask)


def _is_label(words: Words, at: Positions) -> Bools:
    """No. 5 is no denial."""
    dot, number = (np.minimum(at + i, len(words) - 1) for i in (1, 2))
    is_dot = words.codes[words.starts[dot]] == ord(".")
    return np.asarray(is_dot & ((words.flags[number] & Flag.HAS_DIGIT) != 0))


def _contractions(words: Words) -> Positions:
    """Words that end in n't, and words that begin with n' (n'est)."""
    at = words_at(words, np.flatnonzero(_is_one_of(words.codes, "'’")))
    at = np.asarray(at[(words.flags[at] & Flag.INNER) != 0])
    if not len(at):
        return at
    tails = [last_codes(words, at, i) for i in range(3)]
    is_not = _is_one_of(tails[0], "tT") & _is_one_of(tails[1], "'’") & _is_one_of(tails[2], "nN")
    heads = [first_codes(words, at, i) for i in range(3)]
    is_ne = _is_one_of(heads[0], "nN") & _is_one_of(heads[1], "'’") & (heads[2] != 0)
    return np.asarray(at[is_not | is_ne], np.intp)


def _is_one_of(codes: np.ndarray[tuple[int], np.dtype[np.uint32]], chars: str) -> Bools:
    return np.asarray((codes == ord(chars[0])) | (codes == ord(chars[1])))


class _Clauses:
    """Walks from a word to its neighbours within the clause; the ends of the text end it too."""

    def __init__(self, words: Words, is_function: Bools) -> None:
        stops = ((words.flags & (Flag.PUNCT | Flag.NEWLINE)) != 0) & ~is_function
        room = np.ones(_SECOND_REACH, np.bool_)
        self._n = len(words)
        self._stops = np.concatenate((stops, room))  # negative indices and those past the end meet the room
        self._content = np.concatenate((~is_function & ~stops, ~room))

    def governed(self, at: Positions) -> Bools:
        """The words `at` through what they govern: forward, else backward."""
        ahead = self._distance(at, self._content, _REACH, 1)
        behind = np.where(ahead == 0, self._distance(at, self._content, _REACH, -1), 0)
        is_bare = (ahead == 0) & (behind == 0)
        ahead += is_bare & ~self._stops[at + 1]  # not all of them: at least the word after
        behind += is_bare & (ahead == 0) & ~self._stops[at - 1]  # he did not: or else the word before
        return fill(self._n, at - behind, at + ahead + 1)

    def governed_before(self, at: Positions) -> Bools:
        """The words `at` and what they govern before them."""
        return fill(self._n, at - self._distance(at, self._content, _REACH, -1), at + 1)

    def up_to_second(self, at: Positions, is_second: Bools) -> Bools:
        """ne … pas: everything between, where the second half follows in the clause."""
        seconds = np.concatenate((is_second, np.zeros(_SECOND_REACH, np.bool_)))
        distance = self._distance(at, seconds, _SECOND_REACH, 1)
        return fill(self._n, at, np.where(distance > 0, at + distance + 1, at))

    def _distance(self, at: Positions, wanted: Bools, reach: int, direction: int) -> Positions:
        """Steps from each word to the first wanted one within reach and clause; 0 where there is none."""
        distance = np.zeros(len(at), np.intp)
        is_open = np.ones(len(at), np.bool_)
        for step in range(1, reach + 1):
            place = at + direction * step
            is_open &= ~self._stops[place]
            found = is_open & wanted[place]
            distance[found] = step
            is_open &= ~found
        return distance
