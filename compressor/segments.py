"""Which parts of a text must come through byte-equal.

Laws: the spans are ordered, disjoint, not empty, and begin and end with ink; finding them is linear in the
text, whatever it holds. Only the text and the switches decide.
"""

from __future__ import annotations

from collections.abc import Sequence

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


def segments(text: str, words: Words, protect: Protect) -> list[Span]:
    """The protected spans; `words` are those of `text`."""
    lines = Lines.of(words)
    links = urls(text) if protect.code or protect.urls else []
    spans: list[Span] = []
    if protect.code:
        quoted = inline(text, lines)
        spans += fences(text, lines) + quoted + latex(text)
        spans += bare_code(text, lines, union(quoted + links))
    if protect.json:
        spans += json_spans(text)
    if protect.tables:
        spans += tables(text, lines)
    if protect.urls:
        spans += links
        spans += mails(text)
        spans += paths(text, words)
    if protect.tags:
        spans += tags(text)
    spans += pattern_spans(text, protect.patterns)
    return _trimmed(text, spans)


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
