from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressor.eval.intervals import FEWEST_TEXTS, draws, estimate, shares, worst_decile

COUNTS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=FEWEST_TEXTS, max_size=12)


@given(COUNTS)
def test_shares_are_those_of_texts_drawn_one_by_one(counts: list[tuple[int, int]]) -> None:
    hits = np.array([[min(a, b)] for a, b in counts], float)
    totals = np.array([[max(a, b)] for a, b in counts], float)
    drawn = draws(len(counts), 7)
    value, sampled = shares(drawn, hits, totals)
    assert drawn.sum(axis=1).tolist() == [len(counts)] * 7
    for times, share in zip(drawn, sampled[:, 0], strict=True):
        texts = np.repeat(np.arange(len(counts)), times.astype(int))
        of = totals[texts].sum()
        assert math.isnan(share) if of == 0 else share == pytest.approx(hits[texts].sum() / of)
    if totals.sum():
        assert value[0] == pytest.approx(hits.sum() / totals.sum())


def test_the_same_seed_draws_the_same() -> None:
    assert (draws(9) == draws(9)).all()
    assert (draws(9, seed=1) != draws(9, seed=2)).any()


def test_an_interval_covers_the_mean_and_narrows() -> None:
    def width(n: int) -> float:
        hits = np.array([[float(i % 2)] for i in range(n)])
        value, sampled = shares(draws(n), hits, np.ones((n, 1)))
        found = estimate(value[0], sampled[:, 0])
        assert found.low < found.value < found.high
        return found.high - found.low

    assert width(20) == pytest.approx(4 * 0.5 / math.sqrt(20), rel=0.15)
    assert width(400) < width(20) / 3


def test_a_paired_difference_is_narrower_than_its_parts() -> None:
    better = np.array([[float(i % 3 > 0)] for i in range(60)])
    worse = better.copy()
    worse[:6] = 0
    values, sampled = shares(draws(60), np.hstack([better, worse]), np.ones((60, 2)))
    ahead = estimate(values[0] - values[1], sampled[:, 0] - sampled[:, 1])
    alone = estimate(values[0], sampled[:, 0])
    assert ahead.low > 0
    assert ahead.high - ahead.low < alone.high - alone.low


def test_few_texts_have_no_interval() -> None:
    value, sampled = shares(draws(FEWEST_TEXTS - 1), np.ones((4, 1)), np.ones((4, 1)))
    found = estimate(value[0], sampled[:, 0])
    assert found.value == 1
    assert math.isnan(found.low)


def test_the_worst_decile() -> None:
    hits = np.array([1.0] * 18 + [0.5, 0.0, 0.0])
    totals = np.array([1.0] * 20 + [0.0])
    assert worst_decile(hits, totals) == 0.25
    assert worst_decile(hits, totals, is_loss=True) == 1.0
    assert math.isnan(worst_decile(np.zeros(2), np.zeros(2)))
