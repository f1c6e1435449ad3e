"""README.md and the other pages as a newcomer meets them: every command runs, every example prints what is
shown (`python -m tests.documents` writes it anew), every link leads somewhere.
"""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gateway.cli import COMMANDS
from policies.lint import lint
from tests.documents import (
    EXECUTED,
    PATIENCE_S,
    blocks,
    environment,
    gateway,
    ledger_in,
    pages,
    pith,
    read,
    refreshed,
    shown,
)
from tests.tracked import ROOT

SHELL_PAGES = (
    *("README.md", "docs/operations.md", "docs/policies.md", "docs/ledger.md"),
    "docs/experiments.md",
)
"""Not docs/benchmarks.md: its commands measure for minutes. `tests/gateway/cli` runs them shortened."""

NOT_RUN = {"docker": "needs a daemon; tests/test_deploy.py reads the Dockerfile"}
IN_CI = {"install", "check", "test"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where commands run: as in a clone, but for the files they write."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("gateway", "policies"):
        (folder / name).symlink_to(ROOT / name)
    example, *_ = blocks(read("docs/policies.md"), "yaml")
    (folder / "policies.yaml").write_text(example, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    with gateway(folder) as url:
        yield url


@pytest.mark.timeout(2 * PATIENCE_S)
@pytest.mark.parametrize("page", EXECUTED)
def test_every_example_prints_what_is_shown(page: str, url: str) -> None:
    now = refreshed(read(page), url)
    assert now == read(page), "run `python -m tests.documents` and read what changed"


def test_an_example_that_prints_something_else_is_noticed(url: str) -> None:
    page = (
        "```python\nprint(1 + 1)\n```\n\n```text\n3\n```\n\n"
        "```http\nGET /pith/healthz\n```\n\n```json\n{}\n```\n"
    )
    assert refreshed(page, url) == page.replace("3", "2").replace("{}", '{"status": "ok"}')


def test_an_example_that_fails_is_noticed(url: str) -> None:
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        refreshed("```python\n1 / 0\n```\n", url)


def commands(page: str) -> list[str]:
    """The lines of the page's shell blocks, without comments."""
    lines = [line.partition("  #")[0].strip() for block in blocks(page, "sh") for line in block.splitlines()]
    return [line for line in lines if line]


SHELL = [(page, command) for page in SHELL_PAGES for command in commands(read(page))]


def way_to_test(command: str) -> str:
    """How a command is accounted for: `run`, `serve`, `make`, `activate` or `not run`."""
    program, *arguments = shlex.split(command)
    if program == "pith":
        return "serve" if arguments[0] == "serve" else "run"
    if program == "." and arguments == [".venv/bin/activate"]:
        return "activate"
    if program == "make":
        return "make"
    assert program in NOT_RUN, f"no test runs {command!r}"
    return "not run"


def test_a_command_nobody_runs_is_noticed() -> None:
    with pytest.raises(AssertionError, match="no test runs 'rm -rf build'"):
        way_to_test("rm -rf build")


def test_the_readme_holds_the_first_commands_of_a_newcomer() -> None:
    found = [command for page, command in SHELL if page == "README.md"]
    assert found[:3] == ["make install", ". .venv/bin/activate", "make run"]


@pytest.mark.timeout(2 * PATIENCE_S)
@pytest.mark.parametrize(("page", "command"), SHELL)
def test_every_command_works(page: str, command: str, folder: Path, url: str) -> None:
    way = way_to_test(command)
    if way == "run":
        assert httpx.get(f"{url}/v1/models").status_code == 200  # for the ledger to have a row
        ran = pith(shlex.split(command)[1:], folder, PITH_LEDGER=ledger_in(folder))
        assert (ran.returncode, ran.stdout != "" or ran.stderr != "") == (0, True), ran.stderr
    elif way == "serve":
        assert_serves(shlex.split(command)[1:], folder)
    elif way == "make":
        assert_made(shlex.split(command)[1:], folder)
    elif way == "activate":
        assert "VENV := .venv\n" in (ROOT / "Makefile").read_text(encoding="utf-8")


def assert_made(arguments: list[str], folder: Path) -> None:
    """CI runs the target, or what it would run is run here."""
    target = arguments[0]
    ci = (ROOT / ".ci/run").read_text(encoding="utf-8")
    if target in IN_CI:
        assert re.search(rf"^step \w+ make {target}$", ci, re.MULTILINE)
        return
    planned = planned_by_make(arguments)
    assert planned[:2] == [".venv/bin/pith", "serve"]
    assert_serves(planned[1:], folder)


def planned_by_make(arguments: list[str]) -> list[str]:
    """The command that `make` runs once `.venv` is there."""
    command = ["make", "--no-print-directory", "--dry-run", *arguments]
    ran = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=True)
    return shlex.split(ran.stdout.splitlines()[-1])


def assert_serves(arguments: list[str], folder: Path) -> None:
    """It starts, is ready, and stops with 0 when it is told to."""
    command = [str(Path(sys.executable).with_name("pith")), *arguments]
    variables = environment(PITH_LISTEN__PORT="0", PITH_LEDGER=ledger_in(folder))
    with subprocess.Popen(
        command, cwd=folder, env=variables, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            greeting = process.stdout.readline()
            found = re.fullmatch(
                r"Pith listens on (\S+) and forwards to https://api\.openai\.com \(mode on\)\n", greeting
            )
            assert found, greeting
            assert httpx.get(f"{found[1]}/pith/readyz").json()["status"] == "ready"
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)
    assert process.returncode == 0


def test_make_demo_is_pith_demo() -> None:
    assert planned_by_make(["demo"]) == [".venv/bin/pith", "demo"]


def test_the_demo_ends_with_what_to_do_next(folder: Path) -> None:
    ran = pith(["demo"], folder)
    assert ran.returncode == 0, ran.stderr
    assert max(map(len, ran.stdout.splitlines())) <= 80
    assert "[-" in ran.stdout, "dropped words are told from kept ones without colour"
    assert 'OpenAI(base_url="http://localhost:8080/v1")' in ran.stdout
    assert set(re.findall(r"^  pith (\w+) ", ran.stdout, re.MULTILINE)) <= COMMANDS.keys()


MAKE_TARGETS = set(
    re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
)


@pytest.mark.parametrize("page", pages())
def test_every_make_target_that_is_named_exists(page: str) -> None:
    assert set(re.findall(r"`make ([\w-]+)", read(page))) <= MAKE_TARGETS


@pytest.mark.parametrize("example", blocks(read("README.md"), "yaml"))
def test_the_policies_shown_are_sound(example: str) -> None:
    assert lint(example, "README.md") == []


def anchors(page: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(
        r"^#+ (.+)$", re.sub(r"^```.*?^```", "", page, flags=re.MULTILINE | re.DOTALL), re.M
    )
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dead_links(page: str, text: str) -> list[str]:
    """Links to files or headings that are not there."""
    dead = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        if "://" in target:
            continue
        file = (ROOT / page).parent / path if path else ROOT / page
        if not file.exists() or (anchor and anchor not in anchors(file.read_text(encoding="utf-8"))):
            dead.append(target)
    return dead


@pytest.mark.parametrize("page", pages())
def test_every_link_leads_somewhere(page: str) -> None:
    assert dead_links(page, read(page)) == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = set(), ["README.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        linked = re.findall(r"\]\(([\w./-]+\.md|[A-Z]+)", read(page))
        found = {str(((ROOT / page).parent / path).resolve().relative_to(ROOT)) for path in linked}
        waiting += [page for page in found - reached if page.endswith(".md")]
    assert set(pages()) - {"CHANGELOG.md"} <= reached


def test_a_dead_link_is_noticed() -> None:
    text = (
        "[a](docs/api.md) [b](docs/nothing.md) [c](docs/api.md#errors) [d](docs/api.md#no) [e](https://e.org)"
    )
    assert dead_links("README.md", text) == ["docs/nothing.md", "docs/api.md#no"]


def test_long_json_breaks_and_short_json_does_not() -> None:
    value = {"a": [1, 2], "b": "x" * 100, "c": [["y" * 60, "z" * 60]]}
    assert shown({"a": [1, 2]}) == '{"a": [1, 2]}'
    assert shown(value).splitlines()[:2] == ["{", '  "a": [1, 2],']


def test_the_experiment_of_the_tutorial_is_the_one_it_shows() -> None:
    shown_policies, *_ = blocks(read("docs/experiments.md"), "yaml")
    assert shown_policies == (ROOT / "gateway/demo/household_policies.yaml").read_text(encoding="utf-8")
