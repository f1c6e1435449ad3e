"""What became of a stretch of text: the same, changed, or gone; read from the spans that were kept.

A number of which a part is missing, or that has grown together with its neighbour, is *changed*: that is
worse than gone, since a reader cannot see it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from compressor.types import Bools, Span, Spans

Fate: TypeAlias = Literal["intact", "changed", "gone"]

_GLUE_BEFORE = re.compile(r"[A-Za-z0-9.,:/$€£¥₩+−-]")
_GLUE_AFTER = re.compile(r"[A-Za-z0-9%]|[.,:/-](?=[A-Za-z0-9])")
"""What makes another literal of one when written onto it; a full stop only before a digit or letter."""


@dataclass(frozen=True, eq=False)
class Kept:
    """What of a text was kept: `mask` per character; `is_ink` says which characters are no white space."""

    text: str
    mask: Bools
    is_ink: Bools

    @classmethod
    def of(cls, text: str, spans: Spans, is_ink: Bools) -> Kept:
        """From the kept spans of the text, and what is ink in it."""
        mask = np.zeros(len(text), np.bool_)
        for start, end in spans.tolist():
            mask[start:end] = True
        return cls(text, mask, is_ink)

    @cached_property
    def places(self) -> NDArray[np.intp]:
        """Where the characters of the output stand in the text."""
        return self.mask.nonzero()[0]

    def is_whole(self, span: Span) -> bool:
        """Was every character of it kept that is no white space?

        Then it stands in the output as one: nothing that was elsewhere can come between.
        """
        start, end = span
        return bool((self.mask[start:end] | ~self.is_ink[start:end]).all())

    def is_gone(self, span: Span) -> bool:
        """Was nothing of it kept?"""
        start, end = span
        return not (self.mask[start:end] & self.is_ink[start:end]).any()

    def fate(self, span: Span) -> Fate:
        """What became of a literal."""
        if self.is_gone(span):
            return "gone"
        return "intact" if self.is_whole(span) and not self._is_glued(span) else "changed"

    def _is_glued(self, span: Span) -> bool:
        """Does a neighbour it did not have stand written onto it?"""
        start, end = span
        places = self.places
        first, past = places.searchsorted((start, end)).tolist()
        if first and places[first - 1] != start - 1 and _is_ascii(self.text[start]):
            before = self.text[places[first - 1]]
            if _GLUE_BEFORE.match(before):
                return True
        if past == len(places) or places[past] == end or not _is_ascii(self.text[end - 1]):
            return False
        after = "".join(self.text[at] for at in places[past : past + 2].tolist())
        return _GLUE_AFTER.match(after) is not None


def _is_ascii(character: str) -> bool:
    return character.isascii() and not character.isspace()


def ink(text: str) -> NDArray[np.bool_]:
    """Which characters are no white space."""
    return np.array([not character.isspace() for character in text], np.bool_)
