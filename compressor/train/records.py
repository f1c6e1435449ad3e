"""JSON lines in, JSON lines out: how the stages of training read and write.

A file is UTF-8, one object a line, plain or packed by gzip; `-` is standard input or output. What cannot be
used is a DataError that names file, line, value and remedy; blank lines are passed over. A file is written
whole or not at all: it takes its name when its last line stands.
"""

from __future__ import annotations

import gzip
import os
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import orjson

from compressor.errors import DataError

SHOWN = 60
"""Characters of a wrong value that a message shows."""


@dataclass(frozen=True, slots=True)
class Record:
    """One object and where it stands."""

    place: str
    fields: Mapping[str, Any]

    def text(self, name: str) -> str:
        """A field that must be a string with something in it."""
        value = self.fields.get(name)
        if not isinstance(value, str) or not value.strip():
            raise self.wrong(name, "must be a string that is not blank")
        return value

    def wrong(self, name: str, rule: str) -> DataError:
        """The error that a field breaks a rule."""
        if name not in self.fields:
            return DataError(f"{self.place}: `{name}` is missing; it {rule}")
        return DataError(f"{self.place}: `{name}` is {shown(self.fields[name])}; it {rule}")


def shown(value: object) -> str:
    """A value as a message shows it: as JSON, and not too long."""
    try:
        written = orjson.dumps(value).decode()
    except orjson.JSONEncodeError:  # a lone surrogate
        written = ascii(value)
    return written if len(written) <= SHOWN else f"{written[:SHOWN]}…"


def read(path: str | Path) -> Iterator[Record]:
    """The objects of a file, in order."""
    name = "standard input" if str(path) == "-" else str(path)
    try:
        with _opened(path) as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield Record(place := f"{name}:{number}", decoded(line, place))
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"cannot read {name}: {reason}; name a file of JSON lines") from error


def decoded(line: bytes, place: str) -> dict[str, Any]:
    """The object of one line."""
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        found = shown(line.strip().decode("utf-8", "replace"))
        raise DataError(f"{place}: {found} is no JSON ({error}); write one object a line") from error
    if not isinstance(value, dict):
        raise DataError(f"{place}: {shown(value)} is no object; write one object a line")
    return value


def encoded(fields: Mapping[str, Any]) -> bytes:
    """One line, with its end."""
    return orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)


def write(path: str | Path, records: Iterable[Mapping[str, Any]]) -> int:
    """Write a whole file, packed if its name ends in `.gz`. How many lines it has."""
    n = 0
    with _replacing(path) as out:
        for fields in records:
            out.write(encoded(fields))
            n += 1
    return n


@contextmanager
def _opened(path: str | Path) -> Iterator[Iterable[bytes]]:
    if str(path) == "-":
        yield sys.stdin.buffer
        return
    with open(path, "rb") as file:
        is_packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        yield gzip.GzipFile(fileobj=file) if is_packed else file


@contextmanager
def _replacing(path: str | Path) -> Iterator[IO[bytes]]:
    if str(path) == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = Path(path)
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with open(draft, "wb") as file:
            if target.suffix == ".gz":
                with gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as packed:
                    yield packed  # type: ignore[misc]  # typeshed: GzipFile is no IO, though it writes like one
            else:
                yield file
        draft.replace(target)
    except OSError as error:
        raise DataError(f"cannot write {target}: {error.strerror}; name another file") from error
    finally:
        with suppress(OSError):
            draft.unlink()
