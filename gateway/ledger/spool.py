"""Rows that the store does not take, on disk: files of JSON lines in a folder beside the ledger.

- What `add` took is on the disk (fsync) when it returns; a row that was cut by a crash is never read.
- The files together never exceed `max_bytes`; what does not fit, or cannot be written, is not taken.
- A file belongs to the process that adds to it, which holds a lock on it as long as it lives. Any other may
  be claimed by whoever comes first. That a file is stored twice after a crash does no harm: rows have ids.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final

import orjson

from gateway.ledger.notes import KIND, Row, as_note_row
from gateway.ledger.schema import entries

FILE_BYTES: Final = 4 << 20
"""A file that has grown to this is left for a new one."""

_NEEDED: Final = frozenset(column.name for column in entries.columns if not column.nullable)
_PRIVATE: Final = 0o600


@dataclass(frozen=True, slots=True)
class Segment:
    """One claimed file."""

    path: Path
    file: BinaryIO

    def batches(self, n_rows: int) -> Iterator[list[Row]]:
        """Its rows, so many at a time; lines that are none are left out."""
        self.file.seek(0)
        rows = filter(None, map(_row, self.file))
        while batch := list(islice(rows, n_rows)):
            yield batch

    def remove(self) -> None:
        """Everything is stored."""
        with suppress(OSError):
            self.path.unlink()
        self.release()

    def release(self) -> None:
        """Leave it for later."""
        self.file.close()


class Spool:
    """One process's view of the folder, from one thread. Nothing raises."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._own: Segment | None = None

    def add(self, rows: list[Row]) -> bool:
        """Put rows on the disk, all or none."""
        data = b"".join(_line(row) for row in rows)
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            if self.size() + len(data) > self._max_bytes:
                return False
            file = self._file_for(len(data))
            before = file.seek(0, os.SEEK_END)
            if file.write(data) == len(data):
                os.fsync(file.fileno())
                return True
            file.truncate(before)  # a full disk takes a part
        except OSError:
            self.close()  # what a failed write left is cut off where its last line ends
        return False

    def size(self) -> int:
        """Bytes on the disk."""
        return sum(path.stat().st_size for path in self._paths())

    def claim(self) -> Segment | None:
        """The oldest file that nobody living adds to; this process is done with its own."""
        self.close()
        for path in self._paths():
            with suppress(OSError):
                file = path.open("r+b")
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:  # its process lives, or another one claimed it
                    file.close()
                    continue
                return Segment(path, file)
        return None

    def close(self) -> None:
        """Leave what is there for whoever claims it."""
        own, self._own = self._own, None
        if own is not None:
            with suppress(OSError):
                own.release()

    def _file_for(self, n_bytes: int) -> BinaryIO:
        if self._own is not None and (
            self._own.file.tell() + n_bytes > FILE_BYTES or not _is_there(self._own)
        ):
            self.close()
        if self._own is None:
            path = self._folder / f"{time.time_ns():020d}-{os.getpid()}.jsonl"
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _PRIVATE)
            file = os.fdopen(handle, "r+b", buffering=0)
            self._own = Segment(path, file)
            fcntl.flock(file, fcntl.LOCK_EX)
            _sync_folder(self._folder)
        return self._own.file

    def _paths(self) -> list[Path]:
        return sorted(self._folder.glob("*.jsonl"))


def _line(row: Row) -> bytes:
    # SQLAlchemy's column names are a kind of str that orjson does not take for one
    return orjson.dumps({str(name): value for name, value in row.items()}, option=orjson.OPT_APPEND_NEWLINE)


def _row(line: bytes) -> Row | None:
    """A row with our columns, whichever version wrote it; None for a line that a crash cut."""
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if isinstance(found, dict) and KIND in found:
        return as_note_row(found)
    if not isinstance(found, dict) or any(found.get(name) is None for name in _NEEDED):
        return None
    return {name: found.get(name) for name in entries.columns.keys()}  # noqa: SIM118 - a collection, not a dict


def _is_there(segment: Segment) -> bool:
    """Whether the file still has its name: a folder may be moved away."""
    with suppress(OSError):
        return os.path.samestat(os.fstat(segment.file.fileno()), segment.path.stat())
    return False


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
