"""What the workers of one port know of each other: their counts, and the mode that the admin listener set.

They meet in a folder of their own (0700, made by whoever started them, gone with it). Each replaces its file
of counts twice a second and reads the others' when it is asked for metrics. A worker that takes the place of
a dead one goes on counting where that one's file ends, so no counter falls; gauges count only while their
process lives.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Final, Protocol, get_args

import orjson

from gateway.metrics import Snapshot
from policies.schema import Mode

EXCHANGE_S: Final = 0.5
"""How often a worker tells its counts and looks for the mode."""

_MODE: Final = "mode"


class Fleet(Protocol):
    """All workers, seen from one of them."""

    def exchange(self, counts: Snapshot) -> Mode:
        """Tell the counts of this process; returns the mode that was set. Raises OSError."""

    def total(self) -> Snapshot:
        """The counts of all as last told. Raises OSError."""

    def restrict(self, mode: Mode) -> None:
        """Set the mode for all. Raises OSError."""


class Alone:
    """A `Fleet` of one."""

    def __init__(self) -> None:
        self._counts = Snapshot()
        self._mode: Mode = "on"

    def exchange(self, counts: Snapshot) -> Mode:
        self._counts = counts
        return self._mode

    def total(self) -> Snapshot:
        return self._counts

    def restrict(self, mode: Mode) -> None:
        self._mode = mode


class SharedFolder:
    """A `Fleet` of processes of one machine and user."""

    def __init__(self, folder: Path, number: int) -> None:
        """`number` is this worker's; a file left under it is of the one it replaces."""
        self._folder = folder
        self._own = folder / f"{number}.json"
        self._inherited = _read(self._own).without_gauges()
        self._lock = threading.Lock()

    def exchange(self, counts: Snapshot) -> Mode:
        """From any thread."""
        samples = self._inherited.plus(counts).to_json()
        with self._lock:
            _replace(self._own, orjson.dumps({"pid": os.getpid(), "samples": samples}))
        return self._mode()

    def total(self) -> Snapshot:
        """Each file is whole: it was renamed into place."""
        total = Snapshot()
        for file in sorted(self._folder.glob("*.json")):
            total = total.plus(_read(file))
        return total

    def restrict(self, mode: Mode) -> None:
        """The others obey within EXCHANGE_S."""
        _replace(self._folder / _MODE, mode.encode())

    def _mode(self) -> Mode:
        try:
            written = (self._folder / _MODE).read_text()
        except FileNotFoundError:
            return "on"
        return next((mode for mode in get_args(Mode) if mode == written), "on")


def _read(file: Path) -> Snapshot:
    try:
        told = orjson.loads(file.read_bytes())
    except FileNotFoundError:
        return Snapshot()
    counts = Snapshot.from_json(told["samples"])
    return counts if _is_alive(told["pid"]) else counts.without_gauges()


def _replace(file: Path, content: bytes) -> None:
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    draft.write_bytes(content)
    draft.replace(file)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True
