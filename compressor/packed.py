"""Findings to bytes and back, to be recorded beside scores: some five bytes a word, and no text.

Where words begin and end, what sort they are, which are protected and forced, what stands in pairs. Hashes of
words are left out: they are not keyed, so whoever reads them could look words up.

    kind, sizes | spans, pairs, line heads: 4 bytes a number | flags: 2 a word | edges of words, each less the
    one before: 1, 2 or 4 | protected, forced: a bit a word each

Law: `unpack` gives back what was packed, and None for bytes made of a text of another length, for bytes of
another length than they say, and for bytes that point outside the text.
"""

from __future__ import annotations

import struct

import numpy as np

from compressor.chars import codes_of
from compressor.findings import Findings, Found, Left
from compressor.layout import Layout
from compressor.types import Words

FORMAT = "1"
"""Changes whenever the same findings would be packed otherwise."""

_HEAD = struct.Struct("<BBxxIIIII")
"""Kind, bytes of an edge; characters, words, spans, pairs, line heads."""
_FOUND = 0
_LEFT: dict[int, Left] = {1: "short", 2: "structured"}
_KIND_OF = {left: kind for kind, left in _LEFT.items()}
_WIDTHS = {width: np.dtype(f"<u{width}") for width in (1, 2, 4)}


def pack(found: Found, text: str) -> bytes:
    """What was found in the text, as bytes."""
    if not isinstance(found, Findings):
        return _HEAD.pack(_KIND_OF[found], 1, len(text), 0, 0, 0, 0)
    words, layout = found.words, found.layout
    edges = np.diff(np.stack((words.starts, words.ends), axis=1).reshape(-1), prepend=0)
    longest = int(edges.max())
    width = next(width for width in _WIDTHS if longest < 1 << 8 * width)
    spans = np.array(found.protected_spans, np.intp).reshape(-1)
    numbers = np.concatenate((spans, layout.opening, layout.closing, layout.first, layout.past))
    sizes = (len(text), len(words), len(spans) // 2, len(layout.opening), len(layout.first))
    return b"".join(
        (
            _HEAD.pack(_FOUND, width, *sizes),
            numbers.astype(np.dtype("<u4")).tobytes(),
            words.flags.astype(np.dtype("<u2")).tobytes(),
            edges.astype(_WIDTHS[width]).tobytes(),
            np.packbits(np.concatenate((found.protected, found.forced))).tobytes(),
        )
    )


def unpack(data: bytes, text: str) -> Found | None:
    """What was found in the text, or None if these bytes cannot be of it."""
    if len(data) < _HEAD.size:
        return None
    kind, width, n_characters, n, n_spans, n_pairs, n_heads = _HEAD.unpack_from(data)
    if n_characters != len(text):
        return None
    if kind in _LEFT:
        return _LEFT[kind] if len(data) == _HEAD.size else None
    n_numbers = 2 * (n_spans + n_pairs + n_heads)
    at_flags = _HEAD.size + 4 * n_numbers
    at_edges = at_flags + 2 * n
    at_masks = at_edges + 2 * n * width
    if kind != _FOUND or not n or width not in _WIDTHS or len(data) != at_masks + (2 * n + 7) // 8:
        return None
    numbers = np.frombuffer(data, np.dtype("<u4"), n_numbers, _HEAD.size)
    spans, places = numbers[: 2 * n_spans], numbers[2 * n_spans :].astype(np.intp)
    steps = np.frombuffer(data, _WIDTHS[width], 2 * n, at_edges)
    edges = np.cumsum(steps, dtype=np.int64)
    opening, closing = places[:n_pairs], places[n_pairs : 2 * n_pairs]
    first, past = places[2 * n_pairs : 2 * n_pairs + n_heads], places[2 * n_pairs + n_heads :]
    is_inside = edges[-1] <= n_characters and bool(steps[1::2].all())
    is_inside &= (
        int(spans.max(initial=0)) <= n_characters and int(places[: len(places) - n_heads].max(initial=0)) < n
    )
    if not is_inside or int(past.max(initial=0)) > n:
        return None
    flags = np.frombuffer(data, np.dtype("<u2"), n, at_flags)
    starts, ends = edges.reshape(n, 2).T.astype(np.int32)
    bits = np.unpackbits(np.frombuffer(data, np.uint8, offset=at_masks), count=2 * n).view(np.bool_)
    return Findings(
        Words(codes_of(text), starts, ends, flags),
        tuple(zip(spans[::2].tolist(), spans[1::2].tolist(), strict=True)),
        protected=bits[:n],
        forced=bits[n:],
        layout=Layout(opening, closing, first, past),
    )
