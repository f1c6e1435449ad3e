"""What mirroring may cost, counted by one process, by several that share, and by several that do not."""

from __future__ import annotations

import pytest
from limits.aio.storage import MemoryStorage

from gateway.access.counters import Counters
from gateway.accounting import Price
from gateway.experiments.spending import Allowance, allowance, billed, is_priced
from gateway.hashing import Secret
from gateway.refusal import Refusal
from gateway.types import Usage
from policies.design import Mirror

SECRET = Secret(b"s" * 32)
PRICE = Price(input=1e-6, cached_input=None, cache_write=None, output=2e-6)
MIRROR = Mirror(max_usd_per_day=4.0, per_minute=8)


async def admitted(counters: Counters, spending: Allowance, n: int) -> list[str]:
    """What became of so many requests."""
    found = []
    for _ in range(n):
        try:
            await counters.admit(spending)
            found.append("ok")
        except Refusal as refusal:
            found.append(refusal.code)
    return found


def test_processes_that_count_apart_have_a_share_each() -> None:
    alone, shared = allowance("rag", MIRROR, 1), allowance("rag", MIRROR, 4)
    assert (alone.requests_per_minute, alone.usd_per_day) == (8, 4.0)
    assert (shared.requests_per_minute, shared.usd_per_day) == (2, 1.0)
    assert allowance("rag", MIRROR, 20).requests_per_minute == 1


async def test_processes_that_count_together_have_one_limit_between_them() -> None:
    storage = MemoryStorage()
    one, other = Counters(SECRET, storage), Counters(SECRET, storage)
    spending = allowance("rag", Mirror(per_minute=3, max_usd_per_day=4.0), 1)
    found = [*await admitted(one, spending, 2), *await admitted(other, spending, 2)]
    assert found == ["ok", "ok", "ok", "rate_limit_exceeded"]
    await one.add(spending, 0, 4.0)
    assert await admitted(other, spending, 1) == ["budget_exceeded"]


async def test_experiments_have_their_own_limits() -> None:
    counters = Counters(SECRET)
    await counters.add(allowance("rag", MIRROR, 1), 0, 4.0)
    assert await admitted(counters, allowance("rag", MIRROR, 1), 1) == ["budget_exceeded"]
    assert await admitted(counters, allowance("other", MIRROR, 1), 1) == ["ok"]


async def test_a_cap_of_nothing_allows_nothing() -> None:
    nothing = allowance("rag", Mirror(max_usd_per_day=0.0), 1)
    assert await admitted(Counters(SECRET), nothing, 1) == ["budget_exceeded"]


def test_what_is_billed() -> None:
    assert billed(Usage(1000, 100), PRICE, 0, 0) == pytest.approx(1000e-6 + 200e-6)
    assert billed(None, PRICE, 3000, 400) == pytest.approx(1000e-6 + 200e-6), "an estimate, by characters"
    assert billed(Usage(1000, 0, cached_tokens=1000), PRICE, 0, 0) == pytest.approx(1000e-6), "at most"


def test_what_can_be_capped() -> None:
    assert is_priced(PRICE)
    assert not is_priced(None)
    assert not is_priced(Price(input=1e-6, cached_input=None, cache_write=None, output=None))
