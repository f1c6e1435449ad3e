"""How a process is set up to serve: nothing keeps the event loop waiting for long, files may be open, and
what loading took for a moment is given back.
"""

from __future__ import annotations

import ctypes
import gc
import resource
import sys
from collections.abc import Mapping
from contextlib import suppress

SWITCH_S = 0.001
"""How long a thread that wants the interpreter waits before the one that has it is told to let go. CPython's
5 ms are as much again for every other thread at work; 1 ms cost no time in four conversations at once."""


NO_FULL_COLLECTION = 1_000_000
"""Younger collections before Python makes a full one by itself: `gateway.collector` chooses the moment."""


_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # glibc's names for mallopt
LOADING_MMAP_BYTES = 1 << 20
SERVING_MMAP_BYTES = 8 << 20


def prepare_to_load() -> None:
    """Before anything is loaded: what is large and short-lived gets pages of its own, which go back at once.

    Otherwise glibc takes to its heap what is as large as something that was freed before, and what is loaded
    next lies among the holes: 6 MiB that stay. A table of 43 MiB is loaded while 40 MiB come and go.
    """
    _tune({_MMAP_THRESHOLD: LOADING_MMAP_BYTES})


def settle() -> None:
    """Once everything is loaded and open: out of garbage collection with it, since it stays.

    A full collection walks over all of it: 71,000 objects, 24 ms in which nothing else runs; with torch more.
    """
    sys.setswitchinterval(SWITCH_S)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*gc.get_threshold()[:2], NO_FULL_COLLECTION)
    _give_back()
    # fresh pages for every array would cost a request more than the arithmetic: as glibc does by itself
    _tune({_MMAP_THRESHOLD: SERVING_MMAP_BYTES, _TRIM_THRESHOLD: 2 * SERVING_MMAP_BYTES})
    allow_files()


def _tune(options: Mapping[int, int]) -> None:
    with suppress(AttributeError, OSError):  # another C library than glibc
        library = ctypes.CDLL(None)
        for option, value in options.items():
            library.mallopt(option, value)


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
