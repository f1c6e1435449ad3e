"""Where code is: fenced, inline, and bare. Spans in characters; linear in the text whatever it holds."""

from __future__ import annotations

import numpy as np

from compressor.lines import Lines
from compressor.spans import Positions, runs
from compressor.types import Bools, Span

_SHORTEST_FENCE = 3


def fences(text: str, lines: Lines) -> list[Span]:
    """Blocks between ``` or ~~~ lines, the fences included; an unclosed one runs to the end of the text."""
    if "```" not in text and "~~~" not in text:
        return []
    spans: list[Span] = []
    opened: tuple[str, int, int] | None = None
    for start, end in _fence_lines(text, lines):
        content = text[start:end]
        mark = content[0]
        length = len(content) - len(content.lstrip(mark))
        if opened is None:
            if mark == "~" or "`" not in content[length:]:  # ```x``` on one line is inline code
                opened = (mark, length, start)
        elif mark == opened[0] and length >= opened[1] and not content[length:].strip():
            spans.append((opened[2], end))
            opened = None
    if opened is not None:
        spans.append((opened[2], len(text)))
    return spans


def _fence_lines(text: str, lines: Lines) -> list[Span]:
    """Content of the lines that begin with three or more of a fence character."""
    starts, ends = lines.content_starts(), lines.content_ends()
    first = lines.codes_at(starts)
    is_fence = (first == ord("`")) | (first == ord("~"))
    for i in range(1, _SHORTEST_FENCE):
        is_fence &= lines.codes_at(starts + i) == first
    at = np.flatnonzero(is_fence & (ends - starts >= _SHORTEST_FENCE))
    return list(zip(starts[at].tolist(), ends[at].tolist(), strict=True))


def inline(text: str, lines: Lines) -> list[Span]:
    """Runs of backticks closed by a run of the same length in the same line, and what is between them."""
    if "`" not in text:
        return []
    starts, ends = runs(lines.words.codes == ord("`"))
    closers = _closers(lines.of_positions(starts).tolist(), (ends - starts).tolist())
    spans = []
    i = 0
    while i < len(starts):
        j = closers[i]
        if j:
            spans.append((int(starts[i]), int(ends[j])))
        i = max(i, j) + 1
    return spans


def _closers(line: list[int], length: list[int]) -> list[int]:
    """For each run the next one of equal length in its line; 0 for none (no run is closed by the first)."""
    closers = [0] * len(line)
    last: dict[tuple[int, int], int] = {}
    for i in range(len(line) - 1, -1, -1):
        closers[i] = last.get((line[i], length[i]), 0)
        last[line[i], length[i]] = i
    return closers


def line_spans(lines: Lines, first: Positions, past: Positions) -> list[Span]:
    """Spans of the line ranges [first, past)."""
    return list(zip(lines.starts[first].tolist(), lines.ends[past - 1].tolist(), strict=True))


def group(is_member: Bools, strange: Positions, reach: int) -> tuple[Positions, Positions]:
    """Ranges from member to member; the lines between may add up to `reach` of strangeness."""
    at = np.flatnonzero(is_member)
    if not len(at):
        return at, at
    total = np.cumsum(np.where(is_member, 0, strange))
    breaks = np.flatnonzero(np.diff(total[at]) > reach) + 1
    first = at[np.append(0, breaks)]
    return first, at[np.append(breaks - 1, len(at) - 1)] + 1
