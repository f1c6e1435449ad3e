"""Which words must survive, whatever their score.

Forced are numbers with all that belongs to them, identifiers, negations with what they govern, words of
restriction and duty, labels at the beginning of a line, and the caller's literals. Every rule is vectorised
over the words of the text and looks at that text alone; docs/force-keep.md lists the rules with examples.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from compressor.keep_hangul import Hangul
from compressor.keep_labels import labels
from compressor.keep_lexicon import lexicon
from compressor.keep_negation import negations
from compressor.keep_numbers import numbers
from compressor.params import CompressionParams
from compressor.spans import CharSet, Positions, covering, first_codes, occurrences, words_at
from compressor.types import Bools, Codes, Words
from compressor.words import Flag


def forced(text: str, words: Words, params: CompressionParams) -> Bools:
    """Words that must stay, shape [n]; `words` are those of `text`."""
    kinds = lexicon().classes(words.hashes)
    hangul = Hangul.of(words) if words.has_flags & Flag.HANGUL else None
    mask = negations(text, words, kinds, hangul)
    mask |= labels(words)
    mask[identifiers(text, words)] = True
    if params.force_reserve_digit:
        mask |= numbers(text, words, kinds, hangul)
    for literal in params.force_tokens:
        if literal == "\n":
            mask |= words.is_newline
        elif literal in text:
            mask |= _holding(text, words, literal)
    return mask


def _holding(text: str, words: Words, literal: str) -> Bools:
    """Words that overlap an occurrence of the literal, occurrences read from the left without overlap."""
    is_char = len(literal) == 1
    found = (words.codes == ord(literal)).nonzero()[0] if is_char else list(occurrences(text, literal))
    starts = np.asarray(found, np.intp)
    return covering(words, starts, starts + len(literal))


def identifiers(text: str, words: Words) -> Positions:
    """CamelCase, snake_case, dotted.names, a::b, --flags, @names, #tags, $variables."""
    codes = words.codes
    inside = [_case_humps(codes)]
    if "_" in text:
        inside.append((codes == ord("_")).nonzero()[0])
    inside += _inner_dots(text, codes)
    inner = (words.flags & Flag.INNER).nonzero()[0]
    first, second = words.first_codes[inner], first_codes(words, inner, 1)
    is_dash = first == ord("-")
    is_name = _SIGILS.has(first) | (is_dash & ((second == ord("-")) | (words.lengths[inner] == 2)))
    found = np.concatenate((words_at(words, np.concatenate(inside)), inner[is_name]))
    return np.asarray(found[(words.flags[found] & Flag.HAS_LETTER) != 0])


_SIGILS = CharSet("@#$/~.\\")


def _case_humps(codes: Codes) -> Positions:
    """A small ASCII letter before a capital one."""
    capitals = (codes[1:] - ord("A") < 26).nonzero()[0]  # unsigned: what lies below wraps around
    return np.asarray(capitals[codes[capitals] - ord("a") < 26])


def _inner_dots(text: str, codes: Codes) -> Iterator[Positions]:
    """A dot or double colon with two ASCII letters before and one after: os.path, std::move."""
    for mark in (".", "::"):
        if mark in text:
            at = (codes[2 : -len(mark)] == ord(mark[0])).nonzero()[0] + 2
            past = at + len(mark)
            is_inner = _is_letter(codes[at - 1]) & _is_letter(codes[at - 2]) & _is_letter(codes[past])
            if len(mark) == 2:
                is_inner &= codes[at + 1] == ord(mark[1])
            yield at[is_inner]


def _is_letter(codes: Codes) -> Bools:
    return np.asarray((codes | 0x20) - ord("a") < 26)
