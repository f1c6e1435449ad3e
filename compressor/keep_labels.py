"""Labels at the beginning of a line are forced: who speaks ("Marta:", "[14:02] Speaker 2:", "- **민지**:").

Without them a transcript's sentences belong to nobody. A label is a few words before a colon, the first of
them a capital, a number, of a script without capitals, or the name of a role ("user:"). Before it may stand
a time or date in brackets and the marks of lists, quotations and bold type.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from compressor.spans import CharSet, Positions
from compressor.types import Bools, Words
from compressor.word_index import WordIndex
from compressor.words import Flag

MAX_CHARACTERS = 32
MAX_WORDS = 8
_COLONS = CharSet(":：")
_FIRST = Flag.TITLE | Flag.HAS_DIGIT | Flag.CJK | Flag.HANGUL
_MOST_MARKS = 3
"""Words of punctuation before a label: `> - **Ana:**`."""
_LONGEST_STAMP = 8
"""Words of a time or date in brackets."""
_ROLES = """
    user assistant system developer tool human ai bot agent model customer client caller operator moderator
    interviewer interviewee host guest speaker doctor patient nurse student teacher"""


def labels(words: Words) -> Bools:
    """Words of labels, their colons with them, shape [n]."""
    is_label = np.zeros(len(words), np.bool_)
    is_punct = (words.flags & Flag.PUNCT) != 0
    is_newline = (words.flags & Flag.NEWLINE) != 0
    is_colon = is_punct & _COLONS.has(words.codes[words.starts])
    colons = np.append(np.flatnonzero(is_colon), len(words))
    if len(colons) == 1:
        return is_label
    begins = np.append(0, np.flatnonzero(is_newline) + 1)
    begins = begins[begins < len(words)]
    in_line = np.cumsum(is_newline)
    begins = _past_stamp(words, begins, in_line)
    for _ in range(_MOST_MARKS):
        begins = np.minimum(begins + (is_punct & ~is_colon)[begins], len(words) - 1)
    ends = colons[np.searchsorted(colons, begins)]
    fits = (ends < len(words)) & (ends > begins) & (ends - begins <= MAX_WORDS)
    begins, ends = begins[fits], ends[fits]
    is_named = (words.flags[begins] & _FIRST) != 0
    is_named |= (ends == begins + 1) & _roles().has(words.hashes[begins])
    fits = (in_line[begins] == in_line[ends]) & is_named
    fits &= words.ends[ends] - words.starts[begins] <= MAX_CHARACTERS
    for begin, end in zip(begins[fits].tolist(), ends[fits].tolist(), strict=True):
        is_label[begin : end + 1] = True
    return is_label


@cache
def _roles() -> WordIndex:
    return WordIndex(_ROLES.split())


def _past_stamp(words: Words, begins: Positions, in_line: Positions) -> Positions:
    """The word after the brackets each line begins with, if it does."""
    closing = (words.codes[words.starts] == ord("]")) & (words.ends - words.starts == 1)
    closers = np.append(np.flatnonzero(closing), len(words))
    ends = closers[np.searchsorted(closers, begins)]
    past = np.minimum(ends + 1, len(words) - 1)
    is_stamp = (words.codes[words.starts[begins]] == ord("[")) & (ends - begins <= _LONGEST_STAMP)
    is_stamp &= in_line[begins] == in_line[past]
    return np.where(is_stamp, past, begins)
