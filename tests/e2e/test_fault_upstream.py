"""The fault matrix's upstream: what clients see, raw and with OpenAI's library, and what is on record.

One gateway with an upstream, and a proxy in front of it, for each cell; all cells are tried at the same time.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tests.conftest import PROFILE
from tests.e2e.conftest import serving
from tests.e2e.fault_matrix import REFUSED, UPSTREAM, Answer, Cell
from tests.e2e.fault_proxy import Fault, FaultProxy, Find, fault_proxy
from tests.e2e.openai_upstream import OpenAIUpstream, events
from tests.e2e.scripted_upstream import connected
from tests.e2e.whole_cells import named
from tests.e2e.whole_gateway import chat, gateway, request, rows
from tests.redis_server import comes

TIMEOUTS = {"connect_s": 1.5, "first_byte_s": 4.0, "stream_idle_s": 2.0}
LAST_CHUNK = b"\r\n0\r\n\r\n"
STATUS_LINE = len(b"HTTP/1.1 200 OK\r\n")
TEXT = "Hello there."
STEP = 23
"""Bytes from one break to the next; in the thorough profile every byte is tried."""


def streamed(model: str) -> bytes:
    """What a client is to get; of usage it did not ask for nothing."""
    return b"".join(events(model, with_usage=False))


def after_first_chunk(seen: bytes) -> int | None:
    """Behind the first chunk of an answer."""
    body = seen.find(b"\r\n\r\n") + 4
    end = seen.find(b"\n\n\r\n", body) + 4
    return end if body > 3 and end > 3 else None


def before_last_chunk(seen: bytes) -> int | None:
    return len(seen) - 5 if seen.endswith(LAST_CHUNK) else None


MOMENTS: dict[str, Find | None] = {
    "connect": None,
    "headers": lambda seen: STATUS_LINE if len(seen) > STATUS_LINE else None,
    "mid-stream": after_first_chunk,
    "end": before_last_chunk,
}
BAD_CHUNK, NO_CODING, GARBAGE = b"zz\r\n", b"Transfer-Encoding: zz\r\n\r\n", b"\0\xff no HTTP\r\n\r\n"


def fault(cell: Cell) -> Fault:
    name, moment = cell
    said = {"garbage": GARBAGE, "bad chunk": NO_CODING if moment == "headers" else BAD_CHUNK}
    return Fault(name, MOMENTS[moment], said.get(name, b""), is_held=moment in ("mid-stream", "end"))


@dataclass
class Seen:
    """What came of one cell."""

    raw: Answer
    """On the wire."""
    said: str
    """By OpenAI's client, in the next request."""
    after: Answer
    """Once the fault has ended."""
    bodies: list[bytes]
    """What the first and the last of them were sent."""
    rows: list[tuple[int, int]]
    """Status and completeness of the three, as the ledger has them."""


async def ask(port: int, model: str, proxy: FaultProxy) -> tuple[Answer, bytes]:
    """A streamed answer, as it is on the wire."""
    body = b""
    async with connected(port) as client:
        await client.send(request(chat("Hi.", model=model, stream=True)))
        head = await client.head()
        assert head.values(b"x-pith-id")
        if head.status != 200:
            return (head.status, json.loads(await client.body(head))["error"]["code"]), b""
        try:
            while part := await client.chunk():
                body += part
                proxy.go_on.set()
        except (asyncio.IncompleteReadError, ConnectionError):
            return "broken", body
    return "whole", body


async def ask_politely(client: openai.AsyncOpenAI, model: str, proxy: FaultProxy) -> str:
    """The same as OpenAI's client tells it."""
    text = ""
    try:
        async for event in await client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": "Hi."}], stream=True
        ):
            proxy.go_on.set()
            text += event.choices[0].delta.content or ""
    except openai.APIStatusError as error:
        return f"{error.status_code} {error.code}"
    except (openai.APIConnectionError, httpx.TransportError):
        return "broken"
    return text


async def tried(cell: Cell, port: int, client: openai.AsyncOpenAI, proxy: FaultProxy) -> Seen:
    """The same request three times: twice during the fault, and afterwards."""
    model = named(cell)
    raw, body = await ask(port, model, proxy)
    proxy.go_on.clear()
    said = await ask_politely(client, model, proxy)

    async def is_closed() -> bool:
        return proxy.n_doubtful == 0

    await comes(is_closed, f"{cell}: Pith closes what is in doubt")
    await proxy.begin(None)
    after, last = await ask(port, model, proxy)
    return Seen(raw, said, after, [body, last], [])


async def all_tried(folder: Path) -> dict[Cell, Seen]:
    with serving(OpenAIUpstream().app()) as behind:
        async with AsyncExitStack() as stack:
            proxies = {
                cell: await stack.enter_async_context(fault_proxy(behind, fault(cell))) for cell in UPSTREAM
            }
            settings: dict[str, Any] = {
                "upstreams": {
                    named(cell): {"url": f"http://127.0.0.1:{proxy.port}"} for cell, proxy in proxies.items()
                },
                "routes": [{"model": named(cell), "upstream": named(cell)} for cell in UPSTREAM],
                "timeouts": TIMEOUTS,
            }
            settings["routes"].append({"upstream": named(next(iter(UPSTREAM)))})
            with gateway(folder, "http://unused", **settings) as port:
                url = f"http://127.0.0.1:{port}/v1"
                async with openai.AsyncOpenAI(base_url=url, api_key="sk", max_retries=0) as client:
                    seen = await asyncio.gather(
                        *(tried(cell, port, client, proxy) for cell, proxy in proxies.items())
                    )
    found = dict(zip(UPSTREAM, seen, strict=True))
    for row in rows(folder):
        found[next(cell for cell in UPSTREAM if named(cell) == row["model"])].rows.append(
            (row["status"], row["is_complete"])
        )
    return found


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[Cell, Seen]:
    return asyncio.run(all_tried(tmp_path_factory.mktemp("upstream")))


@pytest.mark.parametrize("cell", UPSTREAM, ids=named)
def test_cell(seen: dict[Cell, Seen], cell: Cell) -> None:
    expected, found = UPSTREAM[cell], seen[cell]
    again = expected.again or expected.answer
    assert found.raw == expected.answer
    assert found.said == said("whole" if expected.is_over_with_done else again)
    assert found.after == "whole"
    recorded = "whole" if expected.is_over_with_done else expected.answer
    assert [found.rows[0], found.rows[2]] == [row(recorded), row("whole")]
    assert found.rows[1][0] == row(again)[0]  # whether OpenAI's client stays to the end is its own affair
    first, last = found.bodies
    assert last == streamed(named(cell))
    assert last.startswith(first), "nothing is made up"
    assert (first == last) >= (expected.answer == "whole"), "nothing is lost"


def said(answer: Answer) -> str:
    return TEXT if answer == "whole" else answer if isinstance(answer, str) else f"{answer[0]} {answer[1]}"


def row(answer: Answer) -> tuple[int, int]:
    """Status and completeness: an error of ours is a whole answer, too."""
    return (200, int(answer == "whole")) if isinstance(answer, str) else (answer[0], 1)


async def test_an_answer_that_ends_at_any_byte(tmp_path: Path) -> None:
    """In the head it is none, behind the head it is seen to break, and only at its end it is whole."""
    with serving(OpenAIUpstream().app()) as behind:
        async with fault_proxy(behind) as proxy:
            with gateway(tmp_path, f"http://127.0.0.1:{proxy.port}") as port:
                whole = await on_the_wire(behind)
                head = whole.index(b"\r\n\r\n") + 4
                # Of an event that broke off nobody can tell whether it was the one to be hidden.
                possible = [b"".join(events("gpt-4o", with_usage=asked)) for asked in (False, True)]
                for k in range(0, len(whole), 1 if PROFILE == "thorough" else STEP):
                    await proxy.begin(Fault("half close", partial(at_byte, k)))
                    answer, body = await ask(port, "gpt-4o", proxy)
                    assert answer == (REFUSED if k < head else "broken"), k
                    assert any(sent.startswith(body) for sent in possible), "nothing is made up"
                await proxy.begin(None)
                assert (await ask(port, "gpt-4o", proxy)) == ("whole", streamed("gpt-4o"))


def at_byte(k: int, seen: bytes) -> int | None:
    return k if len(seen) >= max(k, 1) else None


async def on_the_wire(port: int) -> bytes:
    """The upstream's whole answer, as it is sent to Pith."""
    body = chat("Hi.", model="gpt-4o", stream=True, stream_options={"include_usage": True})
    said = b""
    async with connected(port) as client:
        await client.send(request(body))
        while not said.endswith(LAST_CHUNK):
            said += await client.exactly(1)
    return said
