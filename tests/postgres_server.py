"""A real PostgreSQL server on loopback, in a folder of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.redis_server import PATIENCE_S, free_port, until

REMEDY = "PostgreSQL is not on this machine: run tests/services.sh, or install PostgreSQL 14 or newer"
UNPRIVILEGED = "postgres"
"""Who runs the server when the tests run as root, which PostgreSQL refuses."""
PASSWORD = "hunter2-postgres"


def binaries() -> Path:
    """Where `initdb` and `postgres` are."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if found:
        return found[-1]
    initdb = shutil.which("initdb")
    if initdb is None:
        pytest.fail(REMEDY)
    return Path(initdb).parent


class PostgresServer:
    """One server; what it stores goes when it goes. Passwords are asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._user = UNPRIVILEGED if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None
        if self._user is not None:
            shutil.chown(folder, self._user)

    @property
    def url(self) -> str:
        return f"postgresql://pith:{PASSWORD}@127.0.0.1:{self.port}/postgres"

    def create(self) -> None:
        """Make the files of a new server."""
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        if self._user is not None:
            shutil.chown(secret, self._user)
        options = ["-D", str(self.folder / "data"), "-U", "pith", "--pwfile", str(secret)]
        options += ["-A", "scram-sha-256", "-E", "UTF8", "--no-sync"]
        made = subprocess.run(
            [binaries() / "initdb", *options],
            user=self._user, cwd=self.folder, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert made.returncode == 0, made.stderr

    def start(self) -> None:
        """Start; it answers when this returns."""
        options = ["-D", str(self.folder / "data"), "-p", str(self.port), "-c", "listen_addresses=127.0.0.1"]
        options += ["-c", f"unix_socket_directories={self.folder}", "-c", "fsync=off"]
        log = self.folder / "log"
        with log.open("ab") as stream:
            self._process = subprocess.Popen(
                [binaries() / "postgres", *options],
                user=self._user, cwd=self.folder, stdout=stream, stderr=stream,
            )  # fmt: skip
        until(self._answers, f"PostgreSQL on port {self.port}")

    def stop(self) -> None:
        """End it; connections are cut."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(PATIENCE_S)
            self._process = None

    def ask(self, query: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(query.encode()).fetchall()

    def change(self, statement: str) -> None:
        with psycopg.connect(self.url) as connection:
            connection.execute(statement.encode())

    def _answers(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            pytest.fail(f"PostgreSQL ended: {(self.folder / 'log').read_text()[-2000:]}")
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A running server. Its folder is not pytest's: others than its owner cannot enter that."""
    with tempfile.TemporaryDirectory(prefix="pith-postgres-") as folder:
        server = PostgresServer(Path(folder))
        try:
            server.create()
            server.start()
            yield server
        finally:
            server.stop()
