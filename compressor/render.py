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

from compressor.spans import CharSet, Positions, merged, runs
from compressor.types import Bools, Spans, Words
from compressor.words import Flag

_OPENING = CharSet("([{（「『【〈《“‘«„¿¡")
_EITHER = CharSet("\"'*“”«»")
"""Open where a gap is before them and none behind."""


def kept_spans(words: Words, kept: Bools, ends: Positions | None = None) -> Spans:
    """Spans of the text, shape [k, 2], ordered, disjoint and not touching, that make the compressed text.

    `ends` are words before which one of several texts ends (`compressor.joint`).
    """
    n = len(words.codes)
    first, past = runs(kept)  # inside a run of words kept together, every gap stays
    if not len(first):
        return merged(np.array([[words.ends[-1] if len(words) else 0, n]], np.int32))
    last = past - 1
    previous = np.empty_like(last)
    previous[0], previous[1:] = -1, last[:-1]
    gap_words = _gap_owner(words, first, previous, ends)
    if ends is not None:
        at_end = first.searchsorted(ends[~kept[ends - 1]])
        gap_words[at_end] = first[at_end]
    gap_starts = words.ends[gap_words - 1]
    gap_starts[gap_words == 0] = 0
    pieces = np.empty((2 * len(first) + 1, 2), np.int32)
    pieces[:-1:2, 0], pieces[:-1:2, 1] = (
        gap_starts,
        np.where(gap_words < 0, gap_starts, words.starts[gap_words]),
    )
    pieces[1::2, 0], pieces[1::2, 1] = words.starts[first], words.ends[last]
    pieces[-1] = words.ends[-1], n
    return merged(pieces)


def _gap_owner(words: Words, first: Positions, previous: Positions, ends: Positions | None) -> Positions:
    """For each word `first` kept after dropped ones, the word whose gap goes before it, or -1 for none.

    `previous` is the word kept before it, -1 at the start of the text.
    """
    has_gap = words.has_gap
    gaps = has_gap.nonzero()[0]
    next_gap = np.append(gaps, len(words))[_gaps_upto(has_gap)[previous]]
    is_glued = np.append(~has_gap[1:], False)  # is the next word written onto it?
    if ends is not None:
        is_glued[ends - 1] = False
    before, is_punct = words.flags[previous], words.is_punct[first]
    opens = is_glued[first] & _OPENING.has(words.first_codes[first])
    takes_gap = (next_gap <= first) & (~is_punct | opens)
    owner = np.where(has_gap[first], first, np.where(takes_gap, next_gap, -1))
    last = words.codes[words.ends[previous] - 1]
    opened = (_OPENING.has(last) & ~_EITHER.has(last)) | (_EITHER.has(last) & has_gap[previous])
    owner[(previous >= 0) & is_glued[previous] & opened & ((before & Flag.PUNCT) != 0)] = -1
    at_line_start = (previous < 0) | ((before & Flag.NEWLINE) != 0)
    owner[at_line_start] = previous[at_line_start] + 1
    owner[words.is_newline[first] & (previous + 1 != first)] = -1
    return owner


def _gaps_upto(has_gap: Bools) -> Positions:
    """How many words up to each one have a gap, the word included; 0 for index -1."""
    upto = np.zeros(len(has_gap) + 1, np.intp)
    has_gap.cumsum(out=upto[:-1])
    return upto


def slice_text(text: str, spans: Spans) -> str:
    """The spans of `text`, concatenated."""
    return "".join([text[start:end] for start, end in spans.tolist()])
