"""Exports: every row and column, whole or not at all, with memory that does not grow."""

from __future__ import annotations

import csv
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from gateway.errors import ConfigError
from gateway.ledger.bench import fill
from gateway.ledger.database import SqliteFile, open_reader, open_writer
from gateway.ledger.export import BATCH_ROWS, write_export
from gateway.ledger.rollup import insert_rows
from gateway.ledger.schema import entries, to_row
from gateway.types import Entry, Usage

NAMES = list(entries.columns.keys())
ROWS = [
    to_row(Entry("b", 2.5, '/v1/x,"y"\n', 200, model="=HYPERLINK(1)", mode="on", saved_usd=-0.125)),
    to_row(
        Entry("a", 1.0, "/", 499, team="<b>ü", is_streamed=True, usage=Usage(7, 3), timing_ms={"read": 1.5})
    ),
    to_row(Entry("c", 99.0, "/", 200)),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "pith.db"
    with open_writer(path) as writer:
        insert_rows(writer, ROWS)
        writer.commit()
    return path


def export(ledger: Path, to: Path, since: float | None = None) -> int:
    with open_reader(ledger) as reader:
        return write_export(reader, to, since)


def test_csv_has_every_value(path: Path, tmp_path: Path) -> None:
    to = tmp_path / "out.csv"
    assert export(path, to) == 3
    with to.open(encoding="utf-8", newline="") as file:
        names, *rows = csv.reader(file)
    assert (names, to.stat().st_mode & 0o777) == (NAMES, 0o600)
    found = [dict(zip(names, row, strict=True)) for row in rows]
    assert [row["id"] for row in found] == ["a", "b", "c"]
    assert (found[0]["team"], found[0]["prompt_tokens"], found[0]["timing_ms"]) == (
        "<b>ü",
        "7",
        '{"read":1.5}',
    )
    assert (found[1]["path"], found[1]["model"], found[1]["saved_usd"]) == (
        '/v1/x,"y"\n',
        "'=HYPERLINK(1)",  # no spreadsheet executes it
        "-0.125",
    )
    assert (found[2]["saved_usd"], found[2]["skip"]) == ("", "")


def test_parquet_has_every_value_with_its_type(path: Path, tmp_path: Path) -> None:
    to = tmp_path / "out.parquet"
    assert export(path, to, since=2.0) == 2
    table: Any = pyarrow.parquet.read_table(to)
    assert table.column_names == NAMES
    assert table.to_pylist() == [{name: ROWS[n][name] for name in NAMES} for n in (0, 2)]
    kinds = {
        name: str(table.schema.field(name).type) for name in ("created_at", "status", "is_streamed", "id")
    }
    assert kinds == {"created_at": "double", "status": "int64", "is_streamed": "bool", "id": "string"}


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_memory_does_not_grow_with_the_rows(tmp_path: Path, ending: str) -> None:
    peaks = []
    for n_rows in (2 * BATCH_ROWS, 5 * BATCH_ROWS):
        database = SqliteFile(tmp_path / f"{n_rows}.db")
        fill(database, n_rows)
        tracemalloc.start()
        assert export(database.path, tmp_path / f"{n_rows}.{ending}") == n_rows
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]


@pytest.mark.parametrize(
    ("name", "mark"), [("out.xlsx", r"must end with .csv or .parquet"), ("gone/out.csv", "No such file")]
)
def test_a_file_that_cannot_be_is_said(path: Path, tmp_path: Path, name: str, mark: str) -> None:
    with pytest.raises(ConfigError, match=mark) as caught:
        export(path, tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


def test_what_breaks_off_leaves_what_was_there(path: Path, tmp_path: Path) -> None:
    to = tmp_path / "out.csv"
    to.mkdir()
    open_reader(path).close()  # its -wal and -shm are there now
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ConfigError, match="Is a directory"):
        export(path, to)
    assert sorted(tmp_path.iterdir()) == before


NO_PYARROW = """
import sys
sys.modules["pyarrow"] = None
from gateway.cli import main
main(["report", "--ledger", "sqlite:///" + sys.argv[1], "--export", "out.parquet"])
"""


def test_without_pyarrow_the_remedy_is_named(path: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", NO_PYARROW, str(path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "out.parquet: Parquet needs pyarrow: pip install 'pith-gateway[parquet]'" in done.stderr
    assert not (tmp_path / "out.parquet").exists()
