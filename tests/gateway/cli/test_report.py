"""`pith report`: the figures, the words beside them, and the exit codes."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.cli.report import report
from gateway.ledger.database import open_writer
from gateway.ledger.rollup import insert_rows
from gateway.ledger.schema import to_row
from gateway.savings import saved_percent, total_row
from gateway.types import Entry, ReportRow, Usage

NOW = time.time()


def entry(name: str, **more: Any) -> Entry:
    fields = {"id": name, "created_at": NOW - 60, "path": "/v1/chat/completions", "status": 200, **more}
    return Entry(**fields)


ON = {"mode": "on", "origin_tokens": 1000, "compressed_tokens": 400}
ENTRIES = [
    entry(
        "1",
        policy="rag",
        model="gpt-4o",
        usage=Usage(500, 20, cached_tokens=100),
        cost_usd=0.5,
        saved_usd=0.25,
        counterfactual_usd=1.5,
        compression_usd=0.0625,
        **ON,
    ),
    entry("2", policy="rag", model="gpt-4o", usage=Usage(500, 20), cost_usd=0.5, saved_usd=-1.5, **ON),
    entry("3", policy="agent", model="\x1b[31mevil", usage=Usage(100, 5), created_at=NOW - 40 * 86400),
]


def ledger(tmp_path: Path, *recorded: Entry) -> str:
    path = tmp_path / "pith.db"
    with open_writer(path) as connection:
        if recorded:
            insert_rows(connection, [to_row(one) for one in recorded])
        connection.commit()
    return f"sqlite:///{path}"


def run(*arguments: str, **more: Any) -> Result:
    return CliRunner().invoke(report, list(arguments), **more)


def test_the_table_has_every_figure(tmp_path: Path) -> None:
    result = run("--ledger", ledger(tmp_path, *ENTRIES))
    assert (result.exit_code, result.stderr) == (0, "")
    (rag,) = [line for line in result.stdout.splitlines() if "rag" in line]
    cells = [cell.strip() for cell in rag.strip("│ ").split("│")]
    assert cells == [
        "rag",
        "2",
        "2",
        "2,000",
        "800",
        "1,200",
        "60.0",
        "1,000",
        "100",
        "40",
        "1.5000",
        "1.0000",
        "0.0625",
        "1",
        "-1.5000",
        "-1.2500",
    ]
    (total,) = [line for line in result.stdout.splitlines() if "total" in line]
    assert [cell.strip() for cell in total.strip("│ ").split("│")][1:3] == ["3", "2"]
    assert "1 not in the money: no price is known for \N{REPLACEMENT CHARACTER}[31mevil" in result.stdout
    assert "\x1b" not in result.stdout


def test_a_negative_saving_is_red_on_a_terminal(tmp_path: Path) -> None:
    url = ledger(tmp_path, ENTRIES[1])
    result = run(
        "--ledger", url, env={"FORCE_COLOR": "1", "TERM": "xterm-256color", "NO_COLOR": None}, color=True
    )
    assert re.search(r"\x1b\[31m *-1\.5000\x1b", result.stdout)


@pytest.mark.parametrize("columns", ["40", "80", "300"])
def test_no_figure_is_cut_at_any_width(tmp_path: Path, columns: str) -> None:
    big = entry("1", policy="p" * 60, origin_tokens=123456789012, compressed_tokens=98765432109, mode="on")
    result = run("--ledger", ledger(tmp_path, big), env={"COLUMNS": columns})
    for figure in ("123,456,789,012", "98,765,432,109", "24,691,356,903", "net saving $"):
        assert figure in result.stdout


def test_a_narrow_terminal_has_three_tables_below_each_other(tmp_path: Path) -> None:
    big = entry("1", policy="rag", origin_tokens=12345678, compressed_tokens=9876543, mode="on")
    env = {"COLUMNS": "80", "FORCE_COLOR": "1", "TERM": "xterm-256color"}
    result = run("--ledger", ledger(tmp_path, big, *ENTRIES[1:]), env=env, color=True)
    lines = re.sub(r"\x1b\[[\d;]*m", "", result.stdout).splitlines()
    assert max(map(len, lines)) <= 80
    headings = [line.strip("┃ ").split("┃") for line in lines if line.startswith("┃")]
    assert [[one.strip() for one in line][:2] for line in headings] == [
        ["policy", "requests"],
        ["policy", "prompt"],
        ["policy", "uncompressed $"],
    ]
    assert len([line for line in lines if "rag" in line]) == 3


def test_groups_and_since(tmp_path: Path) -> None:
    url = ledger(tmp_path, *ENTRIES)
    by_model = json.loads(run("--ledger", url, "--by", "model", "--since", "7d", "--json").stdout)
    assert (by_model["by"], [row["group"] for row in by_model["rows"]]) == ("model", ["gpt-4o"])
    assert by_model["unpriced_models"] == []
    assert by_model["since"] == pytest.approx(NOW - 7 * 86400, abs=3600)
    by_day = json.loads(run("--ledger", url, "--by", "day", "--since", "1970-01-02", "--json").stdout)
    assert (by_day["since"], len(by_day["rows"])) == (86400.0, 2)


@pytest.mark.parametrize(
    ("since", "seconds"), [("2026-11-01T12:00:00+02:00", 1793527200.0), ("2026-11-01 10:00", 1793527200.0)]
)
def test_since_is_utc_unless_it_says_otherwise(tmp_path: Path, since: str, seconds: float) -> None:
    result = run("--ledger", ledger(tmp_path), "--since", since, "--json")
    assert json.loads(result.stdout)["since"] == seconds


def test_json_has_rows_and_total(tmp_path: Path) -> None:
    answer = json.loads(run("--ledger", ledger(tmp_path, *ENTRIES), "--json").stdout)
    assert [(row["group"], row["saved_tokens"], row["saved_percent"]) for row in answer["rows"]] == [
        ("rag", 1200, 60.0),
        ("agent", 0, None),
    ]
    assert (answer["total"]["requests"], answer["total"]["saved_usd"]) == (3, -1.25)
    assert answer["unpriced_models"] == ["\x1b[31mevil"]


def test_shadow_is_said_to_have_saved_no_money(tmp_path: Path) -> None:
    shadow = entry("1", mode="shadow", origin_tokens=100, compressed_tokens=50, saved_usd=0.0)
    result = run("--ledger", ledger(tmp_path, shadow))
    assert "1 in shadow mode: tokens that would have been saved; no money was." in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"), [([], "The ledger is empty."), (["--since", "1h"], "No requests since")]
)
def test_an_empty_ledger_says_so(tmp_path: Path, arguments: list[str], words: str) -> None:
    result = run("--ledger", ledger(tmp_path), *arguments)
    assert (result.exit_code, words in result.stdout) == (0, True)


def test_the_ledger_can_come_from_the_environment(tmp_path: Path) -> None:
    result = run(env={"PITH_LEDGER": ledger(tmp_path)})
    assert "The ledger is empty." in result.stdout


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "no such file"), (b"", "no ledger yet"), (b"notes " * 200, "not a database")],
)
def test_a_ledger_that_cannot_be_read_is_a_failure(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "pith.db"
    if content is not None:
        path.write_bytes(content)
    result = run("--ledger", f"sqlite:///{path}")
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"{path}: " in result.stderr
    assert words in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--by", "colour"], "'colour' is not one of"),
        (["--since", "soon"], "'soon' is neither like 7d"),
        (["--since", "7y"], "'7y' is neither like 7d"),
        (["--ledger", "pith.db"], "write sqlite:///"),
        (["--nonsense"], "No such option"),
    ],
)
def test_wrong_usage_is_exit_code_2(tmp_path: Path, arguments: list[str], words: str) -> None:
    result = run("--ledger", ledger(tmp_path), *arguments)
    assert result.exit_code == 2
    assert words in result.stderr


ROW = ReportRow("a", 1, 1, 200, 50, 60, 10, 5, 0.5, -0.25, 1, 1)


def test_totals_add_every_column() -> None:
    assert total_row([ROW, ROW]) == ReportRow("total", 2, 2, 400, 100, 120, 20, 10, 1.0, -0.5, 2, 2)
    assert (saved_percent(ROW), saved_percent(total_row([]))) == (75.0, None)


def test_rows_are_exported(tmp_path: Path) -> None:
    to, url = tmp_path / "out.csv", ledger(tmp_path, *ENTRIES)
    result = run("--ledger", url, "--export", str(to), "--since", "7d")
    assert (result.exit_code, result.stdout) == (0, f"2 rows in {to}\n")
    assert len(to.read_text().splitlines()) == 3
    result = run("--ledger", url, "--export", str(to), "--json")
    assert json.loads(result.stdout) == {"rows": 3}
    result = run("--ledger", url, "--export", str(tmp_path / "out.txt"))
    assert (result.exit_code, "must end with .csv or .parquet" in result.stderr) == (1, True)
