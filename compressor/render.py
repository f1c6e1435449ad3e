"""Kept words to character spans of the original: output is only ever sliced, never written.

Gap rules, in order, for the white space before a kept word whose neighbour was dropped:
a newline takes none (no trailing blanks on a shortened line); the first word kept on a line takes the line's
indentation; any other word takes its own gap, else the first gap among the dropped words before it, but for
punctuation, which had none and moves up to the word before ("ends here." is "ends." without "here"), and
behind an opening bracket or quote.
White space after the last word stays.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from compressor.types import Bools, Spans, Words
from compressor.words import Flag

_OPENING = np.array([ord(char) for char in "([{（「『【〈《“‘«"], np.uint32)


def kept_spans(words: Words, kept: Bools) -> Spans:
    """Spans of the text, shape [k, 2], ordered, disjoint and not touching, that make the compressed text."""
    n = len(words.codes)
    order = np.flatnonzero(kept)
    if not len(order):
        return merged(np.array([[words.ends[-1] if len(words) else 0, n]], np.int32))
    gap_words = _gap_owner(words, order)
    gap_starts = np.where(gap_words == 0, 0, words.ends[gap_words - 1])
    gap_ends = np.where(gap_words < 0, gap_starts, words.starts[gap_words])
    pieces = np.stack((gap_starts, gap_ends, words.starts[order], words.ends[order]), axis=1).reshape(-1, 2)
    tail = np.array([[words.ends[-1], n]])
    return merged(np.concatenate((pieces, tail)).astype(np.int32))


def _gap_owner(words: Words, order: NDArray[np.intp]) -> NDArray[np.intp]:
    """For each kept word, the word whose gap goes before it, or -1 for none."""
    previous = np.concatenate(([-1], order[:-1]))
    is_newline = (words.flags & Flag.NEWLINE) != 0
    has_gap = words.starts > np.concatenate(([0], words.ends[:-1]))
    candidates = np.append(np.where(has_gap, np.arange(len(words)), len(words)), len(words))
    next_gap = np.minimum.accumulate(candidates[::-1])[::-1][previous + 1]
    at_line_start = (previous < 0) | is_newline[previous]
    is_punct = (words.flags[order] & Flag.PUNCT) != 0
    owner = np.where(has_gap[order], order, np.where((next_gap <= order) & ~is_punct, next_gap, -1))
    owner = np.where(_ends_open(words, previous), -1, owner)
    owner = np.where(at_line_start, previous + 1, owner)
    owner = np.where(is_newline[order], -1, owner)
    return np.where(previous + 1 == order, order, owner)


def _ends_open(words: Words, at: NDArray[np.intp]) -> Bools:
    """Whether the word ends in an opening bracket or quote; never for index -1."""
    last = words.codes[words.ends[at] - 1]
    return (at >= 0) & np.isin(last, _OPENING)


def merged(spans: Spans) -> Spans:
    """Ordered disjoint spans with empty ones dropped and touching ones joined."""
    spans = spans[spans[:, 1] > spans[:, 0]]
    if not len(spans):
        return spans
    begins = np.concatenate(([True], spans[1:, 0] > spans[:-1, 1]))
    ends = np.append(begins[1:], True)
    return np.stack((spans[begins, 0], spans[ends, 1]), axis=1)


def slice_text(text: str, spans: Spans) -> str:
    """The spans of `text`, concatenated."""
    return "".join([text[start:end] for start, end in spans.tolist()])
