"""What a text holds, whatever counts its tokens: words, protected and forced ones, pairs, line heads.

    words → protected → structured? → forced → layout

Finding it costs most of what a text costs once its scores are known, and neither rate nor budget nor
tokenizer changes it. `subject` names what it depends on besides the text; `without_text` makes it fit to be
remembered.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Literal, TypeAlias

import numpy as np

from compressor import keep
from compressor.chars import codes_of
from compressor.layout import Layout
from compressor.params import CompressionParams, Protect
from compressor.segments import Kinds, find_kinds, is_structured, joined
from compressor.spans import protected_mask
from compressor.types import Bools, Span, Words
from compressor.words import split

_NO_CODES = np.empty(0, np.uint32)
SPAN_BYTES = 128
"""Two numbers in a tuple."""


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """Masks are per word, shape [n]."""

    words: Words
    protected_spans: tuple[Span, ...]
    protected: Bools
    forced: Bools
    layout: Layout
    kinds: Kinds = field(default_factory=dict)
    """What there is to be protected, as far as it was looked for; not recorded."""

    @property
    def size_bytes(self) -> int:
        """Of its arrays and spans, which are nearly all of it."""
        parts = (self, self.words, self.layout)
        values = [getattr(part, field.name) for part in parts for field in fields(part)]
        n_spans = len(self.protected_spans) + sum(map(len, self.kinds.values()))
        return sum(value.nbytes for value in values if isinstance(value, np.ndarray)) + SPAN_BYTES * n_spans


Left: TypeAlias = Literal["short", "structured"]
"""Why a text is to be left whole whatever its length in tokens."""

Found: TypeAlias = Findings | Left


def find(text: str, params: CompressionParams, like: Findings | None = None) -> Found:
    """All that needs neither scores nor tokens.

    `like` are findings of the same text under the same `forcing`: only what is protected is found anew, and
    of that only the kinds that nobody looked for.
    """
    words = split(text) if like is None else like.words
    if not len(words):
        return "short"
    protect = _protect(params)
    kinds = find_kinds(text, words, protect, {} if like is None else like.kinds)
    spans = tuple(joined(text, kinds, protect))
    if params.structure_guard and is_structured(text, words, spans):
        return "structured"
    protected = protected_mask(words, spans)
    if protected.all():
        return "short"
    if like is not None:
        return replace(like, protected_spans=spans, protected=protected, kinds=kinds)
    return Findings(words, spans, protected, keep.forced(text, words, params), Layout.of(words), kinds)


def subject(params: CompressionParams) -> bytes:
    """What `find` depends on besides the text, as text."""
    protect = replace(_protect(params), head_tokens=0, tail_tokens=0)
    return repr((protect, params.structure_guard)).encode() + forcing(params)


def _protect(params: CompressionParams) -> Protect:
    """What is protected wherever it stands: tables not where their lines are chosen from."""
    return replace(params.protect, tables=False) if params.whole_lines else params.protect


def forcing(params: CompressionParams) -> bytes:
    """What all but the protected depends on besides the text, as text."""
    return repr((params.force_tokens, params.force_reserve_digit)).encode()


def without_text(found: Found) -> Found:
    """What was found, to be remembered: neither the text nor its characters are in it."""
    if not isinstance(found, Findings):
        return found
    return replace(found, words=replace(found.words, codes=_NO_CODES))


def of_text(found: Found, text: str) -> Found:
    """What was remembered, for the same text."""
    if not isinstance(found, Findings):
        return found
    return replace(found, words=replace(found.words, codes=codes_of(text)))
