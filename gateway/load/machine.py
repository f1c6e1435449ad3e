"""What a bench has of the machine: a core of its own where there are several, and what others take of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def load_average() -> float:
    """Runnable tasks of the machine over the last minute."""
    return os.getloadavg()[0]


def cores() -> tuple[int | None, int | None]:
    """One core for the gateway, and one for upstream and load; None where there is only one to be had."""
    if not hasattr(os, "sched_getaffinity") or len(allowed := sorted(os.sched_getaffinity(0))) < 2:
        return None, None
    return allowed[0], allowed[1]


def pin(pid: int, *allowed: int) -> None:
    """Confine a process, with all its threads, to these cores."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):  # a thread may have ended
            os.sched_setaffinity(int(task.name), allowed)


@contextmanager
def confined(core: int | None) -> Iterator[None]:
    """This process on one core; None leaves it where it is."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    pin(os.getpid(), core)
    try:
        yield
    finally:
        pin(os.getpid(), *before)
