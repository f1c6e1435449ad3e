"""Labels at the beginning of a line are forced: who speaks ("Marta:", "[14:02] Speaker 2:", "- **민지**:").

Without them a transcript's sentences belong to nobody. A label is a few words before a colon, the first of
them a capital, a number, of a script without capitals, or the name of a role ("user:"). Before it may stand
a time or date in brackets and the marks of lists, quotations and bold type.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from compressor.spans import CharSet, Positions, fill
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
    n = len(words)
    is_label = np.zeros(n, np.bool_)
    puncts = words.puncts
    is_colon = _COLONS.has(words.first_codes[puncts])
    colons = _ended(puncts[is_colon], n)
    if len(colons) == 1:
        return is_label
    begins = np.empty(len(words.newlines) + 1, np.intp)
    begins[0], begins[1:] = 0, words.newlines + 1
    if begins[-1] == n:
        begins = begins[:-1]
    in_line = words.is_newline.cumsum()
    begins = _past_stamp(words, begins, in_line)
    is_mark = words.is_punct.copy()
    is_mark[colons[:-1]] = False
    for _ in range(_MOST_MARKS):
        begins = np.minimum(begins + is_mark[begins], n - 1)
    ends = colons[colons.searchsorted(begins)]
    fits = (ends < n) & (ends > begins) & (ends - begins <= MAX_WORDS)
    begins, ends = begins[fits], ends[fits]
    fits = (in_line[begins] == in_line[ends]) & (words.ends[ends] - words.starts[begins] <= MAX_CHARACTERS)
    begins, ends = begins[fits], ends[fits]
    is_named = (words.flags[begins] & _FIRST) != 0
    is_named |= (ends == begins + 1) & _roles().has(words.hashes[begins])
    return fill(n, begins[is_named], ends[is_named] + 1)


def _ended(places: Positions, end: int) -> Positions:
    """The places, and the end after them."""
    ended = np.empty(len(places) + 1, np.intp)
    ended[:-1], ended[-1] = places, end
    return ended


@cache
def _roles() -> WordIndex:
    return WordIndex(_ROLES.split())


def _past_stamp(words: Words, begins: Positions, in_line: Positions) -> Positions:
    """The word after the brackets each line begins with, if it does."""
    is_stamp = words.first_codes[begins] == ord("[")
    if not is_stamp.any():
        return begins
    closing = words.puncts[words.first_codes[words.puncts] == ord("]")]
    closers = _ended(closing[words.lengths[closing] == 1], len(words))
    ends = closers[closers.searchsorted(begins)]
    past = np.minimum(ends + 1, len(words) - 1)
    is_stamp &= (ends - begins <= _LONGEST_STAMP) & (in_line[begins] == in_line[past])
    return np.where(is_stamp, past, begins)
