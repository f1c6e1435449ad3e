"""Opening the ledger's SQLite file: private, in WAL mode, of our schema or not at all.

The file and its -wal and -shm are readable by their owner only (0600). A file that is no database, or belongs
to another program or a newer Pith, is refused and left as it is; one of an older Pith is brought up.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from sqlalchemy import Connection, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from gateway.errors import ConfigError
from gateway.ledger import versions

BUSY_S: Final = 1.0
"""How long one attempt waits for another process that is writing."""

STORE_ERRORS: Final = (SQLAlchemyError, sqlite3.Error, OSError, ConfigError)
"""Everything opening, reading or writing the store may raise."""

ROW_ERRORS: Final = (DataError, UnicodeError)
"""What storing may raise because of a row and not of the store: text in letters it does not know."""

_PRIVATE: Final = 0o600
_WAL: Final = "PRAGMA journal_mode=WAL"
_WAL_ATTEMPTS: Final = 20


def sqlite_path(url: str) -> Path:
    """The file a `sqlite:///` URL names, made absolute."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigError(f"ledger: {url!r} is no database URL; write sqlite:///path/to/pith.db") from error
    if parsed.get_backend_name() != "sqlite":
        shown = parsed.render_as_string(hide_password=True)
        raise ConfigError(f"ledger: {shown} is no file; write sqlite:///path/to/pith.db")
    name = parsed.database
    if not name or name == ":memory:" or name.startswith("file:"):
        raise ConfigError(f"ledger: {url!r} names no file; write sqlite:///path/to/pith.db")
    return Path(name).absolute()


def open_writer(path: Path) -> Connection:
    """A connection that can write, schema made or checked. Raises one of STORE_ERRORS."""
    # Made here, since SQLite would make it with the umask's mode. Never opened when it exists: closing a
    # second descriptor would release the locks this process's own connections hold on the file.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _PRIVATE))
    connection = _connect(path, "rw")
    try:
        _prepare(connection, path)
        _make_private(path)
        _enter_wal(connection)
        connection.exec_driver_sql("PRAGMA synchronous=NORMAL")
        connection.commit()
    except BaseException:  # whatever it was goes on; the connection does not stay open
        connection.close()
        raise
    return connection


def open_reader(path: Path) -> Connection:
    """A read-only connection to an existing ledger. Raises one of STORE_ERRORS."""
    if not path.is_file():
        raise ConfigError(f"ledger {path}: no such file; name the ledger the gateway writes")
    connection = _connect(path, "ro")
    try:
        versions.check(connection, f"ledger {path}")
    except BaseException:  # whatever it was goes on; the connection does not stay open
        connection.close()
        raise
    return connection


def explain(path: Path, error: BaseException) -> str:
    """What is wrong with the file and what to do: never SQL, never a row's values."""
    if isinstance(error, ConfigError):
        return str(error)
    if isinstance(error, FileNotFoundError):
        return f"ledger {path}: the folder {path.parent} does not exist; create it or set another ledger"
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    text = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause)
    return f"ledger {path}: {text}; {_remedy(text)}"


@dataclass(frozen=True, slots=True)
class SqliteFile:
    """A `Database` in a file."""

    path: Path

    @property
    def spool(self) -> Path:
        """Beside the file."""
        return self.path.with_name(f"{self.path.name}.spool")

    def identity(self) -> tuple[int, int] | None:
        """Which file the path names now."""
        try:
            found = os.stat(self.path)
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def open_writer(self) -> Connection:
        return open_writer(self.path)

    def open_reader(self) -> Connection:
        return open_reader(self.path)

    def explain(self, error: BaseException) -> str:
        return explain(self.path, error)


def _remedy(text: str) -> str:
    for mark, remedy in (
        ("locked", "another process is writing: let it finish or set another ledger"),
        ("full", "free some space"),
        ("not a database", "move the file away or set another ledger"),
        ("malformed", "move the file away; a new one is begun"),
    ):
        if mark in text:
            return remedy
    return "check the file and its folder: owner, permissions, space"


def _make_private(path: Path) -> None:
    """Owner only; a -wal and -shm made later take the file's mode, those left from a crash get it here."""
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        with suppress(FileNotFoundError):
            path.with_name(name).chmod(_PRIVATE)


def _connect(path: Path, mode: str) -> Connection:
    def connect() -> sqlite3.Connection:
        return sqlite3.connect(f"file:{quote(str(path))}?mode={mode}", uri=True, timeout=BUSY_S)

    # hide_parameters: an error's text must never carry a row's values
    return create_engine("sqlite://", creator=connect, poolclass=NullPool, hide_parameters=True).connect()


def _prepare(connection: Connection, path: Path) -> None:
    """Make or bring up the schema, else check it; the lock also proves that the file can be written."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    try:
        versions.prepare(connection, f"ledger {path}", is_ours_alone=True)
        connection.commit()
    except BaseException:  # whatever it was goes on; the file stays as it was
        connection.rollback()
        raise


def _enter_wal(connection: Connection) -> None:
    """Switch to WAL. SQLite does not wait for the lock this needs (3 of 360 openings of a new file by six
    processes at once failed), but it waits for a write lock: take one, then try again.
    """
    for _ in range(_WAL_ATTEMPTS):
        with suppress(OperationalError):
            connection.exec_driver_sql(_WAL)
            return
        connection.rollback()
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        connection.rollback()
    connection.exec_driver_sql(_WAL)
