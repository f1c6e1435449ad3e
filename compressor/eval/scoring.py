"""Scores of a text's words, once, straight from a scorer: no engine, no threads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from compressor.types import Chunk, Scorer, Scores, Words

MAX_BATCH_TOKENS = 8_192


def score(scorer: Scorer, text: str, words: Words) -> Scores:
    """The scores of the words."""
    chunks = scorer.encode(text, words)
    parts = list(chain.from_iterable(scorer.forward(batch) for batch in batches(chunks)))
    return scorer.merge(words, chunks, parts)


def batches(chunks: Sequence[Chunk]) -> Iterator[Sequence[Chunk]]:
    """The chunks in order, in batches of at most `MAX_BATCH_TOKENS` with padding, of one chunk at least."""
    batch: list[Chunk] = []
    longest = 0
    for chunk in chunks:
        longest = max(longest, chunk.n_tokens)
        if batch and longest * (len(batch) + 1) > MAX_BATCH_TOKENS:
            yield batch
            batch, longest = [], chunk.n_tokens
        batch.append(chunk)
    if batch:
        yield batch
