"""tests/services.sh: quick where all is there; an installation or a plain word where it is not."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.tracked import ROOT

SCRIPT = ROOT / "tests/services.sh"
PLAIN = ("sh", "env", "ls", "printf", "echo", "tee", "chmod", "rm", "cat")
"""What any system has."""


def stub(folder: Path, name: str, text: str = "exit 0") -> None:
    """A program that does as told, and writes down how it was called."""
    program = folder / name
    program.write_text(f'#!/bin/sh\necho "{name} $*" >> "$ASKED"\n{text}\n')
    program.chmod(0o755)


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A machine's programs, with neither Redis, PostgreSQL nor Chromium among them."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in PLAIN:
        found = next(Path(part) / name for part in os.defpath.split(":") if (Path(part) / name).exists())
        (programs / name).symlink_to(found)
    return programs


def run(programs: Path, user: int = 0) -> tuple[int, str, list[str]]:
    """Exit code, what was said, and which stubs were called."""
    stub(programs, "id", f"echo {user}")
    folder = programs.parent
    asked = folder / "asked"
    asked.unlink(missing_ok=True)
    environment = {
        "PATH": str(programs),
        "ASKED": str(asked),
        "POSTGRESQL": str(folder / "postgresql"),
        "POLICY": str(folder / "policy-rc.d"),
    }
    ran = subprocess.run(["/bin/sh", str(SCRIPT)], env=environment, capture_output=True, text=True)
    calls = asked.read_text().splitlines() if asked.exists() else []
    return ran.returncode, ran.stdout + ran.stderr, [call for call in calls if not call.startswith("id ")]


def test_nothing_is_done_where_nothing_is_missing(bare: Path) -> None:
    stub(bare, "redis-server")
    stub(bare, "initdb")
    stub(bare, "chromium")
    stub(bare, "apt-get")
    assert run(bare) == (0, "", [])


def test_programs_that_debian_keeps_apart_are_found(bare: Path) -> None:
    stub(bare, "redis-server")
    stub(bare, "google-chrome")
    (bare.parent / "postgresql/15/bin").mkdir(parents=True)
    (bare.parent / "postgresql/15/bin/initdb").touch()
    assert run(bare) == (0, "", [])


@pytest.mark.parametrize("user", [0, 1000])
def test_what_is_missing_is_installed_and_not_started(bare: Path, user: int) -> None:
    stub(bare, "initdb")
    stub(bare, "chromium-browser")
    stub(bare, "sudo", 'shift; "$@"')
    stub(bare, "apt-get", 'cat "$POLICY" >> "$ASKED"')
    code, said, asked = run(bare, user)
    assert (code, said) == (0, "installing redis-server, which tests need\n")
    calls = [call for call in asked if call.startswith("apt-get")]
    assert calls[0].endswith(" update")
    assert calls[1].endswith(" install -y --no-install-recommends redis-server")
    assert "exit 101" in asked, "while it is installed, nothing may be started"
    assert not (bare.parent / "policy-rc.d").exists()


def test_a_policy_of_the_machine_is_left_alone(bare: Path) -> None:
    stub(bare, "apt-get")
    (bare.parent / "policy-rc.d").write_text("theirs")
    assert run(bare)[0] == 0
    assert (bare.parent / "policy-rc.d").read_text() == "theirs"


@pytest.mark.parametrize(
    ("stubs", "user", "problem"),
    [
        ({}, 0, "tests need redis-server postgresql chromium: there is no apt-get here"),
        ({"apt-get": "exit 0", "sudo": "exit 1"}, 1000, "run tests/services.sh as root once"),
        ({"apt-get": "exit 100"}, 0, "apt-get could not install it"),
    ],
)
def test_where_it_cannot_be_installed_the_remedy_is_said(
    bare: Path, stubs: dict[str, str], user: int, problem: str
) -> None:
    for name, text in stubs.items():
        stub(bare, name, text)
    code, said, _ = run(bare, user)
    assert code == 1
    assert problem in said
    assert "install Redis 7 or newer, PostgreSQL 13 or newer and Chromium" in said
