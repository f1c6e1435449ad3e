"""Cells of the fault matrix that have a gateway each: what is asked of it, and what has to come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import httpx

from tests.e2e.conftest import serving
from tests.e2e.fault_matrix import Cell
from tests.e2e.openai_upstream import OpenAIUpstream, completion
from tests.e2e.whole_gateway import PROSE, chat, gateway
from tests.fakes import LengthScorer
from tests.redis_server import PATIENCE_S

BUDGET_S = 10.0
"""By when every request is answered, on however busy a machine. What hangs is held for ever."""
N_AT_ONCE = 28
"""Gateways."""
LOOK_S = 0.05

T = TypeVar("T")


def named(cell: Cell) -> str:
    return "-".join(cell).replace(" ", "-")


def text(number: int) -> str:
    """One that is compressed; each of another conversation."""
    return f"{number}. {PROSE * 8}"


@asynccontextmanager
async def entered(opened: AbstractContextManager[int]) -> AsyncIterator[int]:
    """What takes its time to open and to close, while the event loop goes on."""
    value = await asyncio.to_thread(opened.__enter__)
    try:
        yield value
    finally:
        await asyncio.to_thread(opened.__exit__, None, None, None)


Came: TypeAlias = Mapping[Cell, T | BaseException]


async def side_by_side(cells: Iterable[Cell], tried: Callable[[Cell], Awaitable[T]]) -> Came[T]:
    """What came of each; they are tried N_AT_ONCE at a time."""
    turns = asyncio.Semaphore(N_AT_ONCE)

    async def in_turn(cell: Cell) -> T:
        async with turns:
            return await tried(cell)

    wanted = list(cells)
    seen = await asyncio.gather(*map(in_turn, wanted), return_exceptions=True)
    return dict(zip(wanted, seen, strict=True))


def came(all_cells: Came[T], cell: Cell) -> T:
    """What came of the cell, if it came to an end."""
    found = all_cells[cell]
    if isinstance(found, BaseException):
        raise found
    return found


@dataclass
class Asker:
    """A client of one cell's gateway, and what came of its requests at the upstream."""

    cell: Cell
    port: int
    upstream: OpenAIUpstream
    client: httpx.AsyncClient
    n_asked: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def ask(self, *texts: str) -> httpx.Response:
        """The upstream's answer, as it is and in time; by default to a text not asked about before."""
        messages = [{"role": "user", "content": one} for one in texts or (text(self.n_asked),)]
        body = {**chat(), "messages": messages, "user": named(self.cell)}
        self.n_asked += 1
        answer = await self.client.post(f"{self.url}/v1/chat/completions", json=body)
        assert (answer.status_code, answer.json()) == (200, completion(body["model"])), self.cell
        return answer

    def forwarded(self) -> list[list[str]]:
        """The texts that went on, request by request."""
        mine = [received.json for received in self.upstream.received]
        return [
            [str(message["content"]) for message in body["messages"]]
            for body in mine
            if body["user"] == named(self.cell)
        ]

    async def degraded(self) -> list[str]:
        said: dict[str, Any] = (await self.client.get(f"{self.url}/pith/readyz")).json()
        return [str(line) for line in said["degraded"]]

    async def says(self, part: str, trouble: str | None) -> None:
        """Wait until `/pith/readyz` says so of the part."""
        await self._until(part, trouble, lambda: asyncio.sleep(LOOK_S))

    async def until(self, part: str, trouble: str | None) -> None:
        """Ask until `/pith/readyz` says so of the part."""
        await self._until(part, trouble, self.ask)

    async def _until(self, part: str, trouble: str | None, go_on: Callable[[], Awaitable[object]]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            said = [line for line in await self.degraded() if line.startswith(f"{part}: ")]
            if (not said) if trouble is None else any(trouble in line for line in said):
                return
            assert time.monotonic() < deadline, f"{self.cell}: {said}, not {trouble}"
            await go_on()


@dataclass(frozen=True)
class Place:
    """Where cells' gateways are opened: a folder for each, and one upstream."""

    folder: Path
    upstream: OpenAIUpstream
    url: str
    client: httpx.AsyncClient

    def of(self, cell: Cell) -> Path:
        """The cell's folder."""
        folder = self.folder / named(cell)
        folder.mkdir(exist_ok=True)
        return folder

    @asynccontextmanager
    async def asking(
        self, cell: Cell, scorer: LengthScorer | None = None, **settings: Any
    ) -> AsyncIterator[Asker]:
        """A client of the cell's gateway."""
        async with entered(gateway(self.of(cell), self.url, scorer, **settings)) as port:
            yield Asker(cell, port, self.upstream, self.client)


@asynccontextmanager
async def at(folder: Path) -> AsyncIterator[Place]:
    """A place, its upstream running."""
    upstream = OpenAIUpstream()
    with serving(upstream.app()) as port:
        async with httpx.AsyncClient(timeout=BUDGET_S) as client:
            yield Place(folder, upstream, f"http://127.0.0.1:{port}", client)
