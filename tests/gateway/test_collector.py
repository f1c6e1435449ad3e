"""Full garbage collections between requests."""

from __future__ import annotations

import asyncio
import gc
import weakref

from gateway.collector import DUE, PATIENCE_S, Collector, collect_between_requests


def test_none_is_made_before_it_is_due() -> None:
    assert not Collector().is_time(DUE - 1, is_idle=True, now=0.0)


def test_one_is_made_when_no_request_is_under_way() -> None:
    collector = Collector()
    assert not collector.is_time(DUE, is_idle=False, now=0.0)
    assert collector.is_time(DUE, is_idle=True, now=1.0)


def test_a_process_that_is_never_idle_goes_without_for_a_minute() -> None:
    collector = Collector()
    assert not collector.is_time(DUE, is_idle=False, now=5.0)
    assert not collector.is_time(DUE, is_idle=False, now=4.9 + PATIENCE_S)
    assert collector.is_time(DUE, is_idle=False, now=5.0 + PATIENCE_S)


def test_the_minute_begins_anew_after_a_collection() -> None:
    collector = Collector()
    collector.is_time(DUE, is_idle=False, now=0.0)
    collector.is_time(0, is_idle=False, now=1.0)
    assert not collector.is_time(DUE, is_idle=False, now=PATIENCE_S)


class Knot:
    """Garbage that only a collection finds."""

    def __init__(self) -> None:
        self.own = self


async def test_old_garbage_goes_while_nothing_is_served() -> None:
    knot = Knot()
    gc.collect()  # it is of the oldest generation now
    gone = weakref.ref(knot)
    work = asyncio.create_task(collect_between_requests(lambda: True, look_s=0.0))
    del knot
    for _ in range(1_000):
        gc.collect(1)  # again: amid a collection of another thread's, one asked for is none
        await asyncio.sleep(0)
        if gone() is None:
            break
    assert gone() is None
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)


async def test_nothing_is_collected_amid_requests() -> None:
    looks = 0

    def is_idle() -> bool:
        nonlocal looks
        looks += 1
        return False

    knot = Knot()
    gc.collect()
    gone = weakref.ref(knot)
    work = asyncio.create_task(collect_between_requests(is_idle, look_s=0.0))
    del knot
    while looks < 3 * DUE:
        gc.collect(1)
        await asyncio.sleep(0)
    assert gone() is not None
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
