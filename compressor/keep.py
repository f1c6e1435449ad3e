"""Which words must survive, whatever their score.

Forced are numbers with all that belongs to them, identifiers, negations with what they govern, words of
restriction and duty, labels at the beginning of a line, and the caller's literals. Every rule is vectorised
over the words of the text and looks at that text alone; docs/force-keep.md lists the rules with examples.
"""

from __future__ import annotations

import numpy as np

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
    mask = identifiers(words) | negations(words, kinds) | labels(words)
    if params.force_reserve_digit:
        mask |= numbers(words, kinds)
    for literal in params.force_tokens:
        mask |= _holding(text, words, literal)
    return mask


def _holding(text: str, words: Words, literal: str) -> Bools:
    """Words that overlap an occurrence of the literal, occurrences read from the left without overlap."""
    if literal == "\n":
        return np.asarray((words.flags & Flag.NEWLINE) != 0)
    is_char = len(literal) == 1
    found = np.flatnonzero(words.codes == ord(literal)) if is_char else list(occurrences(text, literal))
    starts = np.asarray(found, np.intp)
    return covering(words, starts, starts + len(literal))


def identifiers(words: Words) -> Bools:
    """CamelCase, snake_case, dotted.names, a::b, --flags, @names, #tags, $variables."""
    mask = np.zeros(len(words), np.bool_)
    codes = words.codes
    letters = (words.flags & Flag.HAS_LETTER) != 0
    mask[words_at(words, _case_humps(codes))] = True
    mask[words_at(words, np.flatnonzero(codes == ord("_")))] = True
    mask[words_at(words, _inner_dots(codes))] = True
    inner = np.flatnonzero((words.flags & Flag.INNER) != 0)
    first, second = first_codes(words, inner), first_codes(words, inner, 1)
    is_name = _SIGILS.has(first) | ((first == ord("-")) & (second == ord("-")))
    is_flag = (first == ord("-")) & (words.ends[inner] - words.starts[inner] == 2)
    mask[inner[is_name | is_flag]] = True
    return np.asarray(mask & letters)


_SIGILS = CharSet("@#$/~.\\")


def _case_humps(codes: Codes) -> Positions:
    """A small ASCII letter before a capital one."""
    small = (codes[:-1] - ord("a")) < 26  # unsigned: what lies below wraps around
    return np.flatnonzero(small & ((codes[1:] - ord("A")) < 26))


def _inner_dots(codes: Codes) -> Positions:
    """A dot or double colon with two ASCII letters before and one after: os.path, std::move."""
    codes = np.concatenate((codes, np.zeros(2, np.uint32)))
    lower = codes | 0x20
    is_letter = (lower - ord("a")) < 26
    is_colon = codes == ord(":")
    dots = np.flatnonzero(codes == ord("."))
    colons = np.flatnonzero(is_colon[:-1] & is_colon[1:])
    starts, past = np.concatenate((dots, colons)), np.concatenate((dots + 1, colons + 2))
    return starts[(starts >= 2) & is_letter[starts - 1] & is_letter[starts - 2] & is_letter[past]]
