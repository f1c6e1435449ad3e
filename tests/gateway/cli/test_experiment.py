"""`pith experiment`: what it says, at 80 columns, as JSON, and when something is wrong."""

from __future__ import annotations

import asyncio
import json
import re
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.experiments.known import Census, Known
from gateway.experiments.records import ExperimentState
from gateway.ledger.database import open_writer
from gateway.ledger.experiments import open_experiments
from gateway.ledger.rollup import insert_rows
from gateway.ledger.schema import to_row
from gateway.types import Entry, Usage
from tests.gateway.experiments.filled import POLICIES, filled, policies
from tests.gateway.experiments.known_ones import HTML, ODD

NOW = time.time()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A ledger and its policy file."""
    filled(tmp_path, NOW)
    (tmp_path / "policies.yaml").write_text(POLICIES)
    return tmp_path


def run(folder: Path, *arguments: str) -> Result:
    places = ["--policies", str(folder / "policies.yaml"), "--ledger", f"sqlite:///{folder / 'pith.db'}"]
    return CliRunner().invoke(main, ["experiment", *arguments, *places], env={"COLUMNS": "80"})


def roll_back(folder: Path) -> None:
    version = policies().policies[0].version
    state = ExperimentState("rag", version, "rolled_back", NOW, "retries rose", ("harsh",))
    asyncio.run(open_experiments(f"sqlite:///{folder / 'pith.db'}").set_state(state))


def test_the_list_has_a_line_for_each(folder: Path) -> None:
    result = run(folder, "list")
    assert (result.exit_code, result.stderr) == (0, "")
    [line] = [line for line in result.stdout.splitlines() if line.startswith("rag")]
    assert re.split(r"\s{2,}", line.strip()) == [
        "rag",
        policies().policies[0].version,
        "running",
        "1,200",
        "0.0",
        "Roll back harsh",
    ]
    [known] = json.loads(run(folder, "list", "--json").stdout)["experiments"]
    assert (known["name"], known["verdict"]["harmed"]) == ("rag", ["harsh"])


def test_one_is_shown_whole_within_80_columns(folder: Path) -> None:
    roll_back(folder)
    result = run(folder, "show", "rag")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].rstrip().endswith("rolled back: harsh")
    assert lines[1].startswith("Ship half: ")
    [cost] = [line for line in lines if line.startswith("billed_cost")][:1]
    assert re.split(r"\s{1,}", cost.strip())[:4] == ["billed_cost", "$0.000404", "$0.000279", "−29.9"]
    assert [line.split()[-1] for line in lines if line.startswith("retries")] == ["within", "breached"]
    assert "harsh beside control" in [line.strip() for line in lines]
    assert any("rolled back" in line and "retries rose" in line for line in lines)
    assert json.loads(run(folder, "show", "rag", "--json").stdout)["standing"] == "rolled_back"


def test_a_reset_takes_a_rollback_back(folder: Path) -> None:
    refused = run(folder, "reset", "rag")
    assert (refused.exit_code, refused.stderr) == (
        1,
        "Error: experiment rag is running, not rolled back: it goes on\n",
    )
    roll_back(folder)
    assert run(folder, "reset", "rag").stdout.startswith("rag runs again")
    roll_back(folder)
    assert json.loads(run(folder, "reset", "rag", "--json").stdout) == {
        "experiment": "rag",
        "state": "running",
    }


@pytest.mark.parametrize("command", ["show", "reset", "simulate"])
def test_an_experiment_there_is_not(command: str, folder: Path) -> None:
    result = run(folder, command, "plain")
    assert result.exit_code == 1
    assert "'plain'" in result.stderr
    assert "rag" in result.stderr


def test_without_a_ledger_or_an_experiment(tmp_path: Path) -> None:
    (tmp_path / "policies.yaml").write_text("policies:\n  - name: plain\n")
    gone = run(tmp_path, "list")
    assert (gone.exit_code, "no such file; name the ledger" in gone.stderr) == (1, True)
    filled(tmp_path, NOW, ())
    assert run(tmp_path, "list").stdout.startswith("There is no experiment: give a policy one")
    nothing = run(tmp_path, "show", "rag")
    assert (nothing.exit_code, "no policy has one: give it" in nothing.stderr) == (1, True)


def test_a_policy_file_that_is_wrong_is_said(folder: Path) -> None:
    (folder / "policies.yaml").write_text(POLICIES.replace("retries: 0.05", "retris: 0.05"))
    result = run(folder, "list")
    assert result.exit_code == 1
    assert "did you mean 'retries'" in result.stderr


def test_an_experiment_nobody_has_taken_part_in(tmp_path: Path) -> None:
    (tmp_path / "policies.yaml").write_text(POLICIES)
    filled(tmp_path, NOW, ())
    assert "No request has taken part yet" in run(tmp_path, "show", "rag").stdout
    assert run(tmp_path, "list").stdout.splitlines()[1].split()[-3:] == ["0", "–", "–"]


def test_one_that_has_ended_is_listed_and_shown(folder: Path) -> None:
    (folder / "policies.yaml").write_text(POLICIES.replace("name: rag", "name: other"))
    assert "ended" in run(folder, "list").stdout
    assert "1,200 units took part" in run(folder, "show", "rag").stdout


def test_names_on_record_do_nothing_to_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    from io import StringIO

    from rich.console import Console

    from gateway.cli import experiment_tables as tables

    odd = Known("\x1b[31m" + HTML, "\x07v", "running", (), ODD, 2)
    console = Console(file=StringIO(), width=80)
    console.print(tables.every(Census((odd,), NOW)))
    for one in tables.one(odd):
        console.print(one)
    said = console.file.getvalue()  # type: ignore[attr-defined]  # a StringIO, as above
    assert "\x1b" not in said
    assert "\x07" not in said
    assert len(said) < 60_000


def test_simulate_says_units_and_days(folder: Path) -> None:
    result = run(folder, "simulate", "rag", "--effect", "0.05", "--effect", "0.1")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "from the experiment's own control" in " ".join(result.stdout.split())
    rows = [re.split(r"\s{2,}", line.strip()) for line in result.stdout.splitlines() if "%  " in line]
    assert [row[0] for row in rows] == ["5 %", "10 %"]
    few, many = (int(row[1].replace(",", "")) for row in reversed(rows))
    assert few < many
    said = json.loads(run(folder, "simulate", "rag", "--json").stdout)
    assert said["units_seen"] == 1200
    assert said["units_per_day"] == pytest.approx(600, rel=0.05)
    assert {one["effect"] for one in said["effects"]} >= {0.05, 0.2}


def conversations(n: int, policy: str) -> list[Entry]:
    return [
        Entry(
            id=f"{policy}-{number}",
            created_at=NOW - 3600 * (1 + number % 100),
            path="/v1/chat/completions",
            status=200,
            policy=policy,
            conversation=f"c{number // 2}",
            origin_tokens=1000 + number,
            compressed_tokens=1000 + number,
            usage=Usage(1000 + number, 20),
            cost_usd=1e-4 * (1 + number % 7),
        )
        for number in range(n)
    ]


def test_before_it_begins_it_is_planned_with_the_ledgers_conversations(tmp_path: Path) -> None:
    (tmp_path / "policies.yaml").write_text(POLICIES)
    with open_writer(tmp_path / "pith.db") as connection:
        connection.commit()
    too_few = run(tmp_path, "simulate", "rag")
    assert too_few.exit_code == 1
    assert "fewer than 200 priced conversations of the last 7 days" in too_few.stderr
    with open_writer(tmp_path / "pith.db") as connection:
        insert_rows(connection, [to_row(entry) for entry in conversations(500, "default")])
        connection.commit()
    said = json.loads(run(tmp_path, "simulate", "rag", "--json").stdout)
    assert (said["basis"], said["units_seen"]) == ("all conversations of the last 7 days", 250)
    liked = json.loads(run(tmp_path, "simulate", "rag", "--like", "default", "--json").stdout)
    assert liked["basis"] == "conversations of policy default of the last 7 days"
    nobody = run(tmp_path, "simulate", "rag", "--like", "nope")
    assert "priced conversations of policy nope" in nobody.stderr


@pytest.mark.parametrize("effect", ["0", "1", "-0.1", "many"])
def test_an_effect_that_is_none(effect: str, folder: Path) -> None:
    result = run(folder, "simulate", "rag", "--effect", effect)
    assert result.exit_code == 2
    assert "--effect" in result.stderr
