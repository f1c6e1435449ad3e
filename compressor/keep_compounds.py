"""Numbers that a list of words cannot hold: compounds with a hyphen and Roman numerals."""

from __future__ import annotations

from functools import cache

import numpy as np

from compressor.chars import hash_spans
from compressor.keep_lexicon import Kind, lexicon
from compressor.spans import CharSet, Positions, words_at
from compressor.types import Hashes, Words
from compressor.word_index import WordIndex
from compressor.words import Flag

_LONGEST_HEAD = 12
_TENS = ("", "X", "XX", "XXX", "XL", "L")
_INITIALS, _SINGLE = CharSet("IVXL"), CharSet("IVX")
_ONES = ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")
_COUNTED = (
    "chapter part article book volume act section phase title appendix annex schedule exhibit table figure"
)


def compounds(words: Words) -> Positions:
    """Words that begin with a number word and a hyphen: thirty-six, two-thirds, five-year, vingt-deux."""
    at = (words.codes == ord("-")).nonzero()[0]
    holders = words_at(words, at)
    lengths = at - words.starts[holders]
    fits = (lengths > 1) & (lengths <= _LONGEST_HEAD) & ((words.flags[holders] & Flag.HAS_LETTER) != 0)
    fits[1:] &= holders[1:] != holders[:-1]  # the first hyphen of each
    holders, lengths = holders[fits], lengths[fits]
    if not len(holders):
        return np.asarray(holders)
    kinds = lexicon().classes(_heads(words, holders, lengths))
    return np.asarray(holders[(kinds & Kind.NUMBER) != 0])


def _heads(words: Words, at: Positions, lengths: Positions) -> Hashes:
    """Hash of so many characters at the beginning of each word, as if they were a word."""
    starts = np.cumsum(lengths) - lengths
    inside = np.arange(lengths.sum()) + np.repeat(words.starts[at] - starts, lengths)
    return hash_spans(words.codes[inside], starts.astype(np.int32))


def romans(words: Words) -> Positions:
    """II to LIX in capitals (World War II), French centuries (XIXe), and I, V, X after what they count."""
    capital = (words.flags & Flag.TITLE).nonzero()[0]
    capital = capital[_INITIALS.has(words.first_codes[capital])]
    is_single = words.lengths[capital] == 1
    long, short = capital[~is_single], capital[is_single & (capital > 0)]
    found = []
    if len(long):
        numerals, centuries, _ = _listed()
        long = long[
            words.codes[words.starts[long] + 1] - ord("A") < 26
        ]  # unsigned: what lies below wraps around
        is_upper = (words.flags[long] & Flag.UPPER) != 0
        hashes = words.hashes[long]
        found.append(long[(is_upper & numerals.has(hashes)) | centuries.has(hashes)])
    if len(short):
        _, _, counted = _listed()
        short = short[_SINGLE.has(words.first_codes[short])]
        found.append(short[counted.has(words.hashes[short - 1])])
    return np.concatenate((capital[:0], *found))


@cache
def _listed() -> tuple[WordIndex, WordIndex, WordIndex]:
    """Numerals of two letters or more, French centuries, and what single letters count."""
    numerals = [tens + ones for tens in _TENS for ones in _ONES]
    long = [numeral for numeral in numerals if len(numeral) > 1]
    centuries = [numeral + ending for numeral in long for ending in ("e", "ème")]
    return WordIndex(long), WordIndex(centuries), WordIndex(_COUNTED.split())
