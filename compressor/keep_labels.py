"""Labels at the beginning of a line are forced: who speaks ("Marta:", "Speaker 2:", "민지:").

Without them a transcript's sentences belong to nobody. A label is a few words before a colon, the first of
them a capital, a number or of a script without capitals.
"""

from __future__ import annotations

import numpy as np

from compressor.spans import CharSet
from compressor.types import Bools, Words
from compressor.words import Flag

MAX_CHARACTERS = 32
MAX_WORDS = 8
_COLONS = CharSet(":：")
_FIRST = Flag.TITLE | Flag.HAS_DIGIT | Flag.CJK | Flag.HANGUL


def labels(words: Words) -> Bools:
    """Words of labels, their colons with them, shape [n]."""
    is_label = np.zeros(len(words), np.bool_)
    is_colon = ((words.flags & Flag.PUNCT) != 0) & _COLONS.has(words.codes[words.starts])
    is_newline = (words.flags & Flag.NEWLINE) != 0
    begins = np.append(0, np.flatnonzero(is_newline) + 1)
    colons = np.append(np.flatnonzero(is_colon), len(words))
    ends = colons[np.searchsorted(colons, begins)]
    fits = (ends < len(words)) & (ends > begins) & (ends - begins <= MAX_WORDS)
    begins, ends = begins[fits], ends[fits]
    in_line = np.cumsum(is_newline)
    fits = (in_line[begins] == in_line[ends]) & ((words.flags[begins] & _FIRST) != 0)
    fits &= words.ends[ends] - words.starts[begins] <= MAX_CHARACTERS
    for begin, end in zip(begins[fits].tolist(), ends[fits].tolist(), strict=True):
        is_label[begin : end + 1] = True
    return is_label
