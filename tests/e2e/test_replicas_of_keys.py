"""Two gateways as processes of their own, one key store: a key made or revoked counts on both in seconds."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gateway.services import POLL_S
from tests.e2e.conftest import serving
from tests.e2e.openai_upstream import OpenAIUpstream
from tests.e2e.scripted_upstream import PATIENCE_S
from tests.e2e.whole_gateway import chat
from tests.left_behind import contents
from tests.postgres_server import PASSWORD, PostgresServer, postgres_server

STATES = {"made": 200, "revoked": 401}


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, PostgresServer | None]]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'keys.db'}", None
    else:
        with postgres_server() as server:
            yield server.url, server


@contextlib.contextmanager
def replica(folder: Path, upstream: str, env: dict[str, str]) -> Iterator[str]:
    """A gateway by `pith serve`: its URL."""
    folder.mkdir()
    file = folder / "pith.yaml"
    config = {
        "upstreams": {"openai": {"url": upstream, "key": "env:PROVIDER"}},
        "require_keys": True,
        "admin": "off",
        "listen": {"port": 0},
    }
    file.write_text(json.dumps(config))
    command = [sys.executable, "-m", "gateway", "serve", "--config", str(file)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=log)
        try:
            assert process.stdout is not None
            said = process.stdout.readline().decode()
            assert "Pith listens on" in said, (folder / "log").read_text()
            yield said.split()[3]
        finally:
            process.terminate()
            process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0


def pith(env: dict[str, str], *arguments: str) -> str:
    """What `pith keys` prints."""
    command = [sys.executable, "-m", "gateway", "keys", *arguments]
    ran = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=True)
    return ran.stdout.strip()


def until(urls: list[str], key: str, status: int) -> None:
    """Until every replica answers so, in the time that is promised, and some more for a busy machine."""
    deadline = time.monotonic() + POLL_S + PATIENCE_S
    waiting = list(urls)
    while waiting:
        assert time.monotonic() < deadline, (waiting, status)
        answer = httpx.post(
            f"{waiting[0]}/v1/chat/completions",
            json=chat("Hi."),
            headers={"x-api-key": key},
            timeout=PATIENCE_S,
        )
        if answer.status_code == status:
            waiting.pop(0)


def test_a_key_counts_on_every_replica(store: tuple[str, PostgresServer | None], tmp_path: Path) -> None:
    url, server = store
    env = {**os.environ, "PROVIDER": "sk-provider", "PITH_KEY_STORE": url, "PITH_SECRET": "s" * 32}
    upstream = OpenAIUpstream()
    with serving(upstream.app()) as port, contextlib.ExitStack() as stack:
        urls = [
            stack.enter_context(replica(tmp_path / name, f"http://127.0.0.1:{port}", env))
            for name in ("a", "b")
        ]
        key = pith(env, "create", "--id", "search", "--team", "search")
        until(urls, key, STATES["made"])
        if server is not None:
            server.stop()
            until(urls, key, STATES["made"])  # what was known holds
            server.start()
        pith(env, "revoke", "search")
        until(urls, key, STATES["revoked"])
        if server is not None:
            dump = str(server.ask("SELECT * FROM virtual_keys"))
            assert "search" in dump
            assert key.rpartition("-")[2] not in dump
    for name in ("a", "b"):
        written = b"".join(contents(tmp_path / name).values())
        assert PASSWORD.encode() not in written
        assert key.rpartition("-")[2].encode() not in written
