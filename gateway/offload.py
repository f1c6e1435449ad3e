"""Where work on a request's bytes runs: at once when it is small, else on a thread.

Parsing, hashing and counting half a megabyte takes milliseconds each; on the event loop that would hold up
every other request's stream. Work that waits for a thread is dropped when whoever asked for it is cancelled.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

INLINE_BYTES = 8 * 1024
"""Up to this much input, work takes less than the two thread switches it would cost (about 0.1 ms)."""


THREADS = 2
"""One may be busy with something large. More only fight over the interpreter lock: four conversations of
100,000 tokens at the same time took 300 ms on one thread or two, 470 on four."""


class Offload:
    """Runs pure functions; `await offload(size, function, *args)`."""

    def __init__(self, threads: int = THREADS, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool = ThreadPoolExecutor(threads, "pith-work")
        self._clock = clock
        self._waiting = _Waiting()

    async def __call__(self, size: int, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The function's result; on a thread when `size` bytes are too many for the event loop."""
        if size <= INLINE_BYTES:
            return function(*args, **kwargs)
        ticket = self._waiting.join(self._clock())

        def work() -> T:
            self._waiting.leave(ticket)
            return function(*args, **kwargs)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._waiting.leave(ticket)  # cancelled, or refused by a pool that is closed

    def is_behind(self, size: int, limit_s: float) -> bool:
        """Whether work of `size` bytes would have to queue, and the queue's oldest has waited `limit_s`."""
        oldest = self._waiting.oldest()
        return size > INLINE_BYTES and oldest is not None and self._clock() - oldest > limit_s

    def close(self) -> None:
        """Let running work end; nothing new is accepted."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class _Waiting:
    """Since when each piece of work waits, oldest first; used from all threads."""

    def __init__(self) -> None:
        self._since: dict[int, float] = {}
        self._tickets = itertools.count()
        self._lock = threading.Lock()

    def join(self, now: float) -> int:
        with self._lock:
            ticket = next(self._tickets)
            self._since[ticket] = now
            return ticket

    def leave(self, ticket: int) -> None:
        with self._lock:
            self._since.pop(ticket, None)

    def oldest(self) -> float | None:
        with self._lock:
            return next(iter(self._since.values()), None)
