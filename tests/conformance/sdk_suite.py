"""Runs the official OpenAI Python SDK's own tests through Pith: nothing they see may differ.

    python -m tests.conformance.sdk_suite           exit code 1 with a regression or a byte that differs

6,271 tests talk to a mock of the whole API, first directly, then through Pith with compression off; every
exchange is compared byte for byte on both sides. What compares them, and the specification for the mock, are
not in this repository: `--suite FOLDER` or PITH_CONFORMANCE says where they are (by default in
`shared/conformance` beside this checkout). Where they are not, the step says so and is left out.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLACE = ROOT / ".venv" / "sdk-suite"
LOCK = ROOT / "requirements" / "sdk-suite.txt"
MOCK = Path(__file__).parent / "mock"
SUITE = ROOT.parent / "shared" / "conformance"
START_S = 60.0
MISSING = """\
left out: no SDK suite at {suite}
It takes a comparison of exchanges (run_suite.py) and openapi.transformed.yml, the specification of the SDK's
own version, from the repository openai/openai-python (commit e43b422).
Say where with --suite or PITH_CONFORMANCE."""


def main() -> int:
    """Prints what came of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--suite", type=Path, default=Path(os.environ.get("PITH_CONFORMANCE", SUITE)))
    suite: Path = parser.parse_args().suite
    if not (suite / "run_suite.py").is_file():
        print(MISSING.format(suite=suite))
        return 0
    prepare()
    specification = PLACE / "openapi.yml"
    specification.write_bytes(gzip.decompress((suite / "openapi.transformed.yml.gz").read_bytes()))
    front, back, mock, port = free_ports(4)
    with pith(f"http://127.0.0.1:{back}", port):
        command: list[object] = [PLACE / "bin" / "python", suite / "run_suite.py", "--tests", source()]
        command += ["--python", PLACE / "bin" / "python", "--steady", steady(), "--spec", specification]
        command += ["--front-port", front, "--back-port", back, "--mock-port", mock]
        command += ["--base-url", f"http://127.0.0.1:{port}/v1", "--own-prefix", "x-pith-"]
        return subprocess.run(
            [*map(str, command), "--out", str(PLACE / "suite.json")], check=False
        ).returncode


def prepare() -> None:
    """The SDK with its tests and the mock, as the lock files say; made where they are not, or are others'."""
    said = LOCK.read_bytes() + (MOCK / "package-lock.json").read_bytes()
    mark = PLACE / "lock"
    if mark.is_file() and mark.read_bytes() == said:
        return
    get_npm()
    venv.create(PLACE, with_pip=True, clear=True)
    pip: list[str | Path] = [PLACE / "bin" / "python", "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--require-hashes", "-r", LOCK], check=True)
    only = PLACE / "openai.txt"
    only.write_text(pinned("openai"))
    download = ("download", "--no-deps", "--no-binary", "openai", "--require-hashes", "-d", PLACE, "-r", only)
    subprocess.run([*pip, *download], check=True)
    [archive] = PLACE.glob("openai-*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(PLACE / "sdk", filter="data")
    shutil.copytree(MOCK, PLACE / "mock")
    npm = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
    subprocess.run(npm, cwd=PLACE / "mock", check=True)
    mark.write_bytes(said)


def get_npm() -> None:
    """If it is missing, on Debian and Ubuntu, as root; elsewhere says what to install."""
    if shutil.which("npm") is not None:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        sys.exit("npm is missing: install Node.js 18 or newer with npm (Debian: apt-get install npm)")
    apt = ("apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300")
    subprocess.run([*apt, "update"], check=True)
    subprocess.run([*apt, "install", "-y", "--no-install-recommends", "npm"], check=True)


def pinned(name: str) -> str:
    """The lines of the lock that pin one package."""
    blocks = LOCK.read_text().replace("\\\n", "\\\0").splitlines()
    return next(block for block in blocks if block.startswith((f"{name}==", f"{name}["))).replace("\0", "\n")


def source() -> Path:
    """The SDK's source, with its tests."""
    [folder] = (PLACE / "sdk").iterdir()
    return folder


def steady() -> Path:
    """The mock's executable."""
    [found] = (PLACE / "mock").glob("node_modules/@stdy/cli-*/bin/steady")
    return found


@contextmanager
def pith(upstream: str, port: int, place: Path = PLACE, **settings: object) -> Iterator[None]:
    """A gateway in front of an upstream; compression is off unless the settings say otherwise."""
    config = {
        "upstreams": {"mock": {"url": upstream}},
        "mode": "off",
        "admin": "off",
        "ledger": f"sqlite:///{place / 'suite.db'}",
        "compressor": {"scorer": "frequency"},
        **settings,
    }
    file = place / "pith.json"
    file.write_text(json.dumps(config))  # JSON is YAML
    command = [sys.executable, "-m", "gateway", "serve", "--config", str(file), "--port", str(port)]
    log = place / "pith.log"
    with log.open("wb") as told, subprocess.Popen(command, stderr=told, cwd=ROOT) as process:
        try:
            wait_for(f"http://127.0.0.1:{port}/pith/healthz", log)
            yield
        finally:
            process.send_signal(signal.SIGTERM)


def wait_for(url: str, log: Path) -> None:
    """Until it answers."""
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(url, timeout=1).close()
            return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    sys.exit(f"Pith did not start; see {log}")


def free_ports(n: int) -> list[int]:
    """Ports of loopback on which nobody listens."""
    probes = [socket.socket() for _ in range(n)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


if __name__ == "__main__":
    sys.exit(main())
