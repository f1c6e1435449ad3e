"""Estimates from recent batches."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressor.pace import Pace


def recorded(*batches: tuple[int, float]) -> Pace:
    pace = Pace()
    for n_tokens, seconds in batches:
        pace.record(n_tokens, seconds)
    return pace


def test_nothing_recorded_is_no_time() -> None:
    assert Pace().estimate_s(1_000_000, 100) == 0.0


def test_a_line_is_found_again() -> None:
    pace = recorded(*((n, 0.01 + n * 0.0001) for n in (100, 5000, 300, 16_000)))
    assert pace.estimate_s(32_000, 2) == pytest.approx(0.02 + 3.2)


def test_batches_of_one_size_are_put_down_to_the_batch() -> None:
    pace = recorded((20, 0.005), (20, 0.005))
    assert pace.estimate_s(16_000, 1) == pytest.approx(0.005)


def test_a_new_pace_is_learned_within_some_tens_of_batches() -> None:
    pace = recorded((1000, 9.0), *[(1000, 1.0)] * 50)
    assert pace.estimate_s(1000, 1) == pytest.approx(1.0, rel=0.01)


@given(st.lists(st.tuples(st.integers(1, 20_000), st.floats(0, 10)), min_size=1, max_size=30))
def test_estimates_are_never_negative(batches: list[tuple[int, float]]) -> None:
    pace = recorded(*batches)
    assert pace.estimate_s(100, 1) >= 0.0
    assert pace.estimate_s(100_000, 10) >= pace.estimate_s(100, 1) - 1e-9
