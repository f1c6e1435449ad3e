"""What in a text stands in pairs or at the head of its lines: found once, used by every choice of words."""

from __future__ import annotations

from dataclasses import dataclass

from compressor.brackets import pairs
from compressor.line_marks import leads
from compressor.spans import Positions
from compressor.types import Words


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Indices of words."""

    opening: Positions
    """Words that open pairs."""
    closing: Positions
    """Words that close them, in parallel."""
    first: Positions
    """First words of lines that begin with marks."""
    past: Positions
    """The words after those marks, in parallel."""

    @classmethod
    def of(cls, words: Words) -> Layout:
        """The layout of a text."""
        return cls(*pairs(words), *leads(words))
