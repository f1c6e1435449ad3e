"""The store of virtual keys: one table, in an SQLite file or in PostgreSQL, with the same columns.

It holds what a key may do and its hash, never a key. It is made when absent; one of another version is
refused and left as it is. Calls block: the gateway makes them off its event loop. Nothing that is raised here
names the database's address, its user or its password.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import quote

from pydantic import ValidationError
from sqlalchemy import (
    Column,
    Connection,
    Double,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from gateway.access.keys import VirtualKey
from gateway.errors import ConfigError, KeyStoreError
from gateway.ledger.database import STORE_ERRORS, open_writer, sqlite_path
from gateway.ledger.postgres import is_postgres

SCHEMA_VERSION: Final = 1
CONNECT_S: Final = 3
"""How long a connection to PostgreSQL may take, and each statement on it."""
BUSY_S: Final = 2.0
"""How long SQLite waits for another process that is writing."""

_LOCK: Final = 0x70697468
"""PostgreSQL's advisory lock under which the tables are made: "pith" in ASCII."""

metadata = MetaData()

versions = Table("key_schema", metadata, Column("version", Integer, primary_key=True))

keys = Table(
    "virtual_keys",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("grants", Text, nullable=False),  # a VirtualKey as JSON, its hash among the rest
    Column("created_at", Double, nullable=False),
    Column("revoked_at", Double),
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A row."""

    key: VirtualKey
    created_at: float
    revoked_at: float | None


class KeyStore:
    """The table. Every method blocks and raises KeyStoreError; a wrong schema is a ConfigError."""

    def __init__(self, url: str, ledger: str | None = None) -> None:
        """`ledger` is the ledger's URL: in its file the ledger's own tables come first."""
        self._is_ledgers = url == ledger
        self._path = None if is_postgres(url) else sqlite_path(url)
        self._engine = _postgres(url) if self._path is None else _sqlite(self._path)
        self._is_ready = False

    def load(self) -> list[VirtualKey]:
        """Every key that is not revoked."""
        return self._do(lambda connection: [row.key for row in _read(connection) if row.revoked_at is None])

    def rows(self) -> list[StoredKey]:
        """Every key there ever was, oldest first."""
        return self._do(lambda connection: list(_read(connection)))

    def add(self, key: VirtualKey) -> None:
        """Store a new key. Raises KeyStoreError when there is, or was, one of this id."""
        row = {"id": key.id, "grants": key.model_dump_json(exclude_none=True), "created_at": time.time()}
        try:
            self._do(lambda connection: connection.execute(keys.insert().values(row)))
        except KeyStoreError as error:
            if isinstance(error.__cause__, IntegrityError):
                raise KeyStoreError(f"there is a key {key.id!r} already: choose another --id") from error
            raise

    def revoke(self, key_id: str) -> bool:
        """End a key; False when there is none of this id in force."""
        statement = (
            update(keys)
            .where(keys.c.id == key_id, keys.c.revoked_at.is_(None))
            .values(revoked_at=time.time())
        )
        return self._do(lambda connection: connection.execute(statement).rowcount) > 0

    def close(self) -> None:
        """Close what is kept open."""
        self._engine.dispose()

    def _do(self, work: Callable[[Connection], T]) -> T:
        """Work in one transaction, the tables made before it the first time."""
        try:
            if self._path is not None and not self._path.exists():
                self._is_ready = False  # moved away: it is made anew, as the ledger is
            if not self._is_ready:
                self._prepare()
            with self._engine.begin() as connection:
                return work(connection)
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            raise KeyStoreError(_explain(error)) from error

    def _prepare(self) -> None:
        if self._path is not None:
            _make_file(self._path, is_ledgers=self._is_ledgers)
        with self._engine.begin() as connection:
            if self._path is None:
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            else:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            _check_or_make(connection)
        self._is_ready = True


def _postgres(url: str) -> Engine:
    return create_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        pool_size=1,
        max_overflow=1,
        pool_pre_ping=True,
        pool_timeout=CONNECT_S,
        hide_parameters=True,  # an error's text must never carry a row's values
        connect_args={
            "connect_timeout": CONNECT_S,
            "options": f"-c statement_timeout={CONNECT_S}s",
            "tcp_user_timeout": CONNECT_S * 1000,
            "application_name": "pith",
        },
    )


def _sqlite(path: Path) -> Engine:
    def connect() -> sqlite3.Connection:
        return sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True, timeout=BUSY_S)

    return create_engine("sqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)


def _make_file(path: Path, *, is_ledgers: bool) -> None:
    """A file only its owner can read. The ledger refuses one that it finds without its own tables."""
    if is_ledgers:
        try:
            open_writer(path).close()
        except STORE_ERRORS as error:
            if isinstance(error, ConfigError):
                raise
            raise KeyStoreError(_explain(error)) from error
        return
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _check_or_make(connection: Connection) -> None:
    tables = set(inspect(connection).get_table_names())
    if versions.name not in tables:
        metadata.create_all(connection)
        connection.execute(versions.insert().values(version=SCHEMA_VERSION))
        return
    found = connection.scalar(select(versions.c.version))
    if found != SCHEMA_VERSION:
        raise ConfigError(
            f"key store: its schema is version {found}, this Pith knows version {SCHEMA_VERSION}; nothing "
            "was changed: set another key_store, or run the Pith that wrote it"
        )


def _read(connection: Connection) -> Iterator[StoredKey]:
    """Rows that this version cannot read are no keys: what is not understood is not allowed."""
    for row in connection.execute(select(keys).order_by(keys.c.created_at, keys.c.id)):
        with suppress(ValidationError):
            yield StoredKey(VirtualKey.model_validate_json(row.grants), row.created_at, row.revoked_at)


def _explain(error: BaseException) -> str:
    """By type alone: a driver's words may hold an address or a row."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return f"key store: {type(cause).__name__}; check that it is there, its permissions and its space"
