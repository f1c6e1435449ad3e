"""Where tables are: pipe tables of Markdown and of databases, columns aligned by blanks, and lines with the
same number of tabs, commas or semicolons.
"""

from __future__ import annotations

import numpy as np

from compressor.code_spans import line_spans
from compressor.lines import Lines
from compressor.spans import CharSet, Positions, runs, sums
from compressor.types import Bools, Span

_FEWEST_ROWS = 3
_FEWEST_PIPES = 2
_FEWEST_COMMAS = 2
_FEWEST_DASHES = 3
_RULE_CHARS = CharSet("|-:+= \t")
_WIDE = 2
"""Blanks that part columns; one parts words."""
_FEWEST_WIDE = 2
_ALIGNED_SHARE = 0.5
"""Of the columns of a table, so many begin or end where one does in a neighbouring line; in justified prose a
quarter does."""
_LATEST_STAMP = 24
"""A line with a time of day, seconds included, among so many characters is a record of a log."""
_LONGEST_LINE = 1 << 20
_SENTENCE_ENDS = CharSet(".?!。？！")
"""Old typists put two blanks after a sentence."""


def tables(text: str, lines: Lines) -> list[Span]:
    """Spans of tables, whole lines each."""
    spans: list[Span] = []
    if "|" in text or "+--" in text:
        spans += _pipe_tables(lines)
    if "  " in text:
        spans += _aligned(lines)
    if "\t" in text:
        tabs = _positions(lines, "\t")
        inner = tabs[(tabs >= lines.content_starts()[lines.of_positions(tabs)])]  # not indentation
        spans += _even_runs(lines, inner, 1)
    for mark in ",;":
        if mark in text:
            tight = _positions(lines, mark)
            if len(tight) and tight[-1] == len(text) - 1:
                tight = tight[:-1]
            after = lines.words.codes[tight + 1]
            tight = tight[
                (after != ord(" ")) & (after != ord("\n")) & (after != 0)
            ]  # prose has a space after it
            spans += _even_runs(lines, tight, _FEWEST_COMMAS)
    return spans


def _positions(lines: Lines, mark: str) -> Positions:
    return np.asarray((lines.words.codes == ord(mark)).nonzero()[0])


def _pipe_tables(lines: Lines) -> list[Span]:
    """Runs of lines with pipes that hold a delimiter row (|---|---|) or begin with a pipe throughout."""
    pipes = lines.count(_positions(lines, "|"))
    begins = lines.codes_at(lines.content_starts()) == ord("|")
    is_rule = frames(lines)
    has_pipe = (pipes > 0) | is_rule
    spans: list[Span] = []
    first, past = runs(has_pipe)
    for start, end in zip(first.tolist(), past.tolist(), strict=True):
        rules = np.flatnonzero(is_rule[start:end])
        if len(rules):  # the header is the line above the first delimiter row
            spans += line_spans(lines, np.array([start + max(int(rules[0]) - 1, 0)]), np.array([end]))
    rows = begins & (pipes >= _FEWEST_PIPES)
    first, past = runs(rows)
    long = past - first >= _FEWEST_ROWS
    return spans + line_spans(lines, first[long], past[long])


def frames(lines: Lines) -> Bools:
    """Lines that part the head of a pipe table from its rows, or frame it."""
    dashes = lines.count(_positions(lines, "-"))
    is_crossed = (dashes >= _FEWEST_DASHES) & (lines.count(_positions(lines, "+")) > 0)
    is_piped = (dashes > 0) & (lines.count(_positions(lines, "|")) > 0)
    is_frame: Bools = (is_piped | is_crossed) & (lines.count_chars(_RULE_CHARS) == lines.ends - lines.starts)
    return is_frame


def _aligned(lines: Lines) -> list[Span]:
    """Runs of lines with columns parted by two blanks or more, most of them under one another."""
    words = lines.words
    at = np.flatnonzero(words.starts[1:] >= words.ends[:-1] + _WIDE) + 1
    at = at[~_SENTENCE_ENDS.has(words.codes[words.ends[at - 1] - 1])]
    line = lines.of_positions(words.starts[at].astype(np.intp))
    inner = words.starts[at - 1] >= lines.starts[line]  # not indentation
    at, line = at[inner], line[inner]
    begins, ends = words.starts[at] - lines.starts[line], words.ends[at] - lines.starts[line]
    is_aligned = _has_neighbour(line, begins) | _has_neighbour(line, ends)
    n_wide = np.bincount(line, minlength=len(lines))
    n_aligned = np.bincount(line[is_aligned], minlength=len(lines))
    first, past = runs((n_wide >= _FEWEST_WIDE) & ~records(lines))
    is_table = sums(n_aligned, first, past) >= _ALIGNED_SHARE * sums(n_wide, first, past)
    is_table &= past - first >= _FEWEST_ROWS
    return line_spans(lines, first[is_table], past[is_table])


def records(lines: Lines) -> Bools:
    """Lines that begin with a time like 14:02:11."""
    colons = _positions(lines, ":")
    colons = colons[lines.codes_at(colons + 3) == ord(":")]
    is_early = colons - lines.starts[lines.of_positions(colons)] < _LATEST_STAMP
    return lines.count(colons[is_early]) > 0


def _has_neighbour(line: Positions, column: Positions) -> Bools:
    """Is there the same column in the line above or below?"""
    place = line * _LONGEST_LINE + np.minimum(column, _LONGEST_LINE - 1)
    return np.isin(place + _LONGEST_LINE, place) | np.isin(place - _LONGEST_LINE, place)


def _even_runs(lines: Lines, marks: Positions, fewest: int) -> list[Span]:
    """Runs of three lines or more with the same number of marks, at least `fewest`."""
    if len(marks) < _FEWEST_ROWS * fewest:
        return []
    counts = lines.count(marks)
    is_same: Bools = np.append(False, counts[1:] == counts[:-1])
    breaks = np.flatnonzero(~is_same)
    past = np.append(breaks[1:], len(lines))
    good = (past - breaks >= _FEWEST_ROWS) & (counts[breaks] >= fewest)
    return line_spans(lines, breaks[good], past[good])
