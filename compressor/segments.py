"""Which parts of a text must come through byte-equal.

Laws: the spans are ordered, disjoint, not empty, and begin and end with ink; finding them is linear in the
text, whatever it holds. Only the text and the switches decide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Final, TypeAlias

from compressor.bare_code import bare_code
from compressor.code_spans import fences, inline
from compressor.json_spans import json_spans
from compressor.latex_spans import latex
from compressor.lines import Lines
from compressor.params import Protect
from compressor.patterns import pattern_spans
from compressor.reference_spans import mails, paths, tags, urls
from compressor.spans import protected_mask, union
from compressor.table_spans import tables
from compressor.types import Span, Words

STRUCTURED_SHARE = 0.6
"""A text is structured if more than this share of its ink stands in protected blocks: code, JSON, tables."""


Kinds: TypeAlias = Mapping[str, tuple[Span, ...]]
"""Spans by the switch of `Protect` that asks for them. Each kind depends on the text alone."""


def segments(text: str, words: Words, protect: Protect) -> list[Span]:
    """The protected spans; `words` are those of `text`."""
    return joined(text, find_kinds(text, words, protect), protect)


def find_kinds(text: str, words: Words, protect: Protect, known: Kinds = MappingProxyType({})) -> Kinds:
    """All that is known, and what else is to be protected; what is known is not looked for again."""
    source = _Source(text, words)
    asked = [kind for kind in _FINDERS if getattr(protect, kind) and kind not in known]
    return {**known, **{kind: tuple(_FINDERS[kind](source)) for kind in asked}}


def joined(text: str, kinds: Kinds, protect: Protect) -> list[Span]:
    """The protected spans: of the kinds that are asked for, and those of the user's patterns."""
    spans = [span for kind, found in kinds.items() if getattr(protect, kind) for span in found]
    return _trimmed(text, spans + pattern_spans(text, protect.patterns))


@dataclass(frozen=True)
class _Source:
    """A text, and what several kinds want of it."""

    text: str
    words: Words

    @cached_property
    def lines(self) -> Lines:
        return Lines.of(self.words)

    @cached_property
    def links(self) -> list[Span]:
        return urls(self.text)


def _code(source: _Source) -> list[Span]:
    text, lines = source.text, source.lines
    quoted = inline(text, lines)
    bare = bare_code(text, lines, union(quoted + source.links))
    return [*fences(text, lines), *quoted, *latex(text), *bare]


def _urls(source: _Source) -> list[Span]:
    return [*source.links, *mails(source.text), *paths(source.text, source.words)]


_FINDERS: Final[Mapping[str, Callable[[_Source], list[Span]]]] = {
    "code": _code,
    "json": lambda source: json_spans(source.text),
    "tables": lambda source: tables(source.text, source.lines),
    "urls": _urls,
    "tags": lambda source: tags(source.text),
}


def is_structured(text: str, words: Words, spans: Sequence[Span]) -> bool:
    """Are most of the text's characters in protected blocks, that is spans of whole lines or of several?"""
    blocks = [(start, end) for start, end in spans if _is_block(text, start, end)]
    if not blocks:
        return False
    inked = words.lengths
    return bool(inked[protected_mask(words, blocks)].sum() > STRUCTURED_SHARE * inked.sum())


def _is_block(text: str, start: int, end: int) -> bool:
    is_line = (start == 0 or text[start - 1] == "\n") and (end == len(text) or text[end] in "\r\n")
    return is_line or text.find("\n", start, end) >= 0


def _trimmed(text: str, spans: Sequence[Span]) -> list[Span]:
    """Ordered, disjoint, and without white space at either end."""
    trimmed = []
    for start, end in union(spans):
        content = text[start:end].strip()
        if content:
            start = text.index(content[0], start) if text[start].isspace() else start
            trimmed.append((start, start + len(content)))
    return trimmed
