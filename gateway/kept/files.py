"""Kept requests on disk: sealed one by one, in files of an hour each, the oldest deleted in time.

    length (4 bytes) | length of the id (1) | id | sealed record

Files are 0600 in a folder 0700, one writer each; their names tell the hour and nothing else. What is sealed
is bound to its id under a key derived from `PITH_SECRET`, as values of the shared cache are. Who reads the
disk learns how many requests there were, their ids, sizes and times.
"""

from __future__ import annotations

import heapq
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

from gateway.cache.sealed import Seal
from gateway.cache.store import Held
from gateway.hashing import Secret
from gateway.kept.record import Kept, pack, unpack

FILE_BYTES: Final = 16 << 20
"""A file that has grown to this is left for a new one."""
HOUR_S: Final = 3600.0

_PRIVATE: Final = 0o600
_LENGTHS: Final = 5
_HOUR: Final = "%Y%m%dT%H"
_NAME: Final = re.compile(r"(\d{8}T\d{2})-[0-9a-f]+\.kept")
_MOST: Final = 256 << 20
"""Of one record: a length above it is none."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long, and how much."""

    retention_s: float
    max_bytes: int


class KeptFiles:
    """One process's view of the folder, from one thread. Raises OSError."""

    def __init__(self, folder: Path, secret: Secret, limits: Limits) -> None:
        self._folder = folder
        self._seal = Seal(secret)
        self._limits = limits
        self._own: tuple[str, Path, BinaryIO] | None = None

    def add(self, kept: Kept, now: float) -> bool:
        """Write a record; False where there is no room even without the others."""
        frame = self._frame(kept)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        if not self._has_room(len(frame)):
            return False
        file = self._file_for(now, len(frame))
        file.write(frame)
        return True

    def tidy(self, now: float) -> None:
        """Delete whole files of which every record is too old."""
        for path in paths(self._folder):
            if _ends_at(path) < now - self._limits.retention_s:
                self._delete(path)

    def close(self) -> None:
        """Leave the file."""
        own, self._own = self._own, None
        if own is not None:
            with suppress(OSError):
                own[2].close()

    def _frame(self, kept: Kept) -> bytes:
        name = kept.id.encode()
        held = Held(pack(kept), self._limits.retention_s, kept.at)
        sealed = self._seal.seal(_key(name), held)
        return len(sealed).to_bytes(4, "big") + bytes([len(name)]) + name + sealed

    def _has_room(self, n_bytes: int) -> bool:
        """Whether it fits, the oldest files deleted where need be."""
        if n_bytes > self._limits.max_bytes:
            return False
        sizes = {path: _size(path) for path in paths(self._folder)}
        over = sum(sizes.values()) + n_bytes - self._limits.max_bytes
        for path, size in sizes.items():
            if over <= 0:
                break
            self._delete(path)
            over -= size
        return True

    def _delete(self, path: Path) -> None:
        if self._own is not None and self._own[1] == path:
            self.close()
        path.unlink(missing_ok=True)

    def _file_for(self, now: float, n_bytes: int) -> BinaryIO:
        hour = datetime.fromtimestamp(now, UTC).strftime(_HOUR)
        if self._own is not None:
            begun, path, file = self._own
            if begun == hour and file.tell() + n_bytes <= FILE_BYTES and path.exists():
                return file
            self.close()
        path = self._folder / f"{hour}-{secrets.token_hex(6)}.kept"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, _PRIVATE)
        file = os.fdopen(handle, "ab", buffering=0)
        self._own = (hour, path, file)
        return file


@dataclass(slots=True)
class Unread:
    """What a reader could not make anything of."""

    n_records: int = 0


def read(folder: Path, secret: Secret, since: float, unread: Unread) -> Iterator[Kept]:
    """Every record of since then, oldest first as far as each file is in order."""
    seal = Seal(secret)
    files = (_read_file(path, seal, unread) for path in paths(folder) if _ends_at(path) > since)
    for kept in heapq.merge(*files, key=lambda kept: kept.at):
        if kept.at >= since:
            yield kept


def paths(folder: Path) -> list[Path]:
    """The files, oldest first."""
    return sorted(path for path in folder.glob("*.kept") if _NAME.fullmatch(path.name))


def _read_file(path: Path, seal: Seal, unread: Unread) -> Iterator[Kept]:
    """Its records; a last one that was cut is none."""
    with suppress(FileNotFoundError), path.open("rb") as file:
        while len(lengths := file.read(_LENGTHS)) == _LENGTHS:
            size = int.from_bytes(lengths[:4], "big")
            name, sealed = file.read(lengths[4]), file.read(min(size, _MOST))
            if len(sealed) < size:
                return
            held = seal.open(_key(name), sealed)
            kept = None if held is None else unpack(held.value)
            if kept is None:
                unread.n_records += 1
            else:
                yield kept


def _ends_at(path: Path) -> float:
    """The end of the hour in which its records were written."""
    found = _NAME.fullmatch(path.name)
    assert found is not None
    return datetime.strptime(found[1], _HOUR).replace(tzinfo=UTC).timestamp() + HOUR_S


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # another process was first
        return 0


def _key(name: bytes) -> bytes:
    return b"kept text\0" + name
