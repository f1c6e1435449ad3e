"""gateway.access.counters: what a key has used, in one process and over a real Redis."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.access.counters import MICROS, Counters
from gateway.access.keys import VirtualKey
from gateway.access.shared import open_counts
from gateway.cache.location import parse_location
from gateway.hashing import Secret
from gateway.refusal import Refusal
from tests.gateway.access.issued import issue
from tests.redis_server import RedisServer, redis_server

SECRET = Secret(b"s" * 32)
NOON = 1_800_000_000.0


async def refused(counters: Counters, key: VirtualKey) -> Refusal:
    """What is said at last. A minute may begin meanwhile: a sliding window is an estimate."""
    with pytest.raises(Refusal) as caught:  # noqa: PT012  # asked until it is said
        for _ in range(1 + (key.requests_per_minute or 0)):
            await counters.admit(key)
    assert caught.value.status == 429
    return caught.value


async def test_a_key_without_limits_is_not_counted() -> None:
    counters, (_, key) = Counters(SECRET), issue()
    for _ in range(3):
        await counters.admit(key)
        await counters.add(key, 10**9, 1e6)


async def test_requests_of_a_minute() -> None:
    counters, (_, key) = Counters(SECRET), issue(requests_per_minute=3)
    for _ in range(3):
        await counters.admit(key)
    refusal = await refused(counters, key)
    assert refusal.code == "rate_limit_exceeded"
    assert refusal.retry_after_s is not None
    assert 1 <= refusal.retry_after_s <= 60
    await counters.admit(issue("another", requests_per_minute=3)[1])


async def test_tokens_of_a_minute_are_counted_afterwards() -> None:
    counters, (_, key) = Counters(SECRET), issue(tokens_per_minute=100)
    await counters.add(key, 99, 0.0)
    await counters.admit(key)
    await counters.add(key, 500, 0.0)
    refusal = await refused(counters, key)
    assert refusal.code == "rate_limit_exceeded"
    assert refusal.retry_after_s is not None


@pytest.mark.parametrize("unit", ["day", "month"])
async def test_a_budget_ends_with_its_period(unit: str) -> None:
    at = NOON
    counters = Counters(SECRET, now=lambda: at)
    limits: dict[str, Any] = {f"usd_per_{unit}": 1.0}
    _, key = issue(**limits)
    await counters.add(key, 0, 0.999999)
    await counters.admit(key)
    await counters.add(key, 0, 0.4 / MICROS)  # rounded up: nothing is free
    refusal = await refused(counters, key)
    assert refusal.code == "budget_exceeded"
    assert refusal.retry_after_s is None, "waiting a minute would not help"
    at += 31 * 86_400
    await counters.admit(key)


async def test_a_raised_budget_counts_on() -> None:
    counters = Counters(SECRET)
    _, key = issue(usd_per_day=1.0)
    await counters.add(key, 0, 1.5)
    await refused(counters, key)
    raised = key.model_copy(update={"usd_per_day": 2.0})
    await counters.admit(raised)
    await counters.add(raised, 0, 0.5)
    await refused(counters, raised)


async def test_what_the_ledger_holds_is_where_a_process_begins() -> None:
    counters = Counters(SECRET)
    _, key = issue(usd_per_day=2.0, usd_per_month=5.0)
    await counters.recall(key, "day", 1.0)
    await counters.recall(key, "month", 5.0)
    assert "month" in (await refused(counters, key)).message


async def test_a_request_that_is_refused_is_not_counted() -> None:
    counters = Counters(SECRET)
    _, key = issue(usd_per_day=1.0, requests_per_minute=2)
    await counters.add(key, 0, 1.0)
    for _ in range(5):
        assert (await refused(counters, key)).code == "budget_exceeded"
    raised = key.model_copy(update={"usd_per_day": 9.0})
    await counters.admit(raised)
    await counters.admit(raised)


@asynccontextmanager
async def replicas(server: RedisServer) -> AsyncIterator[tuple[Counters, Counters]]:
    location = parse_location(server.url)
    async with open_counts(location) as one, open_counts(location) as other:
        pair = Counters(SECRET, one), Counters(SECRET, other)
        yield pair
        for counters in pair:
            await counters.aclose()


async def use_up(one: Counters, other: Counters, limits: dict[str, Any]) -> Refusal:
    """What the other replica says after one has used the key."""
    _, key = issue(**limits)
    for _ in range(3):
        await one.admit(key)
    await one.add(key, 1000, 2.0)
    return await refused(other, key)


async def test_replicas_count_together(tmp_path: Path) -> None:
    with redis_server(tmp_path / "redis") as server:
        async with replicas(server) as (one, other):
            for limits in ({"requests_per_minute": 3}, {"tokens_per_minute": 1000}, {"usd_per_month": 2.0}):
                assert await use_up(one, other, limits)
            assert one.degraded is None
            names = b" ".join(server.stored())
            assert b"pith:limits:" in names
            assert b"search-prod" not in names, "ids are hashed"


async def test_without_redis_each_counts_alone_and_together_again_when_it_is_back(tmp_path: Path) -> None:
    with redis_server(tmp_path / "redis") as server:
        async with replicas(server) as (one, other):
            _, key = issue(requests_per_minute=4)
            await one.admit(key)
            server.stop()
            for _ in range(3):
                await one.admit(key)
            assert (await refused(one, key)).code == "rate_limit_exceeded"
            for _ in range(4):
                await other.admit(key)
            while one.degraded is None:
                await one.add(issue("x", usd_per_day=9.0)[1], 0, 1.0)
            assert one.degraded.startswith("Redis: ")
            server.start()
            deadline = time.monotonic() + 20
            while one.degraded is not None or other.degraded is not None:
                await one.probe()
                await other.probe()
                assert time.monotonic() < deadline
            assert await use_up(one, other, {"tokens_per_minute": 10})
