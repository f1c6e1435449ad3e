"""gateway.services: what is watched while a process runs, and what is said of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from compressor import CompressionParams, ParamsError
from gateway.config import load as load_config
from gateway.services import Services, open_services, prepare
from policies.schema import Mode
from tests.fakes import LengthScorer

TEXT = "The committee of the city decided on the long agenda of the day. " * 10


class Said(logging.Handler):
    """The messages of the services' log as they come."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._messages: asyncio.Queue[str] = asyncio.Queue()

    def emit(self, record: logging.LogRecord) -> None:
        self._loop.call_soon_threadsafe(self._messages.put_nowait, record.getMessage())

    async def next(self) -> str:
        async with asyncio.timeout(20):
            return await self._messages.get()


@pytest.fixture
async def said() -> AsyncIterator[Said]:
    logger, said = logging.getLogger("gateway.services"), Said()
    logger.addHandler(said)
    before = logger.level
    logger.setLevel(logging.INFO)
    yield said
    logger.setLevel(before)
    logger.removeHandler(said)


@asynccontextmanager
async def running(
    folder: Path, scorer: LengthScorer, read_mode: Callable[[], Mode] = lambda: "on"
) -> AsyncIterator[Services]:
    config = load_config(None, {}, {"ledger": f"sqlite:///{folder / 'ledger.db'}"})
    async with open_services(config, scorer, read_mode, poll_s=0.001) as services:
        yield services


async def test_a_scorer_that_fails_and_recovers_is_said_once_each(said: Said, tmp_path: Path) -> None:
    scorer = LengthScorer()
    async with running(tmp_path, scorer) as services:
        scorer.error = RuntimeError("canary")
        await services.compressor.compress([TEXT], CompressionParams())
        assert await said.next() == "scorer degraded, texts go on whole: RuntimeError in the scorer"
        assert services.degraded() == ["scorer: RuntimeError in the scorer"]
        scorer.error = None
        await services.compressor.compress([TEXT + "Once more."], CompressionParams())
        assert await said.next() == "scorer answers again"
        assert services.degraded() == []


async def test_a_watch_that_ends_is_said(said: Said, tmp_path: Path) -> None:
    def read_mode() -> Mode:
        raise ZeroDivisionError

    async with running(tmp_path, LengthScorer(), read_mode) as services:
        assert await said.next() == "the watch of mode has ended, restart Pith: ZeroDivisionError"
        [result] = await services.compressor.compress([TEXT], CompressionParams(rate=0.5))
        assert result.skip is None, "requests go on"


def test_with_a_remote_scorer_none_is_loaded(tmp_path: Path) -> None:
    file = tmp_path / "pith.yaml"
    file.write_text('compressor: {remote: "http://gpu:8080", scorer: /no/such/folder}\n')
    assert prepare(load_config(file, {}, {})) is None


def test_a_remote_scorer_cannot_what_a_policy_asks_for(tmp_path: Path) -> None:
    file = tmp_path / "pith.yaml"
    file.write_text(
        'compressor: {remote: "http://gpu:8080"}\n'
        "policies: [{name: all, params: {rate: 0.5, fidelity: compat}}]\n"
    )
    with pytest.raises(ParamsError, match="fidelity compat"):
        prepare(load_config(file, {}, {}))
