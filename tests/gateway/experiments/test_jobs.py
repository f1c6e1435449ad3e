"""Work that nobody waits for: bounded, and counted however it ends."""

from __future__ import annotations

import asyncio

import pytest

from gateway.experiments.jobs import CONCURRENCY, MOST, MOST_BYTES, Jobs
from tests.e2e.scripted_upstream import PATIENCE_S


async def forever() -> None:
    await asyncio.Event().wait()


async def nothing() -> None:
    pass


async def ended(jobs: Jobs) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while jobs.n_under_way:  # noqa: ASYNC110 - as operators see it
            await asyncio.sleep(0.001)


async def test_so_many_at_once_and_so_many_waiting() -> None:
    jobs, under_way, most = Jobs(), 0, 0
    go_on = asyncio.Event()

    async def work() -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await go_on.wait()
        under_way -= 1

    told: list[str] = []
    begun = [jobs.begin(1, work, told.append) for _ in range(MOST + 1)]
    assert begun == [True] * MOST + [False]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    go_on.set()
    await ended(jobs)
    assert (most, under_way, told) == (CONCURRENCY, 0, [])


async def test_bytes_are_bounded_together() -> None:
    jobs, told = Jobs(), list[str]()
    assert jobs.begin(MOST_BYTES, forever, told.append)
    assert not jobs.begin(1, nothing, told.append)
    await jobs.aclose()
    assert told == ["stopped"]
    assert not jobs.begin(1, nothing, told.append)


async def test_who_waits_too_long_for_a_turn_is_late() -> None:
    jobs, told = Jobs(wait_s=0.01), list[str]()
    for _ in range(CONCURRENCY):
        jobs.begin(1, forever, lambda how: None)
    jobs.begin(1, nothing, told.append)
    async with asyncio.timeout(PATIENCE_S):
        while not told:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.001)
    assert told == ["late"]
    await jobs.aclose()


async def test_who_works_too_long_is_late() -> None:
    jobs, told = Jobs(job_s=0.01), list[str]()
    jobs.begin(1, forever, told.append)
    await ended(jobs)
    assert told == ["late"]


async def test_a_fault_is_counted_logged_by_its_type_and_stops_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def broken() -> None:
        raise KeyError("a secret")

    jobs, told = Jobs(), list[str]()
    for _ in range(2 * CONCURRENCY):
        jobs.begin(1, broken, told.append)
    await ended(jobs)
    assert told == ["error"] * 2 * CONCURRENCY
    assert "mirror: KeyError" in caplog.text
    assert "a secret" not in caplog.text
