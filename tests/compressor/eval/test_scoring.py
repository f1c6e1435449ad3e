from __future__ import annotations

from compressor.eval.scoring import MAX_BATCH_TOKENS, batches, score
from compressor.types import Chunk
from compressor.words import split
from tests.compressor.fake_scorers import LengthScorer

TEXT = "so the pump of the turbine failed again " * 40


def test_scores_are_the_scorers_own_whatever_the_batches() -> None:
    words = split(TEXT)
    scorer = LengthScorer(chunk_words=7)
    chunks = scorer.encode(TEXT, words)
    whole = scorer.merge(words, chunks, scorer.forward(chunks))
    assert score(scorer, TEXT, words).tolist() == whole.tolist()


def test_batches_are_bounded_with_their_padding() -> None:
    half = MAX_BATCH_TOKENS // 2
    chunks = [Chunk(n, None) for n in (10, half, half, MAX_BATCH_TOKENS * 2, 1, 1)]
    found = [[chunk.n_tokens for chunk in batch] for batch in batches(chunks)]
    assert found == [[10, half], [half], [MAX_BATCH_TOKENS * 2], [1, 1]]
    assert list(batches([])) == []
