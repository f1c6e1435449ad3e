"""Where work on a request's bytes runs: at once when it is small, else on a thread.

Parsing, hashing and counting half a megabyte takes milliseconds each; on the event loop that would hold up
every other request's stream.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

INLINE_BYTES = 8 * 1024
"""Up to this much input, work takes less than the two thread switches it would cost (about 0.1 ms)."""


class Offload:
    """Runs pure functions; `await offload(size, function, *args)`."""

    def __init__(self, threads: int = 4) -> None:
        self._pool = ThreadPoolExecutor(threads, "pith-work")

    async def __call__(self, size: int, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The function's result; on a thread when `size` bytes are too many for the event loop."""
        if size <= INLINE_BYTES:
            return function(*args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: function(*args, **kwargs))

    def close(self) -> None:
        """Let running work end; nothing new is accepted."""
        self._pool.shutdown(wait=False, cancel_futures=True)
