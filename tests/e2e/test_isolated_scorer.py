"""`pith serve --workers 2` with scorers in processes of their own: killed, they cost savings only."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import httpx

from tests.compressor.test_isolated import is_running, is_there
from tests.e2e.scripted_upstream import PATIENCE_S
from tests.e2e.test_workers import N, Port, children, instant, serving
from tests.redis_server import comes

__all__ = ["instant"]

SENTENCE = "The committee of the society talked for hours about the bridge and about what it would cost. "
NUMBERS = count()
POLICY = {"name": "all", "params": {"rate": 0.5, "min_tokens": 20}}


@asynccontextmanager
async def isolated(folder: Path, upstream: str) -> AsyncIterator[Port]:
    settings = {"compressor": {"scorer": "frequency", "isolation": "process", "deadline_ms": 5000}}
    async with serving(folder, upstream, policies=[POLICY], **settings) as port:
        yield port


def scorers(port: Port) -> list[int]:
    """The processes of the workers' scorers."""
    return [
        child
        for worker in port.workers()
        for child in children(worker)
        if "compressor.child" in Path(f"/proc/{child}/cmdline").read_text()
    ]


async def skipped(port: Port) -> str | None:
    """Why a text that was never seen went on whole, on a connection of its own; None if it was compressed."""
    text = SENTENCE * 20 + str(next(NUMBERS))
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}]}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port.main}", timeout=PATIENCE_S) as client:
        answer = await client.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200
    skip: str | None = answer.headers.get("x-pith-skip")
    return skip


async def test_scorers_that_are_killed_are_replaced_and_requests_pass(tmp_path: Path, instant: str) -> None:
    async with isolated(tmp_path, instant) as port:
        first = scorers(port)
        assert len(first) == N
        assert [await skipped(port) for _ in range(4)] == [None] * 4
        for pid in first:
            os.kill(pid, signal.SIGKILL)
        seen = set()
        async with asyncio.timeout(PATIENCE_S):
            while (skip := await skipped(port)) is not None:
                seen.add(skip)
        assert seen <= {"scorer_down"}
        await port.until("pith_scorer_restarts_total", N)
        await port.until("pith_degraded", 0)
        second = scorers(port)
        assert len(second) == N
        assert not set(first) & set(second)
        assert await skipped(port) is None
        assert await port.stopped() == 0
    assert not any(map(is_there, second))


async def test_a_scorer_ends_with_its_worker(tmp_path: Path, instant: str) -> None:
    async with isolated(tmp_path, instant) as port:
        [victim, _] = port.workers()
        [orphan] = [child for child in children(victim) if child in scorers(port)]
        os.kill(victim, signal.SIGKILL)

        async def is_gone() -> bool:
            return not is_running(orphan)

        await comes(is_gone, "the scorer of a killed worker ends")

        async def are_back() -> bool:
            return len(scorers(port)) == N

        await comes(are_back, "the worker that takes its place has one")
