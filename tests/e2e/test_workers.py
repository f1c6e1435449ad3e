"""`pith serve --workers 2`: one port, two processes; what is seen of it when one dies and when all stop."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.demo.instant import instant_upstream
from tests.e2e.scripted_upstream import PATIENCE_S, Peer, ScriptedUpstream, connected
from tests.e2e.whole_gateway import DONE, STREAM, arrived, chunked, event, request
from tests.redis_server import comes
from tests.tracked import ROOT

N = 2
SINGLE = STREAM[:-2] + b"Connection: close\r\n\r\n"
"""The head of an answer behind which no other comes: the next request is on a connection of its own."""
SHORT = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}]}


@dataclass
class Port:
    """A supervisor and its workers."""

    process: asyncio.subprocess.Process
    main: int
    admin: str

    def workers(self) -> list[int]:
        """The processes that listen on the main port."""
        ours = children(self.process.pid)
        return sorted(pid for pid in ours if "spawn_main" in (Path(f"/proc/{pid}/cmdline").read_text()))

    async def stopped(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE_S):
            await self.process.wait()
        assert self.process.returncode is not None
        return self.process.returncode

    async def metric(self, name: str) -> float:
        """The sum of a metric's samples."""
        async with httpx.AsyncClient(base_url=self.admin) as client:
            page = (await client.get("/metrics")).text
        return sum(float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", page, re.MULTILINE))

    async def until(self, name: str, value: float) -> None:
        """Wait until the metric says so."""

        async def holds() -> bool:
            return await self.metric(name) == value

        await comes(holds, f"{name} is {value}")


def children(pid: int) -> Iterator[int]:
    for thread in Path(f"/proc/{pid}/task").iterdir():
        yield from map(int, (thread / "children").read_text().split())


@asynccontextmanager
async def serving(folder: Path, upstream: str, **settings: Any) -> AsyncIterator[Port]:
    file = folder / "pith.yaml"
    config = {
        "upstreams": {"openai": {"url": upstream}},
        "ledger": f"sqlite:///{folder / 'ledger.db'}",
        "listen": {"port": 0},
        "admin": {"listen": "127.0.0.1:0"},
        "workers": N,
        **settings,
    }
    file.write_text(json.dumps(config))
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", "serve", "--config", str(file)),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    try:
        assert process.stdout is not None
        said = ""
        async with asyncio.timeout(3 * PATIENCE_S):
            while "Metrics" not in said:
                line = (await process.stdout.readline()).decode()
                assert line, (folder / "log").read_text()
                said += line
        [main] = re.findall(r"Pith listens on http://127\.0\.0\.1:(\d+) ", said)
        [admin] = re.findall(r"are at (http://127\.0\.0\.1:\d+)/metrics", said)
        yield Port(process, int(main), admin)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.fixture
def instant() -> Iterator[str]:
    """An upstream that answers at once."""
    with instant_upstream() as url:
        yield url


def rows(folder: Path) -> int:
    with sqlite3.connect(folder / "ledger.db") as connection:
        [[n]] = connection.execute("select count(*) from entries")
        return int(n)


async def are_written(folder: Path, n: int) -> bool:
    return rows(folder) == n


def worker_of(client: Peer, port: Port) -> int:
    """The process at the other end of a connection."""
    here = client.local_port
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    theirs = [line.split() for line in lines]
    [inode] = [
        fields[9]
        for fields in theirs
        if fields[1].endswith(f":{port.main:04X}") and fields[2].endswith(f":{here:04X}")
    ]
    [pid] = [pid for pid in port.workers() if f"socket:[{inode}]" in open_files(pid)]
    return pid


def open_files(pid: int) -> set[str]:
    found = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.add(os.readlink(descriptor))
        except FileNotFoundError:
            continue
    return found


async def asked(client: Peer) -> int:
    """One request on a connection that stays; its status."""
    await client.send(request(SHORT))
    head, _ = await client.answer()
    return head.status


async def opened(stack: AsyncExitStack, port: Port) -> dict[int, list[Peer]]:
    """Connections that were used, at least one to each worker, by worker."""
    found: dict[int, list[Peer]] = {}
    async with asyncio.timeout(PATIENCE_S):
        while len(found) < N or sum(map(len, found.values())) < 8:
            client = await stack.enter_async_context(connected(port.main))
            assert await asked(client) == 200
            found.setdefault(worker_of(client, port), []).append(client)
    return found


async def test_a_worker_that_is_killed_takes_nobody_with_it(tmp_path: Path, instant: str) -> None:
    async with serving(tmp_path, instant) as port, AsyncExitStack() as stack:
        clients = await opened(stack, port)
        n_sent = sum(map(len, clients.values()))
        await port.until("pith_requests_total", n_sent)
        assert await port.metric("pith_workers") == N
        await comes(partial(are_written, tmp_path, n_sent), "all rows are written")

        victim, other = sorted(clients)
        os.kill(victim, signal.SIGKILL)
        for client in clients[victim]:
            assert await client.until_closed() == b""
        for _ in range(10):
            for client in clients[other]:
                assert await asked(client) == 200
            async with connected(port.main) as new:
                assert await asked(new) == 200
        n_sent += 10 * (len(clients[other]) + 1)

        await port.until("pith_workers", N)
        assert victim not in port.workers()
        await port.until("pith_requests_total", n_sent)
        again = await opened(stack, port)
        assert set(again) == set(port.workers())
        n_sent += sum(map(len, again.values()))
        assert await port.stopped() == 0
    assert rows(tmp_path) == n_sent


async def test_the_mode_that_is_set_reaches_every_worker(tmp_path: Path, instant: str) -> None:
    async with serving(tmp_path, instant) as port, AsyncExitStack() as stack:
        clients = [some[0] for some in (await opened(stack, port)).values()]
        async with httpx.AsyncClient(base_url=port.admin) as admin:
            answer = await admin.put("/v1/mode", json={"mode": "off"})
            assert answer.json()["mode"] == "off"
        for client in clients:
            await comes(partial(is_left_alone, client), "the mode is off for every worker")
        assert await port.stopped() == 0


async def is_left_alone(client: Peer) -> bool:
    await client.send(request(SHORT))
    head, _ = await client.answer()
    return head.values(b"x-pith-skip") == [b"off"]


async def test_a_stop_lets_the_streams_of_all_workers_end(tmp_path: Path, upstream: ScriptedUpstream) -> None:
    async with serving(tmp_path, upstream.url) as port, AsyncExitStack() as stack:
        streams: dict[int, tuple[Peer, Peer]] = {}
        while len(streams) < N:
            client = await stack.enter_async_context(connected(port.main))
            await client.send(request({**SHORT, "stream": True}))
            peer = await upstream.accept()
            await arrived(peer)
            await peer.send(SINGLE + chunked(event("begun")))
            await client.head()
            assert await client.chunk() == event("begun")
            found = worker_of(client, port)
            if found in streams:
                await peer.send(chunked(DONE, b""))
                assert [await client.chunk(), await client.chunk()] == [DONE, b""]
            else:
                streams[found] = client, peer
        n_sent = upstream.n_connections
        stopping = asyncio.create_task(port.stopped())
        for client, peer in streams.values():
            await peer.send(chunked(event("ended"), b""))
            assert await client.chunk() == event("ended")
            assert await client.chunk() == b""
        assert await stopping == 0
    assert rows(tmp_path) == n_sent
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        assert set(connection.execute("select is_complete from entries")) == {(1,)}
    assert "Traceback" not in (tmp_path / "log").read_text()


async def test_each_line_of_the_log_tells_its_worker(tmp_path: Path, instant: str) -> None:
    async with serving(tmp_path, instant) as port, AsyncExitStack() as stack:
        await opened(stack, port)
        assert await port.stopped() == 0
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines() if line[0] == "{"]
    requests = [line for line in lines if line["event"] == "request"]
    assert {line["worker"] for line in requests} == set(range(1, N + 1))
    assert all("worker" in line for line in lines)


async def test_what_no_worker_can_start_with_ends_the_start(tmp_path: Path) -> None:
    with pytest.raises(AssertionError) as raised:
        async with serving(tmp_path, "http://127.0.0.1:9", ledger=f"sqlite:///{tmp_path}/none/x.db"):
            pass
    assert "does not exist; create it or set another ledger" in str(raised.value)
    assert "cannot start (exit code 1): giving up" in str(raised.value)
