"""Where LaTeX is inside prose: commands with arguments, and formulas between dollar signs or \\( and \\).

Whether a dollar sign is money or mathematics depends on the text: only where commands with arguments stand do
dollars enclose formulas. Linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from compressor.types import Span

_COMMAND = re.compile(r"\\[A-Za-z]{1,32}+\*?(?:\[[^\[\]\n]{0,200}+\])?(?:\{[^{}\n]{0,400}+\})++")
_GROUP = re.compile(r"\{\\[A-Za-z]++(?:[^{}\n]|\{(?:[^{}\n]|\{(?:[^{}\n]|\{[^{}\n]*+\})*+\})*+\})*+\}")
r"""{\displaystyle x^{2}}, as encyclopedias have it; braces four deep."""
_BRACKETED = re.compile(r"\\\((?:[^\\\n]|\\(?![()])){1,400}+\\\)")
_FORMULA = re.compile(r"\$(?<![\\$]\$)(?=[^\s$])[^$\n]{1,400}(?<=[^\s\\])\$(?!\d)")


def latex(text: str) -> list[Span]:
    """Spans of commands and formulas."""
    commands = list(_matches(text, "\\", _command))
    is_latex = any(text[start + 1] != "(" for start, _ in commands)
    return commands + (list(_matches(text, "$", _FORMULA.match)) if is_latex else [])


def _command(text: str, at: int) -> re.Match[str] | None:
    """What begins with this backslash, or with the brace before it."""
    if text[at + 1 : at + 2] == "(":
        return _BRACKETED.match(text, at)
    is_group = text[at - 1 : at] == "{"
    return (_GROUP.match(text, at - 1) if is_group else None) or _COMMAND.match(text, at)


def _matches(text: str, mark: str, match_at: Callable[[str, int], re.Match[str] | None]) -> Iterator[Span]:
    """Matches at occurrences of the mark, one after the other."""
    at = text.find(mark)
    while at >= 0:
        past = at + 1
        if match := match_at(text, at):
            past = match.end()
            yield match.span()
        at = text.find(mark, past)
