"""Code without fences: tool results are often a bare source file, a configuration, a diff or shell output.

Ranges of lines that mostly look like code (`line_form`) are code; prose around or between is left alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from compressor.code_spans import group, line_spans
from compressor.line_form import LineForm, n_suspect
from compressor.lines import Lines
from compressor.spans import Positions, protected_mask, sums
from compressor.types import Bools, Span

_FEWEST = 3
"""Fewer clear lines of code than this are not code."""
_BRIDGED = 2
"""Lines of prose inside code that do not end it: comments, messages."""
_CLEAR_SHARE, _MEMBER_SHARE = 0.3, 0.6
"""Of a range's lines, so many must be clearly code and so many at least possibly. A whole text of which this
holds is a file: its header comments and docstrings belong to it."""


def bare_code(text: str, lines: Lines, quoted: Sequence[Span] = ()) -> list[Span]:
    """Ranges of lines that are source code, configuration, markup, diffs or shell sessions.

    `quoted` is what says nothing about the line around it: inline code and URLs.
    """
    if text.startswith("#!"):
        return [(0, len(text))]
    if len(lines) < _FEWEST or (n_suspect(text, lines) < _FEWEST and "@@ -" not in text):
        return []
    form = LineForm(lines, protected_mask(lines.words, quoted))
    clear = form.is_clear() | _diff_lines(text, lines)
    settings = form.is_setting() & ~clear
    clear |= settings
    full = ~lines.is_blank
    if (clear & full).sum() < _FEWEST:
        return []
    member = clear | form.is_likely() | _docstring_lines(text, lines)
    is_prose = form.is_prose & ~member
    if _is_file(clear, member, full):
        inside = np.flatnonzero(full & ~is_prose)
        first, past = inside[:1], inside[-1:] + 1
    else:
        strange = np.where(lines.is_blank, 0, np.where(is_prose, _BRIDGED + 1, 1))
        first, past = group(member & full, strange, _BRIDGED)
    good = _is_code(clear, member, full, first, past) & _is_varied(form, settings, clear, first, past)
    return line_spans(lines, first[good], past[good])


def _is_file(clear: Bools, member: Bools, full: Bools) -> bool:
    n = int(full.sum())
    return bool((clear & full).sum() >= _CLEAR_SHARE * n and (member & full).sum() >= _MEMBER_SHARE * n)


def _is_code(clear: Bools, member: Bools, full: Bools, first: Positions, past: Positions) -> Bools:
    n = sums(full, first, past)
    n_clear = sums(clear & full, first, past)
    n_member = sums(member & full, first, past)
    enough = (n_clear >= _FEWEST) & (n_clear >= _CLEAR_SHARE * n)
    return np.asarray(enough & (n_member >= _MEMBER_SHARE * n))


def _is_varied(form: LineForm, settings: Bools, clear: Bools, first: Positions, past: Positions) -> Bools:
    """Ranges of "name: value" alone are settings if the names differ; where they repeat, speakers talk."""
    good = np.ones(len(first), np.bool_)
    mostly = sums(settings, first, past) * 2 > sums(clear, first, past)
    for i in np.flatnonzero(mostly):
        inside = np.arange(first[i], past[i])[settings[first[i] : past[i]]]
        good[i] = len(np.unique(form.first_hashes[inside])) * 2 > len(inside)
    return good


def _diff_lines(text: str, lines: Lines) -> Bools:
    """Lines of a unified diff: from its hunk header on, as long as they begin like one."""
    is_diff = np.zeros(len(lines), np.bool_)
    if "@@ -" not in text:
        return is_diff
    first = lines.codes_at(lines.starts)
    is_body = np.isin(first, [ord(char) for char in "+-@ \\"]) & (lines.ends > lines.starts)
    is_hunk = (first == ord("@")) & (lines.codes_at(lines.starts + 1) == ord("@"))
    begins = np.flatnonzero(is_body & ~np.append(False, is_body[:-1]))
    past = np.flatnonzero(is_body & ~np.append(is_body[1:], False)) + 1
    for start, end in zip(begins.tolist(), past.tolist(), strict=True):
        is_diff[start:end] = is_hunk[start:end].any()
    return is_diff


def _docstring_lines(text: str, lines: Lines) -> Bools:
    """Lines between pairs of triple quotes."""
    inside = np.zeros(len(lines), np.bool_)
    for quote in ('"""', "'''"):
        if quote not in text:
            continue
        codes = lines.words.codes
        is_quote = codes == ord(quote[0])
        at = np.flatnonzero(is_quote[2:] & is_quote[1:-1] & is_quote[:-2])
        at = lines.of_positions(at[np.diff(at, prepend=-3) >= 3])
        if len(at) % 2 == 0:
            edges = np.bincount(at[::2], minlength=len(lines) + 1) - np.bincount(
                at[1::2] + 1, minlength=len(lines) + 1
            )
            inside |= np.cumsum(edges)[: len(lines)] > 0
    return inside
