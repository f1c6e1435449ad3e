"""The ledger's tables in PostgreSQL, for several replicas at once.

A writer gives up on a connection or a statement after TIMEOUT_S, so that a server that is silent is noticed;
a reader may take longer and cannot write. What is raised or said names neither the server nor its user.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from gateway.errors import ConfigError
from gateway.ledger import versions

TIMEOUT_S: Final = 5
"""For a connection, for each statement of a writer, and for a server that no longer acknowledges."""
READ_S: Final = 60
"""For each statement of a report."""

_NAME: Final = "ledger in PostgreSQL"
_SPOOL: Final = "pith-ledger.spool"
_LOCK: Final = 0x70697468 + 1
"""The advisory lock under which the tables are made or brought up; the key store has the one before it."""

_REMEDIES: Final = {
    "28": "it refuses the user or the password: correct the URL",
    "3D": "there is no such database: create it",
    "42501": "the user may not do this: grant it CREATE on the schema, and the tables",
    "25006": "it is read-only: name the primary",
    "53100": "its disk is full: free some space",
    "53300": "it has too many connections: raise max_connections",
    "57014": "it took too long: see what it is busy with",
}
"""By the beginning of SQLSTATE."""


def is_postgres(url: str) -> bool:
    """Whether a ledger's URL names a server."""
    return url.startswith("postgresql://")


@dataclass(frozen=True, slots=True)
class PostgresDatabase:
    """A `Database` on a server."""

    url: str = field(repr=False)

    @property
    def spool(self) -> Path:
        """In the working directory: there is no file of the ledger's to lie beside."""
        return Path(_SPOOL).absolute()

    def identity(self) -> None:
        """The server answers for itself."""

    def open_writer(self) -> Connection:
        """A connection, the tables made or brought up."""
        connection = self._connect(f"-c statement_timeout={TIMEOUT_S}s")
        try:
            connection.execute(text("SET LOCAL statement_timeout = 0"))  # others may be at it; and many rows
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            versions.prepare(connection, _NAME, is_ours_alone=False)
            connection.commit()
        except BaseException:  # whatever it was goes on; the connection does not stay open
            connection.close()
            raise
        return connection

    def open_reader(self) -> Connection:
        """A connection that cannot write."""
        connection = self._connect(f"-c statement_timeout={READ_S}s -c default_transaction_read_only=on")
        try:
            versions.check(connection, _NAME)
        except BaseException:  # whatever it was goes on; the connection does not stay open
            connection.close()
            raise
        return connection

    def explain(self, error: BaseException) -> str:
        """What is wrong, by type and SQLSTATE alone: a driver's words may hold an address or a row."""
        if isinstance(error, ConfigError):
            return str(error)
        cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
        state = getattr(cause, "sqlstate", None) or ""
        for beginning, remedy in _REMEDIES.items():
            if state.startswith(beginning):
                return f"{_NAME}: {remedy}"
        return f"{_NAME}: {type(cause).__name__} {state}".rstrip() + "; check that it runs and can be reached"

    def _connect(self, options: str) -> Connection:
        return create_engine(
            make_url(self.url).set(drivername="postgresql+psycopg"),
            poolclass=NullPool,
            hide_parameters=True,  # an error's text must never carry a row's values
            connect_args={
                "client_encoding": "utf8",  # whatever the database's is, which the server converts to
                "connect_timeout": TIMEOUT_S,
                "options": options,
                "tcp_user_timeout": TIMEOUT_S * 1000,
                "application_name": "pith",
            },
        ).connect()
