from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main

GOOD = "policies:\n  - name: default\n    params: {rate: 0.6}\n"
RISKY = "policies:\n  - name: default\n    params: {rate: 0.1}\n"
BAD = "policies:\n  - name: default\n    params: {rte: 0.6}\n"
AB = """
policies:
  - name: ab
    match: {model: "gpt-*", key: "search-*", team: search, header: {X-App: rag}}
    experiment:
      salt: s
      variants: [{name: control, weight: 1, mode: off}, {name: half, weight: 1, params: {rate: 0.5}}]
  - {name: rest, mode: shadow}
"""


def pith(*arguments: str, text: str | bytes = GOOD) -> Result:
    return CliRunner().invoke(main, ["policy", *arguments], input=text)


def test_lint_a_good_file(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(GOOD)
    result = pith("lint", str(path))
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"{path}: 0 errors, 0 warnings\n"


def test_lint_errors_fail() -> None:
    result = pith("lint", "-", text=BAD)
    assert result.exit_code == 1
    assert result.stdout == (
        "<stdin>:3: policies[0].params.rte: unknown key; did you mean 'rate'? [error: invalid]\n"
    )
    assert result.stderr == "<stdin>: 1 error, 0 warnings\n"


def test_lint_warnings_fail_only_when_strict() -> None:
    result = pith("lint", "-", text=RISKY)
    assert result.exit_code == 0
    assert "[warning: low_rate]" in result.stdout
    assert pith("lint", "--strict", "-", text=RISKY).exit_code == 1


def test_lint_what_is_not_text() -> None:
    result = pith("lint", "-", text=b"\xff\xfe")
    assert result.exit_code == 1
    assert "<stdin>:1: the file is not UTF-8 text" in result.stdout


def test_lint_json() -> None:
    result = pith("lint", "--json", "-", text=BAD)
    assert result.exit_code == 1
    assert json.loads(result.stdout) == [
        {
            "severity": "error",
            "code": "invalid",
            "source": "<stdin>",
            "line": 3,
            "path": "policies[0].params.rte",
            "message": "unknown key; did you mean 'rate'?",
        }
    ]
    assert json.loads(pith("lint", "--json", "-").stdout) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("lint",),
        ("lint", "nowhere.yaml"),
        ("explain", "-", "--header", "x"),
        ("explain", "-", "--header", "=x"),
    ],
)
def test_usage(arguments: tuple[str, ...]) -> None:
    assert pith(*arguments).exit_code == 2


def test_explain() -> None:
    result = pith("explain", "-", "--model", "gpt-5", text=AB)
    assert result.exit_code == 0
    assert result.stdout == (
        "policy 'ab' does not match: key (none) is not 'search-*'\n"
        "policy 'rest' matches: it has no conditions\n"
        "\n"
        "policy       rest\n"
        f"version      {json.loads(pith('explain', '--json', '-', text=AB).stdout)['version']}\n"
        "variant      -\n"
        "mode         shadow\n"
        "skip         -\n"
        "cache_scope  tenant\n"
        "apply        pinned\n"
        "params\n"
    )


def test_explain_json_with_every_fact() -> None:
    facts = ("--model", "gpt-5", "--key", "search-1", "--team", "search", "--header", "X-App=rag")
    result = pith("explain", "-", "--json", *facts, "--unit", "unit-4", text=AB)
    decision = json.loads(result.stdout)
    assert (decision["policy"], decision["variant"], decision["mode"]) == ("ab", "half", "on")
    assert decision["params"] == {"rate": 0.5}
    assert decision["why"][-1].endswith("variant 'half'")


def test_explain_headers_that_override() -> None:
    decision = json.loads(
        pith("explain", "-", "--json", "--header", "X-Pith-Mode=off", "--path", "/v1/x", text=AB).stdout
    )
    assert (decision["mode"], decision["skip"]) == ("off", "opted_out")


def test_explain_a_bad_file() -> None:
    result = pith("explain", "-", text=BAD)
    assert result.exit_code == 1
    assert "unknown key; did you mean 'rate'?" in result.stderr
