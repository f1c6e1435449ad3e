"""Stand-ins that implement the seams."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from compressor.types import SCORE_ONE, Chunk, Scores, Words


class LengthScorer:
    """A scorer by rule: the longer a word, the higher its score. Counts its work, fails when told to."""

    fingerprint = "length-1"

    def __init__(self) -> None:
        self.n_texts = 0
        self.error: Exception | None = None

    def encode(self, text: str, words: Words) -> list[Chunk]:
        return [Chunk(1, words)]

    def forward(self, batch: Sequence[Chunk]) -> list[NDArray[np.float32]]:
        if self.error is not None:
            raise self.error
        self.n_texts += len(batch)
        return [_by_length(chunk.payload) for chunk in batch if isinstance(chunk.payload, Words)]

    def merge(self, words: Words, chunks: Sequence[Chunk], scores: Sequence[NDArray[np.float32]]) -> Scores:
        return (scores[0] * SCORE_ONE).astype(np.uint16)


def _by_length(words: Words) -> NDArray[np.float32]:
    lengths = np.minimum(words.ends - words.starts, 16)
    scores: NDArray[np.float32] = (lengths / 16).astype(np.float32)
    return scores
