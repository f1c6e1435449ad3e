"""Work that nobody waits for: bounded in number, bytes and time, dropped when the process stops.

Laws: `begin` never blocks, never raises, and says at once whether there was room; a job waits for its turn no
longer than WAIT_S; closing ends every job at once and says how many there were.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final

CONCURRENCY: Final = 4
MOST: Final = 64
"""Jobs under way or waiting."""
MOST_BYTES: Final = 64 << 20
"""That they hold together."""
WAIT_S: Final = 10.0
"""A caller's key is in a job: it is used in the same moment or not at all."""
JOB_S: Final = 600.0
"""For a job at work."""

Ended = Callable[[str], None]
"""Told how a job ended without coming to an end of its own: `late`, `stopped` or `error`."""

_log: Final = logging.getLogger(__name__)


class Jobs:
    """For one event loop."""

    def __init__(self, wait_s: float = WAIT_S, job_s: float = JOB_S) -> None:
        self._wait_s = wait_s
        self._job_s = job_s
        self._turns = asyncio.Semaphore(CONCURRENCY)
        self._tasks: dict[asyncio.Task[None], int] = {}
        self._is_closed = False

    @property
    def n_under_way(self) -> int:
        """Jobs under way or waiting."""
        return len(self._tasks)

    def begin(self, n_bytes: int, work: Callable[[], Coroutine[Any, Any, None]], ended: Ended) -> bool:
        """Do the work in the background; False where there is no room for it."""
        is_full = len(self._tasks) >= MOST or sum(self._tasks.values()) + n_bytes > MOST_BYTES
        if self._is_closed or is_full:
            return False
        task = asyncio.create_task(self._run(work, ended), name="mirror")
        self._tasks[task] = n_bytes
        task.add_done_callback(partial(self._over, ended))
        return True

    async def aclose(self) -> None:
        """Drop what is under way."""
        self._is_closed = True
        if tasks := list(self._tasks):
            _log.info("mirror: %d dropped, Pith is stopping", len(tasks))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _over(self, ended: Ended, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        if task.cancelled():  # perhaps before it began
            ended("stopped")

    async def _run(self, work: Callable[[], Coroutine[Any, Any, None]], ended: Ended) -> None:
        try:
            async with asyncio.timeout(self._wait_s):
                await self._turns.acquire()
        except TimeoutError:
            ended("late")
            return
        try:
            async with asyncio.timeout(self._job_s):
                await work()
        except Exception as error:  # noqa: BLE001 - law 6 behind the client's back: it is counted, no more
            _log.error("mirror: %s", type(error).__name__)
            ended("late" if isinstance(error, TimeoutError) else "error")
        finally:
            self._turns.release()
