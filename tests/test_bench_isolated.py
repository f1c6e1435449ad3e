"""What the measurement of a scorer's process measures: rows there and a score for each core token back."""

from __future__ import annotations

from compressor.isolated import IsolatedScorer, Recipe
from tests.bench_isolated import SIZES, batch_of, best_us, front


def test_every_row_comes_back_whole() -> None:
    scorer = IsolatedScorer(Recipe("tests.bench_isolated:Idle", (), front))
    scorer.start()
    for n_rows, n_tokens in SIZES:
        batch = batch_of(n_rows, n_tokens)
        assert [len(one) for one in scorer.forward(batch)] == [n_tokens - 2] * n_rows
        assert best_us(scorer, batch, 1) > 0
    scorer.close()
