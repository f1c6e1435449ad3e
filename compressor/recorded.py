"""An analysis as bytes: what was found in a text before any score, to be recorded beside its scores.

Finding what is protected and forced costs most of what a text costs once its scores are recorded; a new rate,
threshold or budget changes none of it. `subject` names what it does depend on besides the text. The words
themselves are not recorded: the text gives them. What does not fit the text is read as None, never an error.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from itertools import accumulate
from typing import cast

import numpy as np

from compressor.analysis import ENGINE_EPOCH, Analysis, Outcome, left_whole
from compressor.layout import Layout
from compressor.params import CompressionParams
from compressor.types import Compressed, SkipReason
from compressor.words import split

_FORMAT = b"a1"
_HEAD = struct.Struct("<2sIBIIIII")
"""Format, checksum of what follows, reason for leaving the text whole (an index into _SKIPS), origin tokens,
and how many words, protected spans, pairs and line heads follow."""
_SUM_END = 6
_SKIPS = ("", "short", "structured")
_FORCED, _PROTECTED = 1, 2


def subject(params: CompressionParams) -> bytes:
    """What an analysis depends on besides the text: of the parameters, those that do not choose words."""
    asked = replace(
        params,
        rate=1.0,
        rates=(),
        target_tokens=None,
        threshold=None,
        min_rate=0.0,
        max_rate=1.0,
        drop_consecutive=False,
    )
    return repr((ENGINE_EPOCH, asked)).encode()


def pack(outcome: Outcome) -> bytes | None:
    """The bytes; None for what is not recorded: texts with marks, and words of absurd weight."""
    if isinstance(outcome, Compressed):
        return _sealed(b"", _SKIPS.index(outcome.skip or ""), outcome.origin_tokens, 0, 0, 0, 0)
    if outcome.regions or int(outcome.weights.max()) > 0xFFFF:
        return None
    spans = np.array(outcome.protected_spans, "<i4").reshape(-1, 2)
    bits = outcome.forced * np.uint8(_FORCED) | outcome.protected * np.uint8(_PROTECTED)
    layout = outcome.layout
    wide = np.concatenate((spans.ravel(), layout.opening, layout.closing, layout.first, layout.past)).astype(
        "<i4"
    )
    counts = len(outcome.words), len(spans), len(layout.opening), len(layout.first)
    arrays = wide.tobytes() + outcome.weights.astype("<u2").tobytes() + bits.tobytes()
    return _sealed(arrays, 0, outcome.origin_tokens, *counts)


def _sealed(arrays: bytes, *head: int) -> bytes:
    value = _HEAD.pack(_FORMAT, 0, *head) + arrays
    return _FORMAT + zlib.crc32(value[_SUM_END:]).to_bytes(4, "little") + value[_SUM_END:]


def unpack(value: bytes, text: str) -> Outcome | None:
    """The analysis of `text`; None for bytes that cannot be of this text."""
    if len(value) < _HEAD.size:
        return None
    form, checksum, skip, origin_tokens, n_words, *counts = _HEAD.unpack_from(value)
    if form != _FORMAT or checksum != zlib.crc32(value[_SUM_END:]):
        return None
    if skip:
        return left_whole(text, origin_tokens, cast(SkipReason, _SKIPS[skip]))
    words = split(text)
    if len(words) != n_words:
        return None
    wide = np.frombuffer(value, "<i4", 2 * sum(counts), _HEAD.size).astype(np.intp)
    spans, opening, closing, first, past = np.split(wide, _bounds(*counts))
    at = _HEAD.size + 4 * len(wide)
    weights = np.frombuffer(value, "<u2", n_words, at).astype(np.int32)
    bits = np.frombuffer(value, np.uint8, n_words, at + 2 * n_words)
    protected_spans = tuple((start, end) for start, end in spans.reshape(-1, 2).tolist())
    return Analysis(
        text,
        words,
        weights,
        origin_tokens,
        protected_spans,
        (bits & _PROTECTED) != 0,
        (bits & _FORCED) != 0,
        (),
        Layout(opening, closing, first, past),
    )


def _bounds(n_spans: int, n_pairs: int, n_leads: int) -> list[int]:
    """Where the arrays of whole numbers are parted."""
    return list(accumulate((2 * n_spans, n_pairs, n_pairs, n_leads)))
