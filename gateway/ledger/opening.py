"""Which database a ledger's URL names: the one seam between the ledger and where it is."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, TypeAlias

from sqlalchemy import Connection

from gateway.ledger.database import SqliteFile, sqlite_path
from gateway.ledger.postgres import PostgresDatabase, is_postgres

Reader: TypeAlias = Connection
"""For those outside this folder, who know no database."""


class Database(Protocol):
    """Opening raises one of STORE_ERRORS; `explain` says what it means and what to do."""

    @property
    def spool(self) -> Path:
        """The folder for rows that cannot be written."""

    def identity(self) -> object:
        """Another value means that a connection made before leads elsewhere."""

    def open_writer(self) -> Connection:
        """A connection that can write, schema made, brought up or checked."""

    def open_reader(self) -> Connection:
        """A connection that cannot write."""

    def explain(self, error: BaseException) -> str:
        """Never SQL, never a row's values, never credentials."""


def open_database(url: str) -> Database:
    """Nothing is opened yet. Raises ConfigError for a URL that names none."""
    return PostgresDatabase(url) if is_postgres(url) else SqliteFile(sqlite_path(url))
