"""compressor.ranking: one order for every budget, in which no stretch of a text comes last as a whole."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from compressor.ranking import CHUNK_FLOOR, CHUNK_TOKENS, rank
from compressor.types import Bools, Ints, Scores

N_WORDS = 4 * CHUNK_TOKENS
WEIGHTS = np.ones(N_WORDS, np.int32)
ALL = np.ones(N_WORDS, np.bool_)


def test_within_one_chunk_the_score_decides_and_ties_go_to_the_earlier() -> None:
    scores = np.array([3, 9, 3, 7], np.uint16)
    assert rank(scores, WEIGHTS[:4], ALL[:4]).tolist() == [1, 3, 0, 2]


def test_only_free_words_are_ranked() -> None:
    free = ALL.copy()
    free[::2] = False
    assert set(rank(WEIGHTS.astype(np.uint16), WEIGHTS, free)) == set(range(1, N_WORDS, 2))
    assert not len(rank(np.empty(0, np.uint16), WEIGHTS[:0], ALL[:0]))


def test_a_dull_stretch_keeps_its_share_and_the_rest_goes_by_score() -> None:
    scores = np.full(N_WORDS, 4000, np.uint16)
    dull = slice(CHUNK_TOKENS, 2 * CHUNK_TOKENS)
    scores[dull] = np.arange(CHUNK_TOKENS)
    kept = np.zeros(N_WORDS, np.bool_)
    kept[rank(scores, WEIGHTS, ALL)[: N_WORDS // 2]] = True
    by_itself = kept[dull].nonzero()[0]
    assert CHUNK_FLOOR * CHUNK_TOKENS / 2 <= len(by_itself) <= CHUNK_TOKENS / 6
    assert by_itself.tolist() == list(range(CHUNK_TOKENS - len(by_itself), CHUNK_TOKENS)), "its best"


def test_words_that_weigh_nothing_are_ranked_too() -> None:
    weights = np.zeros(N_WORDS, np.int32)
    weights[0] = 5 * CHUNK_TOKENS
    assert sorted(rank(WEIGHTS.astype(np.uint16), weights, weights == 0)) == list(range(1, N_WORDS))


@st.composite
def texts(draw: st.DrawFn) -> tuple[Scores, Ints, Bools]:
    """Scores, weights and what is free, of several chunks; some of it dull, some forced."""
    random = np.random.default_rng(draw(st.integers(0, 999)))
    n = draw(st.integers(1, 3000))
    scores = random.integers(0, 4097, n).astype(np.uint16)
    scores[: draw(st.integers(0, n))] //= draw(st.sampled_from([1, 50]))
    free = random.random(n) < draw(st.sampled_from([0.3, 1.0]))
    free[: draw(st.integers(0, n // 2))] = True
    return scores, random.integers(0, draw(st.sampled_from([2, 9])), n).astype(np.int32), free


@given(texts(), st.floats(0.05, 1.0))
def test_every_chunk_keeps_its_floor_but_for_a_word(text: tuple[Scores, Ints, Bools], share: float) -> None:
    scores, weights, free = text
    ranked = rank(scores, weights, free)
    kept = np.zeros(len(scores), np.bool_)
    kept[ranked[: int(weights[ranked].cumsum().searchsorted(share * weights[free].sum(), side="right"))]] = (
        True
    )
    upto, total = weights.cumsum(), int(weights.sum())
    n_chunks = total // CHUNK_TOKENS
    reached = weights[kept].sum() / max(1, weights[free].sum())
    for chunk in range(n_chunks):
        inside = ((upto - weights) * n_chunks // total == chunk) & free
        floor = CHUNK_FLOOR * reached * weights[inside].sum()
        assert weights[inside & kept].sum() > floor - weights.max() - 1
