"""`pith bench ledger`: it stores what it says, and its reports count every row."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from gateway.cli.bench import bench
from gateway.ledger.bench import QUERIES
from gateway.ledger.database import open_reader
from gateway.ledger.report import report_rows


def test_every_row_is_stored_and_reported(tmp_path: Path) -> None:
    path = tmp_path / "pith.db"
    result = CliRunner().invoke(
        bench, ["ledger", "--rows", "3000", "--ledger", f"sqlite:///{path}", "--json"]
    )
    assert result.exit_code == 0, result.output
    steps = json.loads(result.stdout)["steps"]
    assert [step["name"] for step in steps] == ["fill", *QUERIES]
    assert [step["rows"] for step in steps[:4]] == [3000, 90, 12, 40]
    with open_reader(path) as reader:
        rows = report_rows(reader, "team")
    assert (sum(row.requests for row in rows), len(rows)) == (3000, 8)
    assert 0 < sum(row.negative_requests for row in rows) < 3000


def test_the_table_names_each_step() -> None:
    result = CliRunner().invoke(bench, ["ledger", "--rows", "50"])
    assert result.exit_code == 0
    assert not [name for name in QUERIES if name not in result.stdout]


def test_a_url_that_is_none_is_wrong_usage() -> None:
    assert CliRunner().invoke(bench, ["ledger", "--ledger", "pith.db"]).exit_code == 2
