"""Which version of the schema a database has, and how it comes to ours: by alembic, within one transaction.

A new database is made at our version. One of an older version is brought up and keeps its rows. One that
belongs to another program, or to a newer Pith without a column of ours, is refused and left as it is. The
caller holds the lock under which only one process does this, and commits or rolls back.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, inspect, select

from gateway.errors import ConfigError
from gateway.ledger.experiment_tables import metadata  # with their tables in it
from gateway.ledger.schema import entries

REVISIONS: Final = ("1", "2", "3", "4")
"""Of the schema, oldest first: the files of migrations/versions."""

VERSION_TABLE: Final = "ledger_version"

_FROM_THE_FIRST: Final = frozenset({"id", "created_at", "day", "path", "status", "mode", "timing_ms"})
"""Columns that any version of ours has."""

_FOLDER: Final = Path(__file__).with_name("migrations")

versions = Table(VERSION_TABLE, MetaData(), Column("version_num", String(32), primary_key=True))
"""Alembic's own table."""

_legacy = Table("ledger_schema", MetaData(), Column("version", Integer, primary_key=True))
"""Where versions 1 and 2 were kept before alembic was."""


def prepare(connection: Connection, name: str, *, is_ours_alone: bool) -> None:
    """Make the tables, bring them up, or see that they are ours. Raises ConfigError, or what the driver does.

    `is_ours_alone`: nobody else keeps tables in this database, so one with other tables is another program's.
    """
    tables = set(inspect(connection).get_table_names())
    if not tables or (not is_ours_alone and not tables & {VERSION_TABLE, _legacy.name, entries.name}):
        metadata.create_all(connection)
        versions.create(connection)
        connection.execute(versions.insert().values(version_num=REVISIONS[-1]))
        return
    found = _revision(connection, tables, name)
    if _legacy.name in tables and found in REVISIONS:
        versions.create(connection, checkfirst=True)
        connection.execute(versions.insert().values(version_num=found))
        _legacy.drop(connection)
    columns = {column["name"] for column in inspect(connection).get_columns(entries.name)}
    if found in REVISIONS[:-1] and columns >= _FROM_THE_FIRST:
        _upgrade(connection)
    _check_columns(connection, name, found)


def check(connection: Connection, name: str) -> None:
    """That a reader understands it. Raises ConfigError."""
    tables = set(inspect(connection).get_table_names())
    found = _revision(connection, tables, name)
    if found in REVISIONS[:-1]:
        raise ConfigError(
            f"{name}: its schema is version {found}, this Pith reads version {REVISIONS[-1]}: start `pith "
            "serve` with it once, which brings it up to date and keeps its rows"
        )
    _check_columns(connection, name, found)


def _revision(connection: Connection, tables: set[str], name: str) -> str:
    kept_in = next((table for table in (versions, _legacy) if table.name in tables), None)
    if kept_in is None or entries.name not in tables:
        what = "no ledger yet" if not tables else "a database of another program"
        raise ConfigError(f"{name}: this is {what}; set another ledger")
    return str(connection.scalar(select(*kept_in.columns)))


def _check_columns(connection: Connection, name: str, found: str) -> None:
    """A newer Pith's tables will do as long as they have all of ours: replicas are replaced one by one."""
    inspector = inspect(connection)
    for table in metadata.sorted_tables:
        columns = set()
        if inspector.has_table(table.name):
            columns = {column["name"] for column in inspector.get_columns(table.name)}
        if not columns >= set(table.columns.keys()):
            raise ConfigError(
                f"{name}: its schema is version {found}, this Pith writes version {REVISIONS[-1]}; nothing "
                "was changed: keep it for the Pith that wrote it and set another ledger"
            )


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
