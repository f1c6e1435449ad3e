"""How long an event loop stands still, and how much of that is this process's doing.

A loop that has something to do and does not do it waits for one of three things: its own thread is busy with
something else, another thread of the process has the interpreter, or the machine gives the process no
processor. The kernel says how long a thread that could run waited for a processor (`schedstat` of Linux);
nothing of Pith's can hold a loop for longer than Pith computes.
"""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

TICK_S: Final = 0.001
_SCHEDSTAT: Final = "/proc/thread-self/schedstat"
"""Of the thread that opens it: nanoseconds on a processor, nanoseconds waiting for one, turns."""
_READ_BYTES: Final = 64


@dataclass(frozen=True, slots=True)
class Standstill:
    """Seconds for which a loop did nothing that was due."""

    wall_s: float = 0.0
    """By the clock."""
    held_s: float = 0.0
    """Of these at most so many by this process: no thread waited for a processor, and it computed."""

    def worst(self, other: Standstill) -> Standstill:
        """The longest by either measure."""
        return Standstill(max(self.wall_s, other.wall_s), max(self.held_s, other.held_s))


def told_apart(late_s: float, waited_s: float, computed_s: float) -> Standstill:
    """A loop that is late, whose thread waited for a processor while its process computed so much."""
    return Standstill(late_s, max(0.0, min(late_s - waited_s, computed_s)))


@dataclass(slots=True)
class Probe:
    """Wakes up every millisecond on the loop of the app it wraps, and notes how late it was."""

    app: ASGIApp
    worst: Standstill = Standstill()

    def take(self) -> Standstill:
        """The longest since the last time."""
        worst, self.worst = self.worst, Standstill()
        return worst

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self.app(scope, receive, send)
            return
        ticking = asyncio.create_task(self._tick())
        try:
            await self.app(scope, receive, send)
        finally:
            ticking.cancel()

    async def _tick(self) -> None:
        with ExitStack() as stack:
            schedstat = None
            with suppress(OSError):  # no Linux, or one that keeps no such accounts
                schedstat = os.open(_SCHEDSTAT, os.O_RDONLY)
                stack.callback(os.close, schedstat)
            while True:
                began, computed, waited = time.perf_counter(), time.process_time(), _waited_s(schedstat)
                await asyncio.sleep(TICK_S)
                late_s = time.perf_counter() - began - TICK_S
                now = told_apart(late_s, _waited_s(schedstat) - waited, time.process_time() - computed)
                self.worst = self.worst.worst(now)


def _waited_s(schedstat: int | None) -> float:
    """How long this thread has waited for a processor."""
    return 0.0 if schedstat is None else int(os.pread(schedstat, _READ_BYTES, 0).split()[1]) / 1e9
