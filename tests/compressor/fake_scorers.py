"""Scorers whose every step a test decides: no model, no waiting but on events."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from compressor.types import Chunk, Scores, Subject, Words


class LengthScorer:
    """A chunk a `chunk_words` words; a word's score is its length over 100, so that order and text show."""

    fingerprint = "length"

    def __init__(self, chunk_words: int = 50) -> None:
        self.chunk_words = chunk_words
        self.batches: list[int] = []

    def encode(self, text: str, words: Words) -> list[Chunk]:
        lengths = (words.ends - words.starts).astype(np.float32)
        cuts = range(0, len(words), self.chunk_words)
        return [Chunk(len(part), part) for part in (lengths[at : at + self.chunk_words] for at in cuts)]

    def forward(self, batch: Sequence[Chunk]) -> list[NDArray[np.float32]]:
        self.batches.append(len(batch))
        return [np.asarray(chunk.payload, np.float32) / np.float32(100) for chunk in batch]

    def merge(self, words: Words, chunks: Sequence[Chunk], scores: Sequence[NDArray[np.float32]]) -> Scores:
        joined = np.concatenate([np.empty(0, np.float32), *scores])
        snapped: Scores = np.rint(np.minimum(joined, 1.0) * 4096).astype(np.uint16)
        return snapped


class GatedScorer(LengthScorer):
    """Each forward pass says that it has `entered` and goes on once the `gate` is open."""

    def __init__(self, chunk_words: int = 50) -> None:
        super().__init__(chunk_words)
        self.entered = threading.Semaphore(0)
        self.gate = threading.Event()

    def forward(self, batch: Sequence[Chunk]) -> list[NDArray[np.float32]]:
        self.entered.release()
        assert self.gate.wait(30)
        return super().forward(batch)


class FailingScorer(LengthScorer):
    """Steps raise as told: `is_bad` looks at a chunk's word lengths, the flags at nothing."""

    def __init__(self, is_bad: Callable[[NDArray[np.float32]], bool] = lambda lengths: False) -> None:
        super().__init__()
        self.is_bad = is_bad
        self.fails_encode = self.fails_merge = False
        self.forgets = False

    def encode(self, text: str, words: Words) -> list[Chunk]:
        if self.fails_encode:
            raise UnicodeError("cannot encode")
        return super().encode(text, words)

    def forward(self, batch: Sequence[Chunk]) -> list[NDArray[np.float32]]:
        if any(self.is_bad(np.asarray(chunk.payload)) for chunk in batch):
            self.batches.append(len(batch))
            raise RuntimeError("device says no")
        return super().forward(batch)[: -1 if self.forgets else None]

    def merge(self, words: Words, chunks: Sequence[Chunk], scores: Sequence[NDArray[np.float32]]) -> Scores:
        if self.fails_merge:
            raise ValueError("cannot merge")
        return super().merge(words, chunks, scores)


class LocalScorer(LengthScorer):
    """Says of each chunk what its scores depend on, and counts those it is asked for."""

    n_scored = 0

    def encode(self, text: str, words: Words) -> list[Chunk]:
        return [
            replace(chunk, subject=Subject(np.asarray(chunk.payload).tobytes(), chunk.n_tokens))
            for chunk in super().encode(text, words)
        ]

    def forward(self, batch: Sequence[Chunk]) -> list[NDArray[np.float32]]:
        self.n_scored += len(batch)
        return super().forward(batch)
