"""What may be spent."""

from __future__ import annotations

import asyncio

import pytest

from gateway.accounting import Price
from gateway.distill.budget import Budget, Spent, usd
from gateway.types import Usage


async def test_what_does_not_fit_is_not_let_through() -> None:
    budget = Budget(1.0)
    await budget.reserve(0.7)
    budget.settle(0.7, 0.7)
    with pytest.raises(Spent):
        await budget.reserve(0.4)
    await budget.reserve(0.3)


async def test_it_waits_for_what_is_under_way() -> None:
    budget = Budget(1.0)
    await budget.reserve(0.7)
    waiting = [asyncio.create_task(budget.reserve(0.4)) for _ in range(2)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    budget.settle(0.7, 0.1)
    await asyncio.gather(*waiting)
    budget.settle(0.4, 0.4)
    budget.settle(0.4, 0.4)
    assert budget.spent_usd == pytest.approx(0.9)


async def test_all_who_wait_are_told_that_nothing_is_left() -> None:
    budget = Budget(1.0)
    await budget.reserve(1.0)
    waiting = [asyncio.create_task(budget.reserve(0.5)) for _ in range(3)]
    await asyncio.sleep(0)
    budget.settle(1.0, 1.0)
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(one) for one in found] == [Spent] * 3


@pytest.mark.parametrize("most_usd", [0.0, float("nan")])
async def test_nothing_allows_only_what_is_free(most_usd: float) -> None:
    with pytest.raises(Spent):
        await Budget(most_usd).reserve(1e-9)
    await Budget(0.0).reserve(0.0)


def test_what_a_request_costs() -> None:
    price = Price(1e-6, 5e-7, None, 2e-6)
    assert usd(Usage(100, 10), price) == pytest.approx(120e-6)
    assert usd(Usage(100, 10, cached_tokens=50), price) == pytest.approx(95e-6)
    assert usd(Usage(100, 10, cache_write_tokens=50), price) == pytest.approx(120e-6), "no price for writes"
