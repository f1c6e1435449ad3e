"""The clients' environments: made from their locks where they are not, or are another lock's."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.conformance.clients.facts import ROOT, as_json
from tests.conformance.clients.programs import LOCKS, NODE, Environment, Program

PLACE = ROOT / ".venv" / "clients"
NO_NODE = "some clients are Node's: install Node.js 18 or newer with npm (Debian: apt-get install npm)"


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
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "venv", "--quiet", "--no-config", "--python", sys.executable, place], check=True)
    install = ("pip", "install", "--quiet", "--no-config", "--require-hashes", "-r", LOCKS[environment])
    subprocess.run([uv, *install, "--python", interpreter(environment)], check=True)


def _make_node(environment: Environment, place: Path) -> None:
    if shutil.which("npm") is None:
        sys.exit(NO_NODE)
    place.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(NODE / name, place)
    npm = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
    subprocess.run(npm, cwd=place, check=True)
