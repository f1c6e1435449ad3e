"""Kept words to character spans of the original: output is only ever sliced, never written.

Gap rules, in order, for the white space before a kept word whose neighbour was dropped:
a newline takes none (no trailing blanks on a shortened line); the first word kept on a line takes the line's
indentation; any other word takes its own gap, else the first gap among the dropped words before it, but for
punctuation, which had none and moves up to the word before ("ends here." is "ends." without "here") unless it
opens something, and behind an opening bracket or quote.
White space after the last word stays.
"""

from __future__ import annotations

import numpy as np

from compressor.spans import CharSet, Positions, merged
from compressor.types import Bools, Spans, Words
from compressor.words import Flag

_OPENING = CharSet("([{（「『【〈《“‘«„¿¡")
_EITHER = CharSet("\"'*“”«»")
"""Open where a gap is before them and none behind."""


def kept_spans(words: Words, kept: Bools) -> Spans:
    """Spans of the text, shape [k, 2], ordered, disjoint and not touching, that make the compressed text."""
    n = len(words.codes)
    order = np.flatnonzero(kept)
    if not len(order):
        return merged(np.array([[words.ends[-1] if len(words) else 0, n]], np.int32))
    # by runs of words kept together: inside one, every gap stays
    is_head = np.ones(len(order), np.bool_)
    np.greater(order[1:], order[:-1] + 1, out=is_head[1:])
    heads = np.flatnonzero(is_head)
    first, last = order[heads], order[np.append(heads[1:], len(order)) - 1]
    gap_words = _gap_owner(words, first, np.append(-1, last[:-1]))
    gap_starts = np.where(gap_words == 0, 0, words.ends[gap_words - 1])
    gap_ends = np.where(gap_words < 0, gap_starts, words.starts[gap_words])
    pieces = np.empty((2 * len(first) + 1, 2), np.int32)
    pieces[:-1:2, 0], pieces[:-1:2, 1] = gap_starts, gap_ends
    pieces[1::2, 0], pieces[1::2, 1] = words.starts[first], words.ends[last]
    pieces[-1] = words.ends[-1], n
    return merged(pieces)


def _gap_owner(words: Words, first: Positions, previous: Positions) -> Positions:
    """For each word `first` kept after dropped ones, the word whose gap goes before it, or -1 for none.

    `previous` is the word kept before it, -1 at the start of the text.
    """
    has_gap = np.empty(len(words), np.bool_)
    has_gap[0] = words.starts[0] > 0
    np.greater(words.starts[1:], words.ends[:-1], out=has_gap[1:])
    gaps = np.flatnonzero(has_gap)
    next_gap = np.append(gaps, len(words))[np.searchsorted(gaps, previous + 1)]
    before, flags = words.flags[previous], words.flags[first]
    is_glued = np.append(~has_gap[1:], False)  # is the next word written onto it?
    opens = is_glued[first] & _OPENING.has(words.codes[words.starts[first]])
    takes_gap = (next_gap <= first) & (((flags & Flag.PUNCT) == 0) | opens)
    owner = np.where(has_gap[first], first, np.where(takes_gap, next_gap, -1))
    last = words.codes[words.ends[previous] - 1]
    opened = (_OPENING.has(last) & ~_EITHER.has(last)) | (_EITHER.has(last) & has_gap[previous])
    owner[(previous >= 0) & is_glued[previous] & opened & ((before & Flag.PUNCT) != 0)] = -1
    at_line_start = (previous < 0) | ((before & Flag.NEWLINE) != 0)
    owner[at_line_start] = previous[at_line_start] + 1
    owner[((flags & Flag.NEWLINE) != 0) & (previous + 1 != first)] = -1
    return owner


def slice_text(text: str, spans: Spans) -> str:
    """The spans of `text`, concatenated."""
    return "".join([text[start:end] for start, end in spans.tolist()])
