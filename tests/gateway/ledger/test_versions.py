"""Versions of the schema: an older file is brought up with all its rows, whatever version it has."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, inspect

from gateway.errors import ConfigError
from gateway.ledger import versions
from gateway.ledger.database import open_reader, open_writer
from gateway.ledger.report import report_rows
from gateway.ledger.schema import metadata
from gateway.ledger.versions import REVISIONS, VERSION_TABLE

FOLDER = Path(versions.__file__).with_name("migrations")

ROW = {
    "id": "old-1",
    "created_at": 86_400.0,
    "day": "1970-01-02",
    "path": "/v1/chat/completions",
    "status": 200,
    "model": "gpt-4o",
    "policy": "rag",
    "mode": "on",
    "is_streamed": 0,
    "is_complete": 1,
    "origin_tokens": 100,
    "compressed_tokens": 60,
    "prompt_tokens": 61,
    "cost_usd": 0.5,
    "saved_usd": -0.25,
    "timing_ms": "{}",
}


def old_file(path: Path, revision: str, *, is_legacy: bool) -> None:
    """A ledger as a Pith of that version left it, with one row."""
    with create_engine(f"sqlite:///{path}").begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(FOLDER))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        names = ", ".join(ROW)
        values = ", ".join(f":{name}" for name in ROW)
        connection.exec_driver_sql(f"insert into entries ({names}) values ({values})", ROW)
        if is_legacy:
            connection.exec_driver_sql(f"drop table {VERSION_TABLE}")
            connection.exec_driver_sql("create table ledger_schema (version integer primary key)")
            connection.exec_driver_sql(f"insert into ledger_schema values ({revision})")


def shape(connection: Connection) -> dict[str, Any]:
    """Every table: its columns with their types and whether they may be empty, its indexes, its key."""
    inspector = inspect(connection)
    return {
        table: (
            {
                (column["name"], repr(column["type"]), column["nullable"])
                for column in inspector.get_columns(table)
            },
            {tuple(index["column_names"]) for index in inspector.get_indexes(table)},
            tuple(inspector.get_pk_constraint(table)["constrained_columns"]),
        )
        for table in inspector.get_table_names()
    }


@pytest.mark.parametrize("revision", REVISIONS[:-1])
@pytest.mark.parametrize("is_legacy", [False, True])
def test_an_older_file_is_brought_up_and_keeps_its_rows(
    tmp_path: Path, revision: str, is_legacy: bool
) -> None:
    path = tmp_path / "pi th%d.db"
    old_file(path, revision, is_legacy=is_legacy)
    with open_writer(path) as writer, open_writer(tmp_path / "new.db") as new:
        assert shape(writer) == shape(new)
    with open_reader(path) as reader:
        [found] = reader.exec_driver_sql("select * from entries").mappings()
        assert {name: found[name] for name in ROW} == ROW
        rows = report_rows(reader, "policy")
    said = [(row.group, row.requests, row.origin_tokens, row.saved_usd) for row in rows]
    had_sums = revision not in ("1", "2")  # a Pith of that version had summed the row itself
    assert said == ([] if had_sums else [("rag", 1, 100, -0.25)])


def test_a_reader_names_the_remedy_for_an_older_file(tmp_path: Path) -> None:
    path = tmp_path / "pith.db"
    old_file(path, "1", is_legacy=True)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=r"version 1, this Pith reads version .*: start `pith serve`"):
        open_reader(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("is_known", [True, False])
def test_a_newer_schema_will_do_if_it_has_our_columns(tmp_path: Path, is_known: bool) -> None:
    path = tmp_path / "pith.db"
    open_writer(path).close()
    with closing(sqlite3.connect(path)) as raw:
        raw.execute(f"update {VERSION_TABLE} set version_num = '99'")
        raw.execute("alter table entries " + ("add column more text" if is_known else "drop column skip"))
        raw.commit()
    if is_known:
        open_writer(path).close()
        open_reader(path).close()
    else:
        with pytest.raises(ConfigError, match="version 99, this Pith writes version"):
            open_writer(path)


def test_every_version_has_its_file_and_the_tables_have_every_column() -> None:
    files = {path.stem.split("_")[0] for path in (FOLDER / "versions").glob("v*.py")}
    assert files == {f"v{revision}" for revision in REVISIONS}
    assert {table.name for table in metadata.sorted_tables} >= {"entries"}
