"""Real Redis servers on loopback, each in a folder of its own: one, with Sentinels, or as a Cluster."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

PATIENCE_S = 20.0
REMEDY = "redis-server is not on this machine: run tests/services.sh, or install Redis 7 or newer"


def until(holds: Callable[[], bool], what: str) -> None:
    """Ask until it holds, or fail the test."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {PATIENCE_S:g} s in vain: {what}")
        time.sleep(0.01)


async def comes(holds: Callable[[], Awaitable[bool]], what: str) -> None:
    """As `until`, for what has to be awaited."""
    deadline = time.monotonic() + PATIENCE_S
    while not await holds():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {PATIENCE_S:g} s in vain: {what}")
        await asyncio.sleep(0.01)


def free_port() -> int:
    """A port of loopback on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class RedisServer:
    """One process of redis-server; nothing of it is written to disk but what a test asks for."""

    def __init__(self, folder: Path, *arguments: str, port: int | None = None) -> None:
        folder.mkdir(exist_ok=True)
        self.port = port or free_port()
        self.socket = folder / "redis.sock"
        self.folder = folder
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def ask(self, *command: str | bytes | int, db: int = 0) -> Any:
        """What the server answers."""
        once = Retry(NoBackoff(), 0)
        with redis.Redis("127.0.0.1", self.port, db, socket_timeout=PATIENCE_S, retry=once) as client:
            return client.execute_command(*command)

    def stored(self, db: int = 0) -> list[bytes]:
        """Every key there is."""
        found: list[bytes] = self.ask("KEYS", "*", db=db)
        return found

    def start(self) -> None:
        """Start; it answers when this returns."""
        binary = shutil.which("redis-server")
        if binary is None:
            pytest.fail(REMEDY)
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket", str(self.socket)]
        options += ["--save", "", "--appendonly", "no", "--dir", str(self.folder)]
        options += ["--repl-diskless-sync-delay", "0"]
        with (self.folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                [binary, *self._own_file(), *options, *self._arguments], stdout=log, stderr=log
            )
        until(self._answers, f"redis-server on port {self.port}, see {self.folder / 'redis.log'}")

    def stop(self) -> None:
        """End the process at once, as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE_S)
            self._process = None

    def _own_file(self) -> Sequence[str]:
        """A Sentinel must have a file to write to."""
        if "--sentinel" not in self._arguments:
            return ()
        file = self.folder / "sentinel.conf"
        file.touch()
        return (str(file),)

    def _answers(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            pytest.fail(f"redis-server ended: {(self.folder / 'redis.log').read_text()[-2000:]}")
        try:
            with socket.create_connection(("127.0.0.1", self.port), PATIENCE_S) as plain:
                plain.sendall(b"PING\r\n")
                return plain.recv(100).startswith((b"+PONG", b"-NOAUTH"))
        except ConnectionError:
            return False


@contextmanager
def redis_server(folder: Path, *arguments: str, port: int | None = None) -> Iterator[RedisServer]:
    """A running server."""
    server = RedisServer(folder, *arguments, port=port)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@contextmanager
def redis_sentinel(folder: Path, service: str = "pith") -> Iterator[tuple[RedisServer, list[RedisServer]]]:
    """A Sentinel that watches a primary with a replica: (the Sentinel, [primary, replica])."""
    with ExitStack() as stack:
        primary = stack.enter_context(redis_server(folder / "primary"))
        replica = stack.enter_context(
            redis_server(folder / "replica", "--replicaof", f"127.0.0.1 {primary.port}")
        )
        until(lambda: primary.ask("INFO", "replication")["connected_slaves"] == 1, "the replica's connection")
        sentinel = stack.enter_context(redis_server(folder / "sentinel", "--sentinel"))
        sentinel.ask("SENTINEL", "MONITOR", service, "127.0.0.1", primary.port, 1)
        for name, value in (("down-after-milliseconds", 200), ("failover-timeout", 1000)):
            sentinel.ask("SENTINEL", "SET", service, name, value)
        until(
            lambda: len(sentinel.ask("SENTINEL", "REPLICAS", service)) == 1,
            "the Sentinel's finding the replica",
        )
        yield sentinel, [primary, replica]


@contextmanager
def redis_cluster(folder: Path, nodes: int = 3) -> Iterator[list[RedisServer]]:
    """A Cluster of primaries."""
    with ExitStack() as stack:
        servers = [
            stack.enter_context(
                redis_server(
                    folder / f"node{number}", "--cluster-enabled", "yes", "--cluster-port", str(free_port())
                )
            )
            for number in range(nodes)
        ]
        share = -(-16384 // nodes)
        for number, server in enumerate(servers):
            server.ask("CLUSTER", "ADDSLOTSRANGE", number * share, min(16383, (number + 1) * share - 1))
            server.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        first = servers[0]
        for server in servers[1:]:
            bus = int(server._arguments[-1])
            first.ask("CLUSTER", "MEET", "127.0.0.1", server.port, bus)
        until(lambda: all(is_whole(server, nodes) for server in servers), "the Cluster's agreement")
        yield servers


def is_whole(server: RedisServer, nodes: int) -> bool:
    """Whether a node knows of all nodes and all slots."""
    info = server.ask("CLUSTER", "INFO")
    said = info if isinstance(info, dict) else dict(line.split(":") for line in info.decode().split())
    return bool(said["cluster_state"] == "ok" and said["cluster_known_nodes"] == str(nodes))
