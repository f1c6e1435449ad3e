"""Spans of characters and what they mean for words: pure arithmetic on arrays."""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from compressor.chars import classify, codes_of
from compressor.types import Bools, Codes, Ints, Scores, Span, Spans, Words

Positions = NDArray[np.intp]
"""Indices, of characters or of words."""


class CharSet:
    """A set of characters of the basic plane, asked for whole arrays."""

    def __init__(self, chars: str) -> None:
        # In pages of its own: of most sets one is touched, and the others cost nothing (3 MiB of all sets).
        self._table = np.frombuffer(mmap.mmap(-1, 0x10000), np.bool_)
        self._table[codes_of(chars)] = True

    @classmethod
    def of(cls, *groups: int) -> CharSet:
        """All characters of the given `chars.Group`s."""
        chars = cls("")
        table, _ = classify(np.arange(0xFFFF, dtype=np.uint32))
        members = np.isin(table, groups).nonzero()
        chars._table[members] = True
        return chars

    def has(self, codes: Codes) -> Bools:
        """Which of the codes are in the set. U+FFFF, no character, stands for all beyond the plane."""
        return self._table.take(codes, mode="clip")


class Members:
    """A set of 64-bit numbers, asked for whole arrays: hashes of words, pairs of characters."""

    def __init__(self, numbers: NDArray[np.uint64]) -> None:
        self._sorted = np.append(np.unique(numbers), np.uint64(2**64 - 1))  # is past whatever is looked for

    @classmethod
    def of_pairs(cls, strings: str) -> Members:
        """`pair` of each two-character string of a list separated by spaces."""
        return cls(np.array([(ord(two[0]) << 32) | ord(two[1]) for two in strings.split()], np.uint64))

    def has(self, numbers: NDArray[np.uint64]) -> Bools:
        """Which of the numbers are in the set."""
        return np.asarray(self._sorted[self._sorted.searchsorted(numbers)] == numbers)


class WideText:
    """The Han, Kana and other wide characters of a text, with room on both sides to look around in."""

    _FIRST_WIDE = 0x2E80
    _ROOM = 16

    def __init__(self, codes: Codes) -> None:
        room = np.zeros(self._ROOM, np.uint32)
        self._codes = np.concatenate((room, codes, room))
        self._wide = np.flatnonzero(codes >= self._FIRST_WIDE)
        self._wide_codes = codes[self._wide]

    def at(self, positions: Positions) -> Codes:
        """Codes at positions from -16 to 15 past the end; U+0000 beyond the text."""
        return self._codes[positions + self._ROOM]

    def where(self, chars: CharSet) -> Positions:
        """Where a wide character of the set stands."""
        return self._wide[chars.has(self._wide_codes)]


def pair(left: Codes, right: Codes) -> NDArray[np.uint64]:
    """Two characters as one number."""
    return (left.astype(np.uint64) << np.uint64(32)) | right


def fill(n: int, first: Positions, past: Positions) -> Bools:
    """Mask of `n` places, true in every [first, past); empty ranges (past <= first) count for nothing."""
    if not len(first):
        return np.zeros(n, np.bool_)
    some = past > first
    edges = np.bincount(first[some], minlength=n + 1) - np.bincount(past[some], minlength=n + 1)
    return np.asarray(edges[:n].cumsum() > 0)


def covering(words: Words, starts: Positions, ends: Positions) -> Bools:
    """Which words overlap any of the character ranges [starts, ends)."""
    if not len(starts):
        return np.zeros(len(words), np.bool_)
    first = words.ends.searchsorted(starts, side="right")
    past = words.starts.searchsorted(ends, side="left")
    return fill(len(words), first, np.where(ends > starts, past, first))


def occurrences(text: str, literal: str) -> Iterator[int]:
    """Where the literal begins, read from the left without overlap."""
    at = text.find(literal)
    while at >= 0:
        yield at
        at = text.find(literal, at + len(literal))


def words_at(words: Words, positions: Positions) -> Positions:
    """The word at each character position; the positions must lie inside words."""
    return words.starts.searchsorted(positions, side="right") - 1


def protected_mask(words: Words, spans: Sequence[Span]) -> Bools:
    """Which words overlap a protected span, shape [n]."""
    return covering(words, *as_arrays(spans))


def as_arrays(spans: Iterable[Span]) -> tuple[Positions, Positions]:
    """Starts and ends of spans."""
    pairs = np.array(list(spans), np.intp).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def runs(mask: Bools) -> tuple[Positions, Positions]:
    """First and past-the-end index of every run of true values."""
    framed = np.zeros(len(mask) + 2, np.bool_)
    framed[1:-1] = mask
    edges = (framed[1:] != framed[:-1]).nonzero()[0]
    return edges[::2], edges[1::2]


def sums(values: Bools | Ints | Scores | Positions, first: Positions, past: Positions) -> Positions:
    """The sum of the values in each range [first, past)."""
    before = np.zeros(len(values) + 1, np.intp)
    values.cumsum(out=before[1:])
    return before[past] - before[first]


def union(spans: Iterable[Span]) -> list[Span]:
    """Ordered, disjoint: overlapping and touching spans become one."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        elif start < end:
            joined.append((start, end))
    return joined


def merged(spans: Spans) -> Spans:
    """Ordered disjoint spans with empty ones dropped and touching ones joined."""
    spans = spans[spans[:, 1] > spans[:, 0]]
    if not len(spans):
        return spans
    is_edge = np.ones(len(spans) + 1, np.bool_)  # between spans that do not touch, and at both ends
    np.greater(spans[1:, 0], spans[:-1, 1], out=is_edge[1:-1])
    joined = np.empty((np.count_nonzero(is_edge) - 1, 2), spans.dtype)
    joined[:, 0], joined[:, 1] = spans[is_edge[:-1], 0], spans[is_edge[1:], 1]
    return joined


def first_codes(words: Words, at: Positions, offset: int = 0) -> NDArray[np.uint32]:
    """Code of the character `offset` into each of the words `at`; 0 beyond its end."""
    position = words.starts[at] + offset
    found: Codes = words.codes.take(position, mode="clip")
    found *= position < words.ends[at]
    return found


def last_codes(words: Words, at: Positions, offset: int = 0) -> NDArray[np.uint32]:
    """Code of the character `offset` before the last one of each of the words `at`; 0 before its start."""
    position: Ints = words.ends[at] - 1 - offset
    found: Codes = words.codes.take(position, mode="clip")
    found *= position >= words.starts[at]
    return found
