"""What a process of its own costs a batch: rows of a model there and a score a token back, no model in it.

`python -m tests.bench_isolated` prints microseconds a batch, the best of many.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compressor.isolated import IsolatedScorer, Recipe
from compressor.scorers.rows import Row
from compressor.types import Chunk, Scores, Words

SIZES = ((1, 64), (1, 512), (32, 512), (256, 64))
"""Rows of a batch, tokens of a row."""
N_TRIES = 300


class Idle:
    """As quick as a scorer can be."""

    fingerprint = "idle"

    def encode(self, text: str, words: Words) -> list[Chunk]:
        return []

    def forward(self, batch: Sequence[Chunk]) -> list[NDArray[np.float32]]:
        rows = [chunk.payload for chunk in batch if isinstance(chunk.payload, Row)]
        return [np.zeros(row.core_end - row.core_start, np.float32) for row in rows]

    def merge(self, words: Words, chunks: Sequence[Chunk], scores: Sequence[NDArray[np.float32]]) -> Scores:
        return np.zeros(len(words), np.uint16)


def front(told: dict[str, Any]) -> Idle:
    """The half that stays."""
    return Idle()


def batch_of(n_rows: int, n_tokens: int) -> list[Chunk]:
    """Rows of some model, all core but for a token at either end."""
    ids, at = np.arange(n_tokens, dtype=np.int32), np.arange(n_tokens - 2, dtype=np.int32)
    row = Row(ids, 1, n_tokens - 1, at, at + 1, np.ones(n_tokens - 2, np.bool_))
    return [Chunk(n_tokens, row)] * n_rows


def best_us(scorer: IsolatedScorer, batch: Sequence[Chunk], n_tries: int = N_TRIES) -> float:
    """The quickest of so many."""
    took = []
    for _ in range(n_tries):
        began = time.perf_counter()
        scorer.forward(batch)
        took.append(time.perf_counter() - began)
    return min(took) * 1e6


def main() -> None:
    scorer = IsolatedScorer(Recipe("tests.bench_isolated:Idle", (), front))
    scorer.start()
    print("rows  tokens  µs a batch")
    for n_rows, n_tokens in SIZES:
        print(f"{n_rows:>4}  {n_tokens:>6}  {best_us(scorer, batch_of(n_rows, n_tokens)):>10.0f}")
    scorer.close()


if __name__ == "__main__":
    main()
