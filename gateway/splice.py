"""New texts into raw JSON bytes, so that nothing else changes (law 5).

A text is only ever cut: the kept characters, given as spans of the decoded text, are mapped to byte
spans of its string literal, so each keeps the spelling the client gave it (`é`, `\\u00e9`, `\\/`, a
surrogate pair). Everything outside an edit is copied byte for byte. Literals must come from a document
that was found valid (`json_spans.Document`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import orjson
from numpy.typing import NDArray

from compressor.spans import merged
from compressor.types import Span, Spans


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """Of the string literal at body[start:end], quotes included, keep these byte spans (see `raw_spans`)."""

    start: int
    end: int
    kept: Spans


@dataclass(frozen=True, slots=True)
class Paste:
    """Put raw bytes in place of body[start:end]; an insertion when the two are equal."""

    start: int
    end: int
    raw: bytes


Edit: TypeAlias = Cut | Paste


def decode(literal: bytes) -> str | None:
    """The text of a string literal; None when it holds a lone surrogate and so is not Unicode text."""
    try:
        return str(orjson.loads(literal))
    except orjson.JSONDecodeError:
        return None


def raw_spans(literal: bytes, kept: Sequence[Span] | Spans) -> Spans:
    """Kept character spans of the decoded literal as byte spans of the literal; touching ones are joined."""
    spans = np.asarray(kept, np.int32).reshape(-1, 2)
    is_plain = b"\\" not in literal and literal.isascii()
    offsets = np.arange(1, len(literal), dtype=np.int32) if is_plain else _character_offsets(literal)
    _check(spans.ravel(), len(offsets) - 1)
    return offsets[merged(spans)]


def splice(body: bytes, edits: Sequence[Edit]) -> bytes:
    """The body with every edit made, whatever their order. They must not overlap."""
    pieces: list[bytes] = []
    at = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        if not at <= edit.start <= edit.end <= len(body):
            raise ValueError(f"edit of bytes {edit.start} to {edit.end} overlaps another or leaves the body")
        pieces.append(body[at : edit.start])
        if isinstance(edit, Cut):
            pieces += (b'"', *[body[a:b] for a, b in (edit.kept + edit.start).tolist()], b'"')
        else:
            pieces.append(edit.raw)
        at = edit.end
    pieces.append(body[at:])
    return b"".join(pieces)


def _check(bounds: NDArray[np.int32], n_characters: int) -> None:
    if np.any(bounds[:-1] > bounds[1:]):
        raise ValueError("kept spans overlap or are out of order: sort and join them")
    if bounds.size and not 0 <= bounds[0] <= bounds[-1] <= n_characters:
        raise ValueError(
            f"kept spans run from {bounds[0]} to {bounds[-1]}: the text has {n_characters} characters"
        )


def _character_offsets(literal: bytes) -> NDArray[np.int32]:
    """Byte offset of each character of the text, and at the end that of the closing quote."""
    # Of an escaped backslash only the first is one afterwards; no valid literal holds a byte 2.
    masked = literal.replace(rb"\\", b"\\\2")
    units = np.frombuffer(masked, np.uint8)
    is_first = (units & 0xC0) != 0x80  # not a continuation byte of UTF-8
    is_first[0] = False  # the opening quote
    escapes = np.flatnonzero(units == ord("\\"))
    is_first[escapes + 1] = False
    if rb"\u" in masked:
        _unmark_hex(is_first, units, escapes[units[escapes + 1] == ord("u")])
    return np.flatnonzero(is_first).astype(np.int32)


def _unmark_hex(is_first: NDArray[np.bool_], units: NDArray[np.uint8], escapes: NDArray[np.intp]) -> None:
    """The digits of each `\\uXXXX` begin no character, nor does the second escape of a surrogate pair."""
    digits = escapes[:, np.newaxis] + np.arange(2, 6)
    is_first[digits] = False
    first, second = units[digits[:, 0]] | 0x20, units[digits[:, 1]] | 0x20
    # dc00 to dfff: no surrogate of a text that could be decoded is alone.
    is_first[escapes[(first == ord("d")) & (second >= ord("c"))]] = False
