"""Tables and logs by line, where the parameters ask for it: a row stays whole or goes whole.

A row is a line of a table, or a line of a log that begins with a time, with its line break. Its words share
one score, the mean of theirs, and lose what they have of force and protection by themselves: a number or a
URL in a row goes with it. The head of a table stays, and so does a row with anything that the user protects,
and the line break before the first of several rows.

What a parser reads of a row that is there, it read before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from compressor.lines import Lines
from compressor.select import Candidates
from compressor.spans import union
from compressor.table_spans import frames, records, tables
from compressor.types import Bools, Ints, Scores, Span, Words

_FEWEST_RECORDS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """`of_words` is the row each word belongs to, shape [n], -1 outside of rows; the others are per row."""

    of_words: Ints
    is_head: Bools
    starts: Ints
    ends: Ints
    """In characters, the line break left out."""

    @classmethod
    def of(cls, text: str, words: Words) -> Rows:
        """The rows of a text."""
        lines = Lines.of(words)
        is_row = np.zeros(len(lines), np.bool_)
        is_head = np.zeros(len(lines), np.bool_)
        for start, end in tables(text, lines):
            first, last = lines.of_positions(np.array([start, end - 1])).tolist()
            is_row[first : last + 1] = True
            is_head[first] = True
        is_head |= is_row & frames(lines)
        log = records(lines)
        if log.sum() >= _FEWEST_RECORDS:
            is_row |= log
        row_of_line = np.where(is_row, is_row.cumsum() - 1, -1)
        line_of_word = lines.first.searchsorted(np.arange(len(words)), side="right") - 1
        edges = (lines.starts[is_row].astype(np.int32), lines.ends[is_row].astype(np.int32))
        return cls(row_of_line[line_of_word].astype(np.int32), is_head[is_row], *edges)

    def release(self, spans: Sequence[Span], named: Sequence[Span]) -> tuple[Span, ...]:
        """The protected spans without those inside a row, but for what the user `named`."""
        row = self.starts.searchsorted([start for start, _ in spans], side="right") - 1
        inside = [at >= 0 and end <= self.ends[at] for at, (_, end) in zip(row.tolist(), spans, strict=True)]
        return tuple(union([*(span for span, is_in in zip(spans, inside, strict=True) if not is_in), *named]))

    def level(self, given: Candidates) -> Candidates:
        """Candidates with one score a row, and one say about force."""
        inside = self.of_words >= 0
        rows = self.of_words[inside]
        n = len(self.is_head)
        weights = np.bincount(rows, given.weights[inside], n)
        sums = np.bincount(rows, given.weights[inside] * given.scores[inside].astype(np.float64), n)
        means = np.floor(sums / np.maximum(weights, 1)).astype(given.scores.dtype)
        stays = self.is_head | (np.bincount(rows, given.protected[inside], n) > 0)
        scores: Scores = given.scores.copy()
        forced: Bools = given.forced.copy()
        scores[inside], forced[inside] = means[rows], stays[rows]
        before = np.flatnonzero(inside[1:] & ~inside[:-1])  # a line break
        forced[before] = True
        return Candidates(scores, given.weights, forced, given.protected)

    def whole(self, kept: Bools) -> Bools:
        """`kept` without the rows of which it holds only a part."""
        inside = self.of_words >= 0
        rows = self.of_words[inside]
        n = len(self.is_head)
        is_whole = np.bincount(rows, kept[inside], n) == np.bincount(rows, minlength=n)
        result = kept.copy()
        result[inside] = is_whole[rows]
        return result
