"""Two gateways as processes, one ledger in PostgreSQL: its fall costs neither answers nor rows."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.conftest import serving
from tests.e2e.openai_upstream import OpenAIUpstream
from tests.e2e.scripted_upstream import PATIENCE_S
from tests.e2e.whole_gateway import chat
from tests.left_behind import contents
from tests.postgres_server import PASSWORD, postgres_server
from tests.redis_server import until


@contextlib.contextmanager
def replica(folder: Path, upstream: str, env: dict[str, str]) -> Iterator[str]:
    """A gateway by `pith serve`: its URL. It ends when told to."""
    folder.mkdir()
    config = {
        "upstreams": {"openai": {"url": upstream}},
        "ledger": "env:DB",
        "admin": "off",
        "listen": {"port": 0},
    }
    (folder / "pith.yaml").write_text(json.dumps(config))
    command = [sys.executable, "-m", "gateway", "serve", "--config", str(folder / "pith.yaml")]
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


def reported(url: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "gateway", "report", "--ledger", url, "--by", "route", "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    report: dict[str, Any] = json.loads(ran.stdout)
    return report


def ask(url: str) -> None:
    headers = {"authorization": "Bearer sk-caller"}
    answer = httpx.post(f"{url}/v1/chat/completions", json=chat("Hi."), headers=headers, timeout=PATIENCE_S)
    assert answer.status_code == 200


def test_replicas_share_a_ledger_that_may_fall(tmp_path: Path) -> None:
    with postgres_server() as server, serving(OpenAIUpstream().app()) as port:
        env = {**os.environ, "DB": server.url, "PITH_SECRET": "s" * 32}
        with contextlib.ExitStack() as stack:
            urls = [
                stack.enter_context(replica(tmp_path / name, f"http://127.0.0.1:{port}", env))
                for name in ("a", "b")
            ]
            for url in urls:
                ask(url)
            until(lambda: server.ask("select count(*) from entries") == [(2,)], "two rows")
            server.stop()
            for url in urls:
                ask(url)
        # stopped while the ledger was away: what it did not take lies on disk
        server.start()
        assert reported(server.url)["total"]["requests"] == 2
        for name in ("a", "b"):
            assert len(list((tmp_path / name / "pith-ledger.spool").iterdir())) == 1
            command = [sys.executable, "-c", TAKE_UP]
            subprocess.run(command, cwd=tmp_path / name, env=env, timeout=60, check=True)
        [row] = reported(server.url)["rows"]
        assert (row["group"], row["requests"]) == ("/v1/chat/completions", 4)
    for name in ("a", "b"):
        written = b"".join(contents(tmp_path / name).values())
        assert PASSWORD.encode() not in written
        assert b"sk-caller" not in written


TAKE_UP = """
import asyncio, os
from gateway.ledger.store import SqlLedger

ledger = SqlLedger(os.environ["DB"])
ledger.start()
asyncio.run(ledger.aclose())
"""
