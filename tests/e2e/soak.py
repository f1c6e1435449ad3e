"""Does anything grow? `pith serve` under mixed traffic for as long as asked, a third of the clients leaving.

    python -m tests.e2e.soak --minutes 30

prints a line a minute, then how memory grew, what was left when all clients had gone, and the verdict; the
exit code is 0 if nothing leaked. The traffic (`soak_traffic.py`): small requests passed on, chat and streams
with compression, uploads and downloads of 4 MiB, WebSockets.

The verdict compares two moments of rest, when no client is there and kept connections are gone: one after the
warm-up, one at the end. File descriptors, tasks, turns and connections have to be the same; memory may have
grown by NOISE_MIB, or NOISE_SHARE of it, by the slope over all samples behind the warm-up.
"""

from __future__ import annotations

import asyncio
import re
import signal
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from tests.e2e.soak_traffic import Clients, upstream

ROOT = Path(__file__).parents[2]
START_S = 60.0
REST_S = 30.0
WARM_UP_SHARE = 0.15
WARM_UP_MOST_S = 240.0
NOISE_MIB = 8.0
NOISE_SHARE = 0.05


@dataclass(frozen=True)
class Sample:
    """What the process holds at one moment."""

    at_s: float
    rss_mib: float
    fds: int
    threads: int
    tasks: int
    requests: int
    """In flight."""
    turns: int
    """Exchanges and tunnels with the upstream."""
    idle: int
    """Kept connections to the upstream."""

    @property
    def is_resting(self) -> bool:
        return (self.requests, self.turns, self.idle) == (0, 0, 0)


@dataclass(frozen=True)
class Verdict:
    slope_mib_h: float
    grown_mib: float
    faults: tuple[str, ...]


def judge(samples: Sequence[Sample], before: Sample, after: Sample, failed: int) -> Verdict:
    """Whether anything leaked between two moments of rest, and how memory went in between."""
    slope = _slope([sample.at_s for sample in samples], [sample.rss_mib for sample in samples])
    grown = slope * (samples[-1].at_s - samples[0].at_s)
    allowed = max(NOISE_MIB, NOISE_SHARE * before.rss_mib)
    faults = [
        f"{name}: {getattr(before, name)} before, {getattr(after, name)} after"
        for name in ("fds", "tasks", "requests", "turns", "idle")
        if getattr(after, name) > getattr(before, name)
    ]
    if grown > allowed:
        faults.append(f"memory grew by {grown:.1f} MiB, more than {allowed:.1f}")
    if failed:
        faults.append(f"{failed} requests failed")
    return Verdict(slope * 3600, grown, tuple(faults))


def _slope(xs: Sequence[float], ys: Sequence[float]) -> float:
    """Least squares; 0 where there is nothing to see."""
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - mean_x) ** 2 for x in xs)
    return sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / spread if spread else 0.0


class Pith:
    """The process under test."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, metrics_url: str) -> None:
        self.process = process
        self.port = port
        self._metrics_url = metrics_url
        self._began = time.monotonic()

    async def sample(self) -> Sample:
        proc = Path(f"/proc/{self.process.pid}")
        status = (proc / "status").read_text()
        metrics = await asyncio.to_thread(self._metrics)
        return Sample(
            at_s=time.monotonic() - self._began,
            rss_mib=_number(r"VmRSS:\s+(\d+)", status) / 1024,
            fds=len(list((proc / "fd").iterdir())),
            threads=int(_number(r"Threads:\s+(\d+)", status)),
            tasks=int(_number(r"^pith_tasks ([\d.]+)", metrics)),
            requests=int(_number(r"^pith_in_flight ([\d.]+)", metrics)),
            turns=int(_number(r'^pith_upstream_in_flight{upstream="openai"} ([\d.]+)', metrics)),
            idle=int(_number(r'^pith_upstream_idle_connections{upstream="openai"} ([\d.]+)', metrics)),
        )

    async def rest(self) -> Sample:
        """The process once nothing is under way; where that does not come, as it is after REST_S."""
        with suppress(TimeoutError):
            async with asyncio.timeout(REST_S):
                while True:
                    if (await self.sample()).is_resting:
                        break
                    await asyncio.sleep(0.5)
        await asyncio.sleep(2)  # the counts are told twice a second; and their last question's socket is gone
        return await self.sample()

    def _metrics(self) -> str:
        request = urllib.request.Request(self._metrics_url, headers={"connection": "close"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            text: str = answer.read().decode()
            return text


def _number(pattern: str, text: str) -> float:
    found = re.search(pattern, text, re.MULTILINE)
    return float(found[1]) if found else 0.0


@asynccontextmanager
async def serving(upstream_url: str, folder: Path) -> AsyncIterator[Pith]:
    """`pith serve` before the upstream, with everything on; its log goes to a file in `folder`."""
    arguments = ["--port", "0", "--admin", "127.0.0.1:0", "--upstream", upstream_url]
    with (folder / "pith.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(
                sys.executable,
                "-m",
                "gateway",
                "serve",
                *arguments,
                "--ledger",
                f"sqlite:///{folder / 'l.db'}",
            ),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    try:
        assert process.stdout is not None
        said = ""
        async with asyncio.timeout(START_S):
            while "/metrics" not in said:
                line = (await process.stdout.readline()).decode()
                assert line, f"pith serve did not start:\n{(folder / 'pith.log').read_text()}"
                said += line
        port = int(_number(r"listens on http://[\d.]+:(\d+)", said))
        found = re.search(r"http://\S+/metrics", said)
        assert found is not None, said
        yield Pith(process, port, found[0])
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        await process.wait()


async def soak(minutes: float, n_clients: int, interval_s: float) -> Verdict:
    server = await asyncio.start_server(upstream, "127.0.0.1", 0, limit=8 << 20)
    url = "http://{}:{}".format(*server.sockets[0].getsockname())
    with tempfile.TemporaryDirectory(prefix="pith-soak-") as folder:
        async with serving(url, Path(folder)) as pith:
            clients = Clients(pith.port, n_clients)
            warm_up_s = min(WARM_UP_MOST_S, minutes * 60 * WARM_UP_SHARE)
            await clients.run(warm_up_s)
            before = await pith.rest()
            _show("rest", before, clients)
            running = asyncio.create_task(clients.run(minutes * 60 - warm_up_s))
            samples = []
            while not running.done():
                await asyncio.wait([running], timeout=interval_s)
                samples.append(await pith.sample())
                _show(f"{samples[-1].at_s / 60:.1f} min", samples[-1], clients)
            await running
            after = await pith.rest()
            _show("rest", after, clients)
    server.close()
    await server.wait_closed()
    n_failed = sum(n for what, n in clients.tally.items() if what.startswith("failed"))
    print(*(f"{n:>9} {what}" for what, n in sorted(clients.tally.items())), sep="\n")
    return judge(samples, before, after, n_failed)


def _show(moment: str, sample: Sample, clients: Clients) -> None:
    values = {name: round(value, 1) for name, value in asdict(sample).items() if name != "at_s"}
    n_left = sum(n for what, n in clients.tally.items() if what.startswith("left"))
    told = " ".join(f"{name} {value}" for name, value in values.items())
    print(f"{moment:>9}: {told} | done {clients.tally.total()}, left {n_left}", flush=True)


@click.command(help=__doc__)
@click.option("--minutes", type=float, default=30.0, show_default=True)
@click.option("--clients", "n_clients", type=int, default=16, show_default=True)
@click.option("--interval", "interval_s", type=float, default=60.0, show_default=True, help="Seconds a line.")
def main(minutes: float, n_clients: int, interval_s: float) -> None:
    verdict = asyncio.run(soak(minutes, n_clients, interval_s))
    print(f"memory: {verdict.slope_mib_h:+.2f} MiB an hour, {verdict.grown_mib:+.2f} MiB in all")
    for fault in verdict.faults:
        print("LEAK", fault)
    print("verdict:", "something leaked" if verdict.faults else "nothing leaked")
    sys.exit(1 if verdict.faults else 0)


if __name__ == "__main__":
    main()
