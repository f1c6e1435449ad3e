"""The fault matrix's Redis: whatever becomes of its answers, requests cost hits at most.

For each cell a gateway, and a proxy between it and one real Redis; several cells are tried at the same time.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tests.e2e.fault_matrix import REDIS, SILENT, Cell
from tests.e2e.fault_proxy import Fault, Find, fault_proxy
from tests.e2e.whole_cells import Came, Place, at, came, named, side_by_side, text
from tests.redis_server import RedisServer, comes, redis_server

N_REQUESTS = 4
PATIENT_MS = 5_000


MOMENTS: dict[str, Find | None] = {
    "connect": None,
    "headers": lambda seen: 1,
    "mid-stream": lambda seen: len(seen) // 2,
    "end": lambda seen: len(seen) - 2,
}
Forwarded: TypeAlias = tuple[list[list[str]], Came[list[list[str]]]]
SAID = {"bad chunk": b"$zz\r\n", "garbage": b"\0\xff none\r\n"}


def fault(cell: Cell) -> Fault:
    name, moment = cell
    return Fault(name, MOMENTS[moment], SAID.get(name, b""))


async def tried(cell: Cell, place: Place, server: RedisServer) -> list[list[str]]:
    """What goes on of the requests, those during the fault first."""
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(fault_proxy(server.port, fault(cell)))
        settings: dict[str, Any] = {"cache": f"redis://127.0.0.1:{proxy.port}"}
        if REDIS[cell] is not SILENT:  # a busy machine is no silence
            settings["cache_timeout_ms"] = PATIENT_MS
        asker = await stack.enter_async_context(place.asking(cell, **settings))
        for _ in range(N_REQUESTS):
            await asker.ask()
        await asker.until("cache", REDIS[cell].degraded)
        await proxy.begin(None)
        await asker.until("cache", None)
        n_asked = proxy.n_asked

        async def is_asked() -> bool:
            await asker.ask()
            return proxy.n_asked > n_asked

        await comes(is_asked, f"{cell}: Redis is asked again")
    return asker.forwarded()


async def undisturbed(place: Place) -> list[list[str]]:
    """What goes on where there is no Redis at all."""
    async with place.asking(("none", "whatever")) as asker:
        for _ in range(N_REQUESTS):
            await asker.ask()
        return asker.forwarded()


@pytest.fixture(scope="module")
def forwarded(tmp_path_factory: pytest.TempPathFactory) -> Forwarded:
    async def run(folder: Path) -> Forwarded:
        async with at(folder) as place:
            with redis_server(folder / "redis") as server:
                return await undisturbed(place), await side_by_side(
                    REDIS, lambda cell: tried(cell, place, server)
                )

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PITH_SECRET", "the same on all replicas")
        return asyncio.run(run(tmp_path_factory.mktemp("cells")))


@pytest.mark.parametrize("cell", REDIS, ids=named)
def test_cell(forwarded: Forwarded, cell: Cell) -> None:
    expected, found = forwarded[0], came(forwarded[1], cell)
    assert found[:N_REQUESTS] == expected, "compressed as ever"
    assert all(len(one) < len(text(number)) for number, [one] in enumerate(found))
