"""The `pith` group: lazy, whole when a part is missing, exact in its exit codes."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import click
import pytest
from click.testing import CliRunner

from compressor.errors import ParamsError
from gateway.cli import COMMANDS, LazyGroup, main
from gateway.errors import ConfigError, UpstreamTimeout
from policies.errors import Place, PolicyError, Problem

PROBLEMS = [
    Problem(Place("a.yaml", 3), "rate is 2", "policies.0"),
    Problem(Place("a.yaml", 9), "unknown key"),
]


@click.command()
@click.option("--count", type=int, default=1)
def good(count: int) -> None:
    """Does its work."""
    click.echo(f"good {count}")


@click.command()
@click.argument("which")
def bad(which: str) -> None:
    """Fails."""
    errors: dict[str, Exception] = {
        "config": ConfigError("pith.yaml:3: port is 'x': must be a number"),
        "upstream": UpstreamTimeout("no answer in 5 s"),
        "params": ParamsError("rate is 2: must be at most 1"),
        "policy": PolicyError(PROBLEMS),
        "foreign": LookupError("not ours"),
    }
    raise errors[which]


no_command = "a string"

HERE = "tests.gateway.test_cli"
GROUP = LazyGroup(
    "pith",
    {
        "good": f"{HERE}:good",
        "bad": f"{HERE}:bad",
        "gone": "gateway.cli.no_such_module:gone",
        "odd": f"{HERE}:no_command",
    },
    help_text="A group under test.",
)


def test_a_subcommand_runs_with_its_options() -> None:
    result = CliRunner().invoke(GROUP, ["good", "--count", "3"])
    assert (result.exit_code, result.stdout) == (0, "good 3\n")


@pytest.mark.parametrize(
    ("which", "message"),
    [
        ("config", "Error: pith.yaml:3: port is 'x': must be a number\n"),
        ("upstream", "Error: no answer in 5 s\n"),
        ("params", "Error: rate is 2: must be at most 1\n"),
        ("policy", "Error: a.yaml:3: policies.0: rate is 2\na.yaml:9: unknown key\n"),
    ],
)
def test_our_errors_are_a_message_and_exit_code_1(which: str, message: str) -> None:
    result = CliRunner().invoke(GROUP, ["bad", which])
    assert (result.exit_code, result.stderr, result.stdout) == (1, message, "")


def test_other_errors_keep_their_traceback() -> None:
    result = CliRunner().invoke(GROUP, ["bad", "foreign"])
    assert isinstance(result.exception, LookupError)


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["good", "--nonsense"], ["good", "--count", "x"], ["bad"]]
)
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(GROUP, arguments).exit_code == 2


@pytest.mark.parametrize("arguments", [["gone"], ["gone", "--flag", "value"]])
def test_a_missing_module_says_what_is_missing(arguments: list[str]) -> None:
    result = CliRunner().invoke(GROUP, arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: `pith gone` is unavailable: No module named")
    assert len(result.stderr.splitlines()) == 1


def test_help_lists_every_command_though_one_is_missing() -> None:
    whole = LazyGroup("pith", {"gone": "no_such_module:x", "good": f"{HERE}:good"}, help_text="A group.")
    result = CliRunner().invoke(whole, ["--help"])
    assert result.exit_code == 0
    assert [line.split()[:2] for line in result.stdout.splitlines()[-2:]] == [
        ["gone", "Unavailable:"],
        ["good", "Does"],
    ]


def test_a_target_that_is_no_command_is_a_bug() -> None:
    assert isinstance(CliRunner().invoke(GROUP, ["odd"]).exception, AssertionError)


def test_version() -> None:
    result = CliRunner().invoke(main, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"pith {version('pith-gateway')}\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_table_loads(name: str) -> None:
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0
    assert "Unavailable" not in result.stdout


@pytest.mark.parametrize("arguments", [["--version"], ["-h"]])
def test_python_m_gateway_is_pith(arguments: list[str]) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "gateway", *arguments], capture_output=True, text=True, check=True, timeout=60
    )
    assert "pith" in ran.stdout
    assert ran.stderr == ""
