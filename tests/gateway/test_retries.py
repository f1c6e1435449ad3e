"""How often a failed connect is tried again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.upstreams.retries import FLOOR, MEMORY, RetryBudget, wait_s


@given(st.floats(0.01, 1), st.integers(0, 300), st.lists(st.booleans(), max_size=400))
def test_never_more_than_the_share_of_the_last_requests(
    share: float, n_before: int, asks: list[bool]
) -> None:
    budget = RetryBudget(share)
    for _ in range(n_before):
        budget.pay_in()
    n_retried = 0
    for is_asked in asks:
        budget.pay_in()
        n_retried += is_asked and budget.take()
    saved = max(FLOOR, share * MEMORY)
    assert n_retried <= saved + share * len(asks) + 1e-6


def test_a_tenth_of_many_that_all_fail() -> None:
    budget = RetryBudget(0.1)
    n_retried = 0
    for _ in range(10_000):
        budget.pay_in()
        n_retried += budget.take()
    assert n_retried in range(1_000, 1_004)


def test_a_quiet_upstream_has_a_few() -> None:
    budget = RetryBudget(0.1)
    assert [budget.take() for _ in range(4)] == [True, True, True, False]


def test_no_share_no_retry() -> None:
    budget = RetryBudget(0)
    budget.pay_in()
    assert not budget.take()


@pytest.mark.parametrize(("n_failed", "least", "most"), [(1, 0.025, 0.075), (2, 0.05, 0.15), (3, 0.1, 0.3)])
def test_waits_double_and_are_spread(n_failed: int, least: float, most: float) -> None:
    assert wait_s(n_failed, 0.0) == pytest.approx(least)
    assert wait_s(n_failed, 1.0) == pytest.approx(most)
