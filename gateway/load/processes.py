"""A gateway in a process of its own, on a core of its own, and what it takes of the machine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gateway.load.machine import pin

READY = re.compile(r"listens on (http://\S+)")
STOP_S = 10.0


@dataclass(frozen=True, slots=True)
class Gateway:
    """Something that forwards to the bench's upstream; `pid` is None when it is not ours."""

    name: str
    url: str
    pid: int | None = None

    def cpu_s(self) -> float | None:
        """Processor seconds it has taken, with its children (Linux)."""
        pids = [self.pid, *_children(self.pid)] if self.pid is not None else []
        found = [seconds for pid in pids if (seconds := _cpu_s(pid)) is not None]
        return sum(found) if found else None

    def resident_mib(self) -> float | None:
        """Memory it holds now, with its children (Linux)."""
        pids = [self.pid, *_children(self.pid)] if self.pid is not None else []
        found = [mib for pid in pids if (mib := _resident_mib(pid)) is not None]
        return sum(found) if found else None


@contextmanager
def pith(upstream: str, settings: Mapping[str, Any], core: int | None) -> Iterator[Gateway]:
    """`pith serve` with these settings, everything else as it comes; its log goes to a file."""
    with TemporaryDirectory(prefix="pith-bench-") as folder:
        place = Path(folder)
        file = place / "pith.yaml"
        config = {
            "upstreams": {"openai": {"url": upstream}},
            "ledger": f"sqlite:///{place / 'pith.db'}",
            "listen": {"port": 0},
            **settings,
        }
        file.write_text(json.dumps(config))  # JSON is YAML
        command = [sys.executable, "-m", "gateway", "serve", "--config", str(file)]
        with (
            (place / "log").open("w") as log,
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as process,  # noqa: S603
        ):
            try:
                assert process.stdout is not None
                if not (ready := READY.search(process.stdout.readline())):
                    process.wait(STOP_S)
                    raise RuntimeError(f"pith serve did not start: {(place / 'log').read_text().strip()}")
                if core is not None:
                    pin(process.pid, core)
                yield Gateway("pith", ready[1], process.pid)
            finally:
                process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(STOP_S)
                process.kill()


def _children(pid: int | None) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        own = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []
    return [*own, *(below for child in own for below in _children(child))]


def _cpu_s(pid: int) -> float | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident_mib(pid: int) -> float | None:
    with suppress(OSError):
        if found := re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text()):
            return int(found[1]) / 1024
    return None
