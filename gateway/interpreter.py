"""How a process is set up to serve: nothing keeps the event loop waiting for long, and files may be open."""

from __future__ import annotations

import ctypes
import gc
import resource
import sys
from contextlib import suppress

SWITCH_S = 0.001
"""How long a thread that wants the interpreter waits before the one that has it is told to let go. CPython's
5 ms are as much again for every other thread at work; 1 ms cost no time in four conversations at once."""


NO_FULL_COLLECTION = 1_000_000
"""Younger collections before Python makes a full one by itself: `gateway.collector` chooses the moment."""


def settle() -> None:
    """Once everything is loaded and open: out of garbage collection with it, since it stays.

    A full collection walks over all of it: 71,000 objects, 24 ms in which nothing else runs; with torch more.
    """
    sys.setswitchinterval(SWITCH_S)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*gc.get_threshold()[:2], NO_FULL_COLLECTION)
    _give_back()
    allow_files()


def _give_back() -> None:
    """What loading took for a moment goes back to the system: 3 MiB."""
    with suppress(AttributeError, OSError):  # another C library than glibc
        ctypes.CDLL(None).malloc_trim(0)


def allow_files() -> None:
    """As many open files as the system lets this process have: a request in flight takes two.

    The limit a process starts with is 1,024 on many systems, for the sake of programs that use `select`.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):  # macOS lets nobody have as many as it says
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
