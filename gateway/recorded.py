"""What is recorded of a text in the cache: scores and weights of its words, and what was found in it. Pure.

Neither holds text, and neither is believed as it comes: what does not fit the text is a miss. That a store
outside the process gives back nothing but what was put there under that key is for `cache/sealed.py`.
"""

from __future__ import annotations

import struct

import numpy as np

from compressor.analysis import ENGINE_EPOCH, Weights
from compressor.findings import forcing, subject
from compressor.packed import FORMAT
from compressor.params import CompressionParams
from compressor.types import SCORE_ONE, Scores
from compressor.words import WORDS_VERSION

RECORDS_TTL_S = 7 * 24 * 3600.0
_SCORES_FORMAT = b"1"
_WEIGHTS_FORMAT = "1"
_WEIGHTS_HEAD = struct.Struct("<BI")
"""Bytes of a weight; tokens of the text."""


def findings_subject(params: CompressionParams) -> bytes:
    """What recorded findings depend on besides the text: versions, and what is protected and forced."""
    return f"{FORMAT}/{ENGINE_EPOCH}/{WORDS_VERSION}/".encode() + subject(params)


def contents_subject(params: CompressionParams) -> bytes:
    """What findings depend on, but for what is protected."""
    return f"{ENGINE_EPOCH}/{WORDS_VERSION}/".encode() + forcing(params)


def pack_scores(scores: Scores) -> bytes:
    """Scores as they are recorded."""
    return _SCORES_FORMAT + scores.astype("<u2").tobytes()


def read_scores(value: bytes | None, n_words: int) -> Scores | None:
    """Recorded scores if they are what a text of so many words wants, else None."""
    if value is None or value[:1] != _SCORES_FORMAT or len(value) != 1 + 2 * n_words:
        return None
    scores = np.frombuffer(value, "<u2", offset=1).astype(np.uint16)
    return scores if not n_words or int(scores.max()) <= SCORE_ONE else None


def weights_subject(params: CompressionParams) -> bytes:
    """What recorded weights depend on besides the text: versions, and the tokenizer."""
    return f"{_WEIGHTS_FORMAT}/{WORDS_VERSION}/{params.tokenizer}".encode()


def pack_weights(weights: Weights) -> bytes:
    """Weights as they are recorded."""
    width = 1 if int(weights.of_words.max(initial=0)) < 1 << 8 else 4
    of_words = weights.of_words.astype(np.dtype(f"<u{width}"))
    return _WEIGHTS_HEAD.pack(width, weights.origin_tokens) + of_words.tobytes()


def read_weights(value: bytes | None) -> Weights | None:
    """Recorded weights, of however many words."""
    if value is None or len(value) < _WEIGHTS_HEAD.size:
        return None
    width, origin_tokens = _WEIGHTS_HEAD.unpack_from(value)
    if width not in (1, 4) or (len(value) - _WEIGHTS_HEAD.size) % width:
        return None
    of_words = np.frombuffer(value, np.dtype(f"<u{width}"), offset=_WEIGHTS_HEAD.size)
    return Weights(origin_tokens, of_words.astype(np.int32)) if of_words.sum() <= origin_tokens else None
