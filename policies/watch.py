"""The policies in force, from a file that may change under us.

The last good set stays in force: a file that became unreadable or wrong changes nothing but `problem`, which
belongs in readyz and the log. Replace the file in one step (rename over it, or swap a symlink to it, as a
mounted Kubernetes ConfigMap does): half a file may be valid, and then nothing tells it from a whole one.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol, TypeAlias

from policies.errors import PolicyError, unreadable
from policies.load import load_policies
from policies.match import PolicySet
from policies.parse import decode


class PolicySource(Protocol):
    """Where the policies in force come from."""

    @property
    def current(self) -> PolicySet:
        """The policies in force."""

    @property
    def problem(self) -> str | None:
        """Why the newest version is not in force, or None."""

    def reload(self) -> bool:
        """Look for a new version; whether `current` changed."""


@dataclass(frozen=True, slots=True)
class FixedPolicies:
    """Policies that do not change while the process runs: written in the configuration, or packaged."""

    current: PolicySet
    problem: str | None = None

    def reload(self) -> bool:
        return False


class _Stamp(NamedTuple):
    """What changes when a file is written or replaced; a symlink is followed."""

    mtime_ns: int
    size: int
    inode: int
    device: int


Check: TypeAlias = Callable[[PolicySet], None]
"""Raises `PolicyError` for a set that names what there is not."""


class PolicyFile:
    """A policy file, and the last good set read from it."""

    def __init__(self, path: Path, check: Check = lambda policies: None) -> None:
        """Raises `PolicyError` when the file is missing or wrong: at the start there is no good set yet."""
        self.path = path
        self._check = check
        self.problem: str | None = None
        self._stamp: _Stamp | None = None
        try:
            self.current = self._load()
        except OSError as error:
            raise unreadable(path, error) from error

    def reload(self) -> bool:
        """Read the file if it changed; whether `current` changed. Never raises for a bad file."""
        try:
            if _stamp_of(os.stat(self.path)) == self._stamp:
                return False
            loaded = self._load()
        except OSError as error:
            self._stamp, self.problem = None, str(unreadable(self.path, error))
            return False
        except PolicyError as error:
            self.problem = str(error)
            return False
        has_changed, self.current, self.problem = loaded != self.current, loaded, None
        return has_changed

    def _load(self) -> PolicySet:
        source = str(self.path)
        raw, self._stamp = _read(self.path)
        loaded = load_policies(decode(raw, source), source)
        self._check(loaded)
        return loaded


async def watch(
    source: PolicySource,
    interval_s: float,
    on_change: Callable[[], None],
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> None:
    """Reload for ever; `on_change` is called after `current` or `problem` changed. Ends when cancelled."""
    while True:
        await sleep(interval_s)
        before = source.problem
        has_changed = await asyncio.to_thread(source.reload)  # parsing must not hold up the event loop
        if has_changed or source.problem != before:
            on_change()


def _read(path: Path) -> tuple[bytes, _Stamp]:
    """The bytes and their stamp, taken first: what is written in between is then noticed next time."""
    with path.open("rb") as file:
        stamp = _stamp_of(os.fstat(file.fileno()))
        return file.read(), stamp


def _stamp_of(status: os.stat_result) -> _Stamp:
    return _Stamp(status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev)
