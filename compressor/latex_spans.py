"""Where LaTeX is inside prose: commands with arguments, and formulas between dollar signs or \\( and \\).

Whether a dollar sign is money or mathematics depends on the text: only where commands with arguments stand do
dollars enclose formulas. Linear in the text.
"""

from __future__ import annotations

import re

from compressor.types import Span

_COMMAND = re.compile(r"\\[A-Za-z]{1,32}+\*?(?:\[[^\[\]\n]{0,200}+\])?(?:\{[^{}\n]{0,400}+\})++")
_GROUP = re.compile(r"\{\\[A-Za-z]++(?:[^{}\n]|\{(?:[^{}\n]|\{(?:[^{}\n]|\{[^{}\n]*+\})*+\})*+\})*+\}")
r"""{\displaystyle x^{2}}, as encyclopedias have it; braces four deep."""
_BRACKETED = re.compile(r"\\\((?:[^\\\n]|\\(?![()])){1,400}+\\\)")
_DOLLARS = re.compile(r"(?<![\\$])\$(?=[^\s$])[^$\n]{1,400}(?<=[^\s\\])\$(?!\d)")


def latex(text: str) -> list[Span]:
    """Spans of commands and formulas."""
    if "\\" not in text:
        return []
    spans = [match.span() for match in _COMMAND.finditer(text)]
    if "{\\" in text:
        spans += [match.span() for match in _GROUP.finditer(text)]
    if spans and "$" in text:
        spans += [match.span() for match in _DOLLARS.finditer(text)]
    if "\\(" in text:
        spans += [match.span() for match in _BRACKETED.finditer(text)]
    return spans
