"""The fault matrix's ledger: whatever becomes of its file, requests are answered and rows are accounted for.

For each cell a gateway with a ledger of its own; several cells are tried at the same time. Space runs out for
whole processes: those cells have `pith serve` itself.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import resource
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import (
    AbstractContextManager,
    ExitStack,
    asynccontextmanager,
    closing,
    contextmanager,
    nullcontext,
)
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.config import load as load_config
from gateway.errors import ConfigError
from gateway.services import open_services
from tests.e2e import broken_disk
from tests.e2e.fault_matrix import LEDGER, Cell
from tests.e2e.test_faults import ROOT, serve_process
from tests.e2e.whole_cells import Asker, Came, Place, at, came, named, side_by_side
from tests.e2e.whole_gateway import configuration
from tests.fakes import LengthScorer
from tests.redis_server import comes

FAULTS: dict[str, broken_disk.Fault] = {
    "refused": broken_disk.folder_gone,
    "black hole": broken_disk.locked,
    "reset": broken_disk.moved_away,
    "slow drip": broken_disk.locked_now_and_then,
    "half close": broken_disk.only_readable,
    "garbage": broken_disk.garbage,
}
FULL = "bad chunk"
LOST = re.compile(r"ledger closed with (\d+) entries lost: (.*)")


@dataclass
class Running:
    """A cell's gateway, and whose process it is."""

    asker: Asker
    pid: int
    said: list[str] = field(default_factory=list)
    """The log of a process of its own, once it has ended."""


UNSPOOLED = ("refused", FULL)
"""What leaves no place on disk for rows to wait in."""


@dataclass
class Seen:
    """What came of one cell."""

    n_asked: int
    n_written: int
    said: list[str]
    """Of a start that was refused, or of rows that were lost."""


class Lines(logging.Handler):
    """What the ledgers of this process say."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


def file_of(place: Place, cell: Cell) -> Path:
    folder = place.of(cell) / "data"
    folder.mkdir(exist_ok=True)
    return folder / "ledger.db"


def n_rows(place: Place, cell: Cell) -> int:
    """In the ledger and the one that was moved away, or on disk until the store takes them."""
    ids: set[str] = set()
    for waiting in place.of(cell).glob("*/*.spool/*.jsonl"):
        ids |= {json.loads(line)["id"] for line in waiting.read_text().splitlines()}
    for file in place.of(cell).glob("[!i]*/ledger.db"):  # what was put `instead` is none
        with closing(sqlite3.connect(file)) as connection:
            ids |= {row[0] for row in connection.execute("select id from entries")}
    return len(ids)


@asynccontextmanager
async def running(place: Place, cell: Cell) -> AsyncIterator[Running]:
    """The cell's gateway."""
    ledger = f"sqlite:///{file_of(place, cell)}"
    if cell[0] != FULL:
        async with place.asking(cell, ledger=ledger) as asker:
            yield Running(asker, os.getpid())
        return
    file = configuration(place.of(cell), place.url, ledger=ledger)
    async with serve_process(file) as (process, port):
        one = Running(Asker(cell, port, place.upstream, place.client), process.pid)
        yield one
        process.send_signal(signal.SIGTERM)
        _, said = await process.communicate()
        assert process.returncode == 0, said
        one.said += [json.loads(line)["event"] for line in said.splitlines()]


def during(cell: Cell, place: Place, pid: int) -> AbstractContextManager[None]:
    """The cell's fault."""
    return broken_disk.no_space(pid) if cell[0] == FULL else FAULTS[cell[0]](file_of(place, cell))


async def at_the_start(cell: Cell, place: Place) -> Seen:
    """Yesterday's ledger, and then the fault; afterwards it starts."""
    said = []
    async with running(place, cell) as one:
        await one.asker.ask()
    if cell[0] == FULL:
        said.append(await refused_start(place.of(cell) / "pith.yaml"))
    else:
        with during(cell, place, 0):
            try:
                await started(place.of(cell) / "pith.yaml")
            except ConfigError as error:
                said.append(str(error))
    async with running(place, cell) as one:
        await one.asker.ask()
        await one.asker.says("ledger", None)
    return Seen(2, n_rows(place, cell), said)


async def started(config: Path) -> None:
    """What a start opens. Raises ConfigError where it is refused."""
    async with open_services(load_config(config, {}, {}), LengthScorer(), lambda: "on"):
        pass


async def refused_start(config: Path) -> str:
    """What `pith serve` says where no file may grow."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "serve", "--config", str(config), "--port", "0"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),
    )
    said, _ = await process.communicate()
    assert process.returncode == 1, said
    return said.decode()


async def in_between(cell: Cell, place: Place) -> Seen:
    """The fault comes and goes while the gateway runs, idle or with requests under way."""
    async with running(place, cell) as one:
        asker = one.asker
        await asker.ask()
        await written(place, cell, 1)
        async with asking(asker) if cell[1] == "mid-stream" else nullcontext():
            with during(cell, place, one.pid):
                for _ in range(3):
                    await asker.ask()
                await asker.says("ledger", LEDGER[cell].says)
            await asker.says("ledger", None)
        await asker.ask()
    return Seen(asker.n_asked, n_rows(place, cell), one.said)


async def at_the_end(cell: Cell, place: Place, lines: Lines) -> Seen:
    """The fault comes before the last rows are written, and outlasts the gateway."""
    async with running(place, cell) as one:
        await one.asker.ask()
        await written(place, cell, 1)
        fault = ExitStack()
        fault.enter_context(during(cell, place, one.pid))
        for _ in range(3):
            await one.asker.ask()
    fault.close()
    folder = str(place.of(cell))
    return Seen(
        one.asker.n_asked, n_rows(place, cell), [line for line in [*one.said, *lines.said] if folder in line]
    )


async def written(place: Place, cell: Cell, n: int) -> None:
    async def are() -> bool:
        return n_rows(place, cell) >= n

    await comes(are, f"{cell}: {n} rows")


@asynccontextmanager
async def asking(asker: Asker) -> AsyncIterator[None]:
    """Requests one after the other, all the while."""
    is_over = False

    async def ask() -> None:
        while not is_over:
            await asker.ask()

    task = asyncio.create_task(ask())
    try:
        yield
    finally:
        is_over = True
        await task


@contextmanager
def listening() -> Iterator[Lines]:
    lines, logger = Lines(), logging.getLogger("gateway.ledger.store")
    logger.addHandler(lines)
    try:
        yield lines
    finally:
        logger.removeHandler(lines)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Came[Seen]:
    async def run(folder: Path, lines: Lines) -> Came[Seen]:
        async with at(folder) as place:

            async def tried(cell: Cell) -> Seen:
                if cell[1] == "connect":
                    return await at_the_start(cell, place)
                if cell[1] == "end":
                    return await at_the_end(cell, place, lines)
                return await in_between(cell, place)

            return await side_by_side(LEDGER, tried)

    with pytest.MonkeyPatch.context() as patch, listening() as lines:
        patch.setenv("PITH_SECRET", "not a file beside the ledger")
        return asyncio.run(run(tmp_path_factory.mktemp("cells"), lines))


@pytest.mark.parametrize("cell", LEDGER, ids=named)
def test_cell(seen: Came[Seen], cell: Cell) -> None:
    expected, found = LEDGER[cell].says, came(seen, cell)
    losses = [match for line in found.said if (match := LOST.search(line))]
    n_lost = sum(int(match[1]) for match in losses)
    assert found.n_written + n_lost == found.n_asked, "each is accounted for"
    if cell[1] == "connect":
        assert [expected is not None and expected in line for line in found.said] == [True] * bool(expected)
    elif cell[1] == "end":
        assert n_lost == (3 if cell[0] in UNSPOOLED else 0)
        assert all(expected in match[2] for match in losses)
    else:
        assert n_lost == 0
