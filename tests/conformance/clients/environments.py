"""The clients' environments: made from their locks where they are not, or are another lock's."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.conformance.clients.facts import ROOT, as_json
from tests.conformance.clients.programs import LOCKS, NODE, Environment, Program
from tests.conformance.sdk_suite import get_npm

PLACE = ROOT / ".venv" / "clients"


def command(program: Program, url: str) -> list[str]:
    """What starts a program; its environment is there."""
    if program.environment == "node":
        return ["node", str(PLACE / "node" / f"{program.name}.mjs"), url]
    return [str(interpreter(program.environment)), "-m", f"tests.conformance.clients.{program.name}", url]


def interpreter(environment: Environment) -> Path:
    """The environment's Python."""
    return Path(sys.executable) if environment == "pith" else PLACE / environment / "bin" / "python"


def prepare(environment: Environment) -> None:
    """Make it, unless it is there as its lock says."""
    if environment == "pith":
        return
    place, lock = PLACE / environment, LOCKS[environment].read_bytes()
    mark = place / "lock"
    if not (mark.is_file() and mark.read_bytes() == lock):
        shutil.rmtree(place, ignore_errors=True)
        make = _make_node if environment == "node" else _make_python
        make(environment, place)
        mark.write_bytes(lock)
    if environment == "node":
        for script in NODE.glob("*.mjs"):
            shutil.copy(script, place)
        (place / "facts.json").write_text(as_json())


def _make_python(environment: Environment, place: Path) -> None:
    """By uv, which takes a tenth of the time; where only pip is told where packages are, by pip."""
    uv, python = Path(sys.executable).with_name("uv"), interpreter(environment)
    subprocess.run([uv, "venv", "--quiet", "--no-config", "--python", sys.executable, place], check=True)
    locked = ("--quiet", "--require-hashes", "-r", LOCKS[environment])
    if subprocess.run(
        [uv, "pip", "install", "--no-config", *locked, "--python", python], check=False
    ).returncode:
        pip = (sys.executable, "-m", "pip", "--python", python, "install", "--no-deps")
        subprocess.run([*pip, *locked], check=True)


def _make_node(environment: Environment, place: Path) -> None:
    get_npm()
    place.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(NODE / name, place)
    npm = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
    subprocess.run(npm, cwd=place, check=True)
