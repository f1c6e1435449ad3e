"""`pith serve`: a start that is refused says why and ends with 1. That it runs is tests/test_readme.py's."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli.serve import at_most_shadow
from gateway.settings import Config
from policies.schema import Mode
from tests.documents import ledger_in, pith


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        yield port


def test_a_port_in_use_is_said_before_anything_is_loaded(taken_port: int, tmp_path: Path) -> None:
    ran = pith(
        ["serve", "--port", str(taken_port), "--admin", "off", "--ledger", ledger_in(tmp_path)], tmp_path
    )
    assert ran.returncode == 1
    remedy = "stop what listens there, or choose another with --port"
    assert ran.stderr == f"Error: cannot listen on 127.0.0.1:{taken_port}: Address already in use; {remedy}\n"
    assert list(tmp_path.iterdir()) == []


def test_an_admin_port_in_use_is_said(taken_port: int, tmp_path: Path) -> None:
    arguments = ["--port", "0", "--admin", f"127.0.0.1:{taken_port}", "--ledger", ledger_in(tmp_path)]
    ran = pith(["serve", *arguments], tmp_path)
    assert ran.returncode == 1
    remedy = "stop what listens there, or choose another with --admin"
    assert ran.stderr == f"Error: cannot listen on 127.0.0.1:{taken_port}: Address already in use; {remedy}\n"
    assert list(tmp_path.iterdir()) == []


def test_a_policy_error_stops_the_start_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("policies:\n  - name: 1\n")
    arguments = [
        "serve",
        "--port",
        "0",
        "--admin",
        "off",
        "--policies",
        "p.yaml",
        "--ledger",
        ledger_in(tmp_path),
    ]
    ran = pith(arguments, tmp_path)
    assert ran.returncode == 1
    assert "Traceback" not in ran.stderr
    last = ran.stderr.splitlines()[-1]
    assert last == "Error: p.yaml:2: policies[0].name: value 1: must be text; put it in quotes"
    assert ran.stdout == ""


@pytest.mark.parametrize(
    ("mode", "is_asked", "in_force"),
    [("on", True, "shadow"), ("shadow", True, "shadow"), ("off", True, "off"), ("on", False, "on")],
)
def test_shadow_never_weakens_the_kill_switch(mode: Mode, is_asked: bool, in_force: Mode) -> None:
    assert at_most_shadow(Config(mode=mode), is_asked).mode == in_force
