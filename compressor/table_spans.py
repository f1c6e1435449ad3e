"""Where tables are: Markdown pipe tables, and lines with the same number of tabs, commas or semicolons."""

from __future__ import annotations

import numpy as np

from compressor.code_spans import line_spans
from compressor.lines import Lines
from compressor.spans import CharSet, Positions, runs
from compressor.types import Bools, Span

_FEWEST_ROWS = 3
_FEWEST_PIPES = 2
_FEWEST_COMMAS = 2
_RULE_CHARS = CharSet("|-: \t")


def tables(text: str, lines: Lines) -> list[Span]:
    """Spans of tables, whole lines each."""
    spans: list[Span] = []
    if "|" in text:
        spans += _pipe_tables(lines)
    if "\t" in text:
        tabs = _positions(lines, "\t")
        inner = tabs[(tabs >= lines.content_starts()[lines.of_positions(tabs)])]  # not indentation
        spans += _even_runs(lines, lines.count(inner), 1)
    for mark in ",;":
        if mark in text:
            marks = _positions(lines, mark)
            after = lines.codes_at(marks + 1)
            tight = marks[
                (after != ord(" ")) & (after != ord("\n")) & (after != 0)
            ]  # prose has a space after it
            spans += _even_runs(lines, lines.count(tight), _FEWEST_COMMAS)
    return spans


def _positions(lines: Lines, mark: str) -> Positions:
    return np.flatnonzero(lines.words.codes == ord(mark))


def _pipe_tables(lines: Lines) -> list[Span]:
    """Runs of lines with pipes that hold a delimiter row (|---|---|) or begin with a pipe throughout."""
    pipes = lines.count(_positions(lines, "|"))
    has_pipe = pipes > 0
    begins = lines.codes_at(lines.content_starts()) == ord("|")
    dashes = lines.count(_positions(lines, "-"))
    n_chars = lines.ends - lines.starts
    is_rule = has_pipe & (dashes > 0) & (lines.count_chars(_RULE_CHARS) == n_chars)
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


def _even_runs(lines: Lines, counts: Positions, fewest: int) -> list[Span]:
    """Runs of three lines or more with the same number of marks, at least `fewest`."""
    is_same: Bools = np.append(False, counts[1:] == counts[:-1])
    breaks = np.flatnonzero(~is_same)
    past = np.append(breaks[1:], len(lines))
    good = (past - breaks >= _FEWEST_ROWS) & (counts[breaks] >= fewest)
    return line_spans(lines, breaks[good], past[good])
