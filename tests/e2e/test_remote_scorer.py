"""Two instances: one with the scorer, one without a model. Killed, started again, slow, talking nonsense."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.config import load as load_config
from gateway.demo.instant import instant_upstream
from gateway.settings import Config
from tests.e2e.conftest import serving
from tests.e2e.scripted_upstream import PATIENCE_S, ScriptedUpstream
from tests.redis_server import comes
from tests.tracked import ROOT

SENTENCE = "The committee of the society talked for hours about the bridge and about what it would cost. "
NUMBERS = count()
POLICY = {"name": "all", "params": {"rate": 0.5, "min_tokens": 20}}
NONSENSE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.pith.scores\r\nContent-Length: 9\r\n\r\nnonsense!"
)
KEY = f"pith-thin-{'0123456789abcdef' * 4}"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def instance_with_a_scorer(folder: Path, port: int, **settings: Any) -> Iterator[subprocess.Popen[str]]:
    """`pith serve` in a process of its own."""
    folder.mkdir(exist_ok=True)
    file = folder / "pith.yaml"
    config = {
        "upstreams": {"openai": {"url": "http://127.0.0.1:9"}},
        "ledger": f"sqlite:///{folder / 'ledger.db'}",
        "listen": {"port": port},
        "admin": "off",
        "compressor": {"scorer": "frequency"},
        **settings,
    }
    file.write_text(json.dumps(config))
    with (folder / "log").open("a") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway", "serve", "--config", str(file)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    with process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert re.search("Pith listens", line), (folder / "log").read_text()
            yield process
        finally:
            process.kill()


@contextmanager
def instance_without(folder: Path, upstream: str, remote: str, **settings: Any) -> Iterator[int]:
    """In this process, with no scorer; yields its port."""
    folder.mkdir(exist_ok=True)
    file = folder / "pith.yaml"
    config = {
        "upstreams": {"openai": {"url": upstream}},
        "ledger": f"sqlite:///{folder / 'ledger.db'}",
        "compressor": {"remote": remote, "deadline_ms": 5000, **settings},
        "policies": [POLICY],
    }
    file.write_text(json.dumps(config))
    with serving(create_app(configured(file), None)) as port:
        yield port


def configured(file: Path) -> Config:
    return load_config(file, {"SCORER_KEY": KEY}, {})


async def skipped(port: int, text: str | None = None) -> str | None:
    """Why a text, one that was never seen, went on whole; None if it was compressed."""
    text = text or SENTENCE * 20 + str(next(NUMBERS))
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}]}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S) as client:
        answer = await client.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200
    skip: str | None = answer.headers.get("x-pith-skip")
    return skip


async def degraded(port: int) -> list[str]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        said: list[str] = (await client.get("/pith/readyz")).json()["degraded"]
    return said


async def is_well(port: int) -> bool:
    return not await degraded(port)


async def is_said(port: int, what: str) -> bool:
    return any(what in said for said in await degraded(port))


@pytest.fixture
def upstream() -> Iterator[str]:
    with instant_upstream() as url:
        yield url


async def test_killed_and_started_again_it_costs_savings_only(tmp_path: Path, upstream: str) -> None:
    port = free_port()
    seen = SENTENCE * 20
    with ExitStack() as stack:
        gpu = stack.enter_context(instance_with_a_scorer(tmp_path / "gpu", port))
        thin = stack.enter_context(instance_without(tmp_path / "thin", upstream, f"http://127.0.0.1:{port}"))
        assert await degraded(thin) == []
        assert await skipped(thin) is None
        assert await skipped(thin, seen) is None
        gpu.kill()
        gpu.wait()
        assert {await skipped(thin) for _ in range(5)} == {"scorer_down"}
        [said] = await degraded(thin)
        assert said.startswith("scorer: the remote scorer ")
        assert SENTENCE[:20] not in said
        assert await skipped(thin, seen) is None, "recorded here"
        with instance_with_a_scorer(tmp_path / "gpu", port):
            await comes(partial(is_well, thin), "the scorer is well")
            assert await skipped(thin) is None
    assert SENTENCE[:20] not in (tmp_path / "gpu" / "log").read_text()


async def test_it_may_come_later_and_wants_its_key(tmp_path: Path, upstream: str) -> None:
    port = free_port()
    remote = f"http://127.0.0.1:{port}"
    guarded = {
        "upstreams": {"openai": {"url": "http://127.0.0.1:9", "key": "none"}},
        "keys": [{"id": "thin", "hash": f"sha256:{hashlib.sha256(KEY.encode()).hexdigest()}"}],
    }
    with (
        instance_without(tmp_path / "stranger", upstream, remote) as stranger,
        instance_without(tmp_path / "thin", upstream, remote, remote_key="env:SCORER_KEY") as thin,
    ):
        assert await skipped(thin) == "scorer_down"
        with instance_with_a_scorer(tmp_path / "gpu", port, **guarded):
            await comes(partial(is_well, thin), "it has come")
            assert await skipped(thin) is None
            await comes(partial(is_said, stranger, "refuses this instance's key (401)"), "it is said")
            assert await skipped(stranger) == "scorer_down"


async def test_scores_are_those_of_the_instance_itself(tmp_path: Path, upstream: str) -> None:
    """What is forwarded is what an instance with the scorer would forward."""
    port = free_port()
    texts = [SENTENCE * 30, "안녕하세요 세계, 회의는 열두 시에 시작했습니다. " * 30]
    with (
        instance_with_a_scorer(tmp_path / "gpu", port),
        instance_without(tmp_path / "thin", upstream, f"http://127.0.0.1:{port}") as thin,
    ):
        answers = []
        for place in (port, thin):
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{place}", timeout=PATIENCE_S) as client:
                asked = {"texts": texts, "params": {"rate": 0.4}}
                answers.append((await client.post("/pith/v1/compress", json=asked)).json())
        assert answers[0] == answers[1]
        assert all(result["skip"] is None for result in answers[0]["results"])


async def test_one_that_is_slow_or_talks_nonsense_is_no_more_than_late(tmp_path: Path, upstream: str) -> None:
    async with ScriptedUpstream() as scripted:

        async def nonsense() -> None:
            while True:
                peer = await scripted.accept()
                await peer.body(await peer.head())
                await peer.send(NONSENSE)
                peer.close()

        talking = asyncio.create_task(nonsense())
        with instance_without(tmp_path / "thin", upstream, scripted.url, deadline_ms=200) as thin:
            assert await skipped(thin) == "scorer_down"
            await comes(partial(is_said, thin, "gave an answer that is none"), "it is said")
            assert await skipped(thin) == "scorer_down"
        talking.cancel()
        with instance_without(tmp_path / "other", upstream, scripted.url, deadline_ms=200) as thin:
            assert await skipped(thin) == "scorer_down"  # it has not said who it is
            assert "did not answer" in (await degraded(thin))[0]


async def test_what_is_no_message_is_refused(tmp_path: Path, upstream: str) -> None:
    port = free_port()
    with instance_with_a_scorer(tmp_path / "gpu", port, max_body_bytes=1024):
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S) as client:
            for body in (b"", b"nonsense", b"x" * 2000):
                answer = await client.post("/pith/v1/scores", content=body)
                assert answer.status_code == 400
                assert answer.json()["error"]["code"] == "invalid_request"
            assert (await client.get("/pith/v1/scores")).status_code == 405
