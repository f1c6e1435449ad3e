"""The lines of a text as arrays: where each begins and ends, and which words it holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compressor.spans import CharSet, Positions, sums
from compressor.types import Bools, Codes, Words


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """Line i is `text[starts[i]:ends[i]]`, its line break left out; its words are [first[i], past[i])."""

    words: Words
    starts: Positions
    ends: Positions
    first: Positions
    past: Positions

    @classmethod
    def of(cls, words: Words) -> Lines:
        """The lines of the text the words were cut from."""
        codes = words.codes
        breaks = (codes == ord("\n")).nonzero()[0]
        starts, ends = np.empty(len(breaks) + 1, np.intp), np.empty(len(breaks) + 1, np.intp)
        starts[0], starts[1:] = 0, breaks + 1
        ends[:-1], ends[-1] = breaks, len(codes)
        if len(codes):
            ends -= (ends > starts) & (codes[ends - 1] == ord("\r"))
        return cls(words, starts, ends, words.starts.searchsorted(starts), words.starts.searchsorted(ends))

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def is_blank(self) -> Bools:
        return np.asarray(self.first == self.past)

    @property
    def n_words(self) -> Positions:
        return self.past - self.first

    def content_starts(self) -> Positions:
        """Where the first word of each line begins; the line's end where there is none."""
        return self._word_edges(self.words.starts, self.first)

    def content_ends(self) -> Positions:
        """Where the last word of each line ends; the line's end where there is none."""
        return self._word_edges(self.words.ends, self.past - 1)

    def _word_edges(self, edges: NDArray[np.int32], at: Positions) -> Positions:
        positions = self.ends.copy()
        full = ~self.is_blank
        positions[full] = edges[at[full]]
        return positions

    def codes_at(self, positions: Positions) -> Codes:
        """Code at each position, U+0000 outside the text."""
        codes = self.words.codes
        if not len(codes):
            return np.zeros(len(positions), np.uint32)
        found: Codes = codes.take(positions, mode="clip")
        found[(positions < 0) | (positions >= len(codes))] = 0
        return found

    def of_positions(self, positions: Positions) -> Positions:
        """The line each character position lies in."""
        return self.starts.searchsorted(positions, side="right") - 1

    def count(self, positions: Positions) -> Positions:
        """How many of the character positions lie in each line."""
        return np.bincount(self.of_positions(positions), minlength=len(self))

    def count_chars(self, chars: CharSet) -> Positions:
        """How many characters of the set each line holds."""
        return self.count(chars.has(self.words.codes).nonzero()[0])

    def n_inked(self) -> Positions:
        """Characters of each line that are not white space."""
        return sums(self.words.lengths, self.first, self.past)
