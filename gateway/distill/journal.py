"""A file of JSON lines that only grows, so that work that was paid for is never done twice.

Each line is handed to the system at once: what ends the process loses no finished line. A line torn by a
crash of the machine or a full disk is taken off when the file is opened again. One run at a time writes it.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson

from compressor.errors import DataError
from compressor.train.records import encoded, read


class Journal:
    """Records by their `id`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.was_torn = False
        self._texts: dict[str, bytes] = {}

    def __enter__(self) -> Journal:
        try:
            self._file = open(self.path, "a+b", buffering=0)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise DataError(f"{self.path} is being written by another run: wait for it, or end it") from error
        except OSError as error:
            raise DataError(f"cannot write {self.path}: {error.strerror}; name another file") from error
        try:
            self._mend()
            for record in read(self.path):
                self._texts[record.text("id")] = _digest(record.text("text"))
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._texts)

    def has(self, name: str, text: str) -> bool:
        """Is it in the file? DataError where something else has its name."""
        if name not in self._texts:
            return False
        if self._texts[name] != _digest(text):
            raise DataError(f"{self.path}: {name!r} has another text than the input has: name another file")
        return True

    def add(self, fields: Mapping[str, Any]) -> None:
        line = encoded(fields)
        try:
            while line:
                line = line[self._file.write(line) :]
        except OSError as error:
            raise DataError(f"cannot write {self.path}: {error.strerror}; make room and run again") from error
        self._texts[fields["id"]] = _digest(fields["text"])

    def _mend(self) -> None:
        """Take off a last line that was not finished; finish one that only lacks its end."""
        size = os.fstat(self._file.fileno()).st_size
        if not size:
            return
        with mmap.mmap(self._file.fileno(), size, access=mmap.ACCESS_READ) as content:
            whole = content.rfind(b"\n") + 1
            last = content[whole:]
        if not last:
            return
        self.was_torn = True
        try:
            orjson.loads(last)
        except orjson.JSONDecodeError:
            self._file.truncate(whole)
        else:
            self._file.write(b"\n")


def _digest(text: str) -> bytes:
    return sha256(text.encode()).digest()
