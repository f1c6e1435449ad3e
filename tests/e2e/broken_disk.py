"""What may become of a file that another process writes: each fault lasts as long as its context."""

from __future__ import annotations

import resource
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path

HELD_S = 0.2
"""How long a lock is held that comes and goes; a write is given a second."""
WRITE_VERSION = 18
"""Where the head of an SQLite file says what may write it; beyond 2, nothing (sqlite.org/fileformat.html)."""

Fault = Callable[[Path], AbstractContextManager[None]]


@contextmanager
def folder_gone(file: Path) -> Iterator[None]:
    away = file.parent.with_name("away")
    file.parent.rename(away)
    try:
        yield
    finally:
        away.rename(file.parent)


@contextmanager
def locked(file: Path) -> Iterator[None]:
    with closing(sqlite3.connect(file, isolation_level=None, timeout=20)) as other:
        other.execute("begin immediate")
        yield
        other.execute("rollback")


@contextmanager
def locked_now_and_then(file: Path) -> Iterator[None]:
    is_over = threading.Event()

    def lock() -> None:
        while not is_over.is_set():
            with locked(file):
                is_over.wait(HELD_S)
            is_over.wait(HELD_S)

    thread = threading.Thread(target=lock, name="other writer")
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


@contextmanager
def moved_away(file: Path) -> Iterator[None]:
    """For good."""
    _swap(file.parent, file.parent.with_name("instead"), file.parent.with_name("away"))
    yield


@contextmanager
def only_readable(file: Path) -> Iterator[None]:
    """In its place a copy that says of itself that it may not be written."""
    instead = file.parent.with_name("instead")
    instead.mkdir()
    copy = instead / file.name
    with closing(sqlite3.connect(file)) as here, closing(sqlite3.connect(copy)) as there:
        here.backup(there)
    raw = bytearray(copy.read_bytes())
    raw[WRITE_VERSION] = 3
    copy.write_bytes(raw)
    with replaced(file):
        yield


@contextmanager
def garbage(file: Path) -> Iterator[None]:
    instead = file.parent.with_name("instead")
    instead.mkdir()
    (instead / file.name).write_bytes(b"\x00\xff no database " * 1000)
    with replaced(file):
        yield


@contextmanager
def no_space(pid: int) -> Iterator[None]:
    """No file of the process may grow."""
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        with suppress(ProcessLookupError):  # it went with its process
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))


@contextmanager
def replaced(file: Path) -> Iterator[None]:
    """What is in the folder `instead` takes the place of the file and of what belongs to it."""
    here, instead, away = file.parent, file.parent.with_name("instead"), file.parent.with_name("away")
    _swap(here, instead, away)
    try:
        yield
    finally:
        _swap(here, away, instead)


def _swap(here: Path, instead: Path, away: Path) -> None:
    """Folders, since a database is several files, and must never be seen with those of another."""
    instead.mkdir(exist_ok=True)
    here.rename(away)
    instead.rename(here)
