from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.demo.instant import instant_upstream

DOCUMENT = Path(__file__).parents[3] / "docs/benchmarks.md"
SPREAD = {"min", "p50", "p95", "max"}
SCENARIOS = {"direct", "new", "model", "rate", "seen", "protection", "restart"}


def pith(*arguments: str) -> str:
    result = CliRunner().invoke(main, ["bench", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def assert_spread(found: dict[str, float]) -> None:
    assert set(found) == SPREAD
    assert found["min"] <= found["p50"] <= found["max"]
    assert found["p95"] <= found["max"]


def test_text() -> None:
    found = json.loads(pith("text", "--tokens", "1500", "--text-tokens", "500", "--repeats", "2", "--json"))
    stages = found["us_per_token"]
    assert {"words", "weights", "segments", "keep", "model", "select", "render", "count", "map"} <= set(
        stages
    )
    for spread in (*stages.values(), found["us_per_token_besides_model"]):
        assert_spread(spread)
        assert spread["min"] >= 0
    assert found["repeats"] == 2
    assert found["tokens"] >= 1500
    assert len(found["load"]) == 2


def test_text_as_a_table() -> None:
    shown = pith("text", "--tokens", "300", "--text-tokens", "300", "--repeats", "1")
    assert "all but model" in shown
    assert "load average" in shown


def test_conversation() -> None:
    found = json.loads(
        pith("conversation", "--tokens", "12000", "--messages", "12", "--repeats", "2", "--json")
    )
    for figures in ("added_ms", "loop_late_ms", "loop_blocked_ms", "cpu_ms"):
        assert set(found[figures]) == SCENARIOS
        for spread in found[figures].values():
            assert_spread(spread)
    for name, blocked in found["loop_blocked_ms"].items():
        assert blocked["max"] <= found["loop_late_ms"][name]["max"]
    assert_spread(found["small_added_ms"])
    assert found["bytes"] > 12_000
    assert len(found["load"]) == 2


def commands(group: click.Command, context: click.Context, name: str) -> dict[str, click.Command]:
    """Every command below `group`, by its whole name."""
    found = {name: group}
    if isinstance(group, click.Group):
        for child in group.list_commands(context):
            command = group.get_command(context, child)
            assert command is not None
            found |= commands(command, context, f"{name} {child}")
    return found


def documented() -> list[str]:
    text = DOCUMENT.read_text("utf-8")
    return re.findall(r"\bpith [a-z][^`\n]*", text)


@pytest.mark.parametrize("line", documented())
def test_documented_commands_exist(line: str) -> None:
    known = commands(main, click.Context(main), "pith")
    words = [word for word in line.split() if not word.startswith("-")]
    name = next((" ".join(words[:n]) for n in (3, 2) if " ".join(words[:n]) in known), "")
    assert name, f"docs/benchmarks.md names {line!r}, which is no command"
    options = {option for parameter in known[name].params for option in parameter.opts}
    for option in re.findall(r"--[a-z-]+", line):
        assert option in options, f"docs/benchmarks.md gives {name!r} the option {option}, which it lacks"


def test_each_bench_is_documented() -> None:
    described: dict[str, Any] = commands(main, click.Context(main), "pith")
    for name in described:
        if name.startswith("pith bench "):
            assert any(line.startswith(name) for line in documented()), f"{name} is not in docs/benchmarks.md"


LOAD = ("gateway", "--connections", "2", "--kilobytes", "1", "--seconds", "0.5")


def test_gateway_under_load_beside_its_upstream_and_another() -> None:
    with instant_upstream() as other:  # an upstream answers as a gateway would
        against = ("--against", other, "--against-header", "authorization: Bearer other")
        found = json.loads(pith(*LOAD, *against, "--json"))

    rows = found["rows"]
    assert [row["target"] for row in rows] == ["direct", "pith", "other"] * 4
    assert len({row["case"] for row in rows}) == 4
    assert all(row["per_second"] > 0 and row["p50_ms"] <= row["p99_ms"] for row in rows)
    for row in rows:
        assert (row["events_per_second"] > 0) == ("streamed" in row["case"])
    compared = [row["times_per_second"] for row in rows if row["target"] == "pith"]
    assert len(compared) == 4
    assert all(0 < times < 1 for times in compared)  # what it is compared with does nothing
    assert all((row["resident_mib"] is not None) == (row["target"] == "pith") for row in rows)


def test_gateway_as_a_table() -> None:
    shown = pith(*LOAD)
    assert "1 KB, plain" in shown
    assert "load average" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--connections", "1,x"), "'1,x' is no list of whole numbers"),
        (("--kilobytes", "0"), "'0' is no list of whole numbers"),
        (("--against-header", "authorization Bearer k"), "write it as NAME: VALUE"),
    ],
)
def test_what_gateway_is_not_asked_for(arguments: tuple[str, str], said: str) -> None:
    result = CliRunner().invoke(main, ["bench", "gateway", *arguments])
    assert result.exit_code == 2
    assert said in result.output
    assert "Bearer k" not in result.output
