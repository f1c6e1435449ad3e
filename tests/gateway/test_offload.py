"""gateway.offload: small work at once, large work on a thread, and how far behind the threads are."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from gateway.offload import INLINE_BYTES, Offload

LARGE = INLINE_BYTES + 1


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def offload(clock: Clock) -> AsyncIterator[Offload]:
    offload = Offload(threads=1, clock=clock)
    yield offload
    offload.close()


async def test_small_work_runs_here_and_large_work_elsewhere(offload: Offload) -> None:
    here = threading.get_ident()
    assert await offload(INLINE_BYTES, threading.get_ident) == here
    assert await offload(LARGE, threading.get_ident) != here


async def test_what_the_work_raises_is_raised(offload: Offload) -> None:
    for size in (0, LARGE):
        with pytest.raises(ZeroDivisionError):
            await offload(size, divmod, 1, 0)


class Busy:
    """Keeps the only thread busy until told otherwise."""

    def __init__(self, offload: Offload) -> None:
        self._begun, self._end = threading.Event(), threading.Event()
        self.task = asyncio.create_task(offload(LARGE, self._wait))

    def _wait(self) -> None:
        self._begun.set()
        self._end.wait(20)

    async def begun(self) -> None:
        await asyncio.to_thread(self._begun.wait, 20)

    async def ended(self) -> None:
        self._end.set()
        await self.task


async def test_it_is_behind_while_work_waits_for_long(offload: Offload, clock: Clock) -> None:
    busy = Busy(offload)
    await busy.begun()
    clock.now = 10.0
    assert not offload.is_behind(LARGE, 0.0), "what runs does not wait"
    waiting = [asyncio.create_task(offload(LARGE, len, b"xx")) for _ in range(2)]
    await asyncio.sleep(0)
    clock.now = 11.0
    assert not offload.is_behind(LARGE, 1.0)
    clock.now = 11.5
    assert offload.is_behind(LARGE, 1.0)
    assert not offload.is_behind(INLINE_BYTES, 1.0), "small work needs no thread"
    await busy.ended()
    assert await asyncio.gather(*waiting) == [2, 2]
    assert not offload.is_behind(LARGE, 1.0)


async def test_work_nobody_waits_for_is_dropped(offload: Offload, clock: Clock) -> None:
    done: list[int] = []
    busy = Busy(offload)
    await busy.begun()
    left = asyncio.create_task(offload(LARGE, done.append, 1))
    await asyncio.sleep(0)
    left.cancel()
    await asyncio.wait([left])
    clock.now = 10.0
    assert not offload.is_behind(LARGE, 1.0)
    await busy.ended()
    await offload(LARGE, done.append, 2)
    assert done == [2]


async def test_after_closing_large_work_is_refused(offload: Offload, clock: Clock) -> None:
    offload.close()
    with pytest.raises(RuntimeError):
        await offload(LARGE, len, b"")
    clock.now = 10.0
    assert not offload.is_behind(LARGE, 1.0)
