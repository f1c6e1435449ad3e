"""Full garbage collections between requests, not amid them.

A full collection walks over everything that lives, up to 30 ms with full caches, and nothing else runs
meanwhile. Python starts one whenever enough has changed, which is amid some request; here it is started when
none is under way, or after PATIENCE_S in any case. The young generations are collected as ever: they take
microseconds, and find nearly all there is to find.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Final

DUE: Final = 10
"""Collections of the middle generation after which a full one is due, as Python has it."""
PATIENCE_S: Final = 60.0
"""How long a process that is never idle goes without."""
LOOK_S: Final = 0.25


class Collector:
    """Says when, told how many younger collections there were and whether requests are under way. Pure."""

    def __init__(self) -> None:
        self._due_since: float | None = None

    def is_time(self, n_younger: int, *, is_idle: bool, now: float) -> bool:
        """Whether a full collection is to be made now."""
        if n_younger < DUE:
            self._due_since = None
            return False
        if self._due_since is None:
            self._due_since = now
        return is_idle or now - self._due_since >= PATIENCE_S


async def collect_between_requests(is_idle: Callable[[], bool], look_s: float = LOOK_S) -> None:
    """For as long as the process serves; `interpreter.settle` has told Python to make none by itself."""
    collector, clock = Collector(), asyncio.get_running_loop().time
    while True:
        await asyncio.sleep(look_s)
        if collector.is_time(gc.get_count()[2], is_idle=is_idle(), now=clock()):
            gc.collect()
