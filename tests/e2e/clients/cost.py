"""What a call costs, and what is left of a pool whose callers were cancelled."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from tests.e2e.clients.adapters import Client, Make

BODY = b'{"model": "gpt-4o", "input": "' + b"x" * 980 + b'"}'
HEADERS = [(b"authorization", b"Bearer sk-bench"), (b"content-type", b"application/json")]
N_SLOTS = 10
PROBE_S = 5.0


@dataclass(frozen=True)
class Cost:
    """The best of several runs."""

    calls_s: float
    cpu_us: float
    """Of this process, a call; the server has a process of its own."""


async def cost(make: Make, origin: str, n_at_once: int, n_calls: int, n_runs: int) -> Cost:
    """POST 1 KB over kept connections, `n_at_once` callers."""
    client = make(origin, n_at_once)
    try:
        await _calls(client, n_at_once, max(n_at_once, n_calls // 10))  # connections open, caches warm
        runs = [await _timed(client, n_at_once, n_calls) for _ in range(n_runs)]
    finally:
        await client.aclose()
    return Cost(max(run.calls_s for run in runs), min(run.cpu_us for run in runs))


async def _timed(client: Client, n_at_once: int, n_calls: int) -> Cost:
    wall, cpu = time.perf_counter(), time.process_time()
    await _calls(client, n_at_once, n_calls)
    return Cost(n_calls / (time.perf_counter() - wall), (time.process_time() - cpu) / n_calls * 1e6)


async def _calls(client: Client, n_at_once: int, n_calls: int) -> None:
    async def caller(n: int) -> None:
        for _ in range(n):
            got = await client.call("POST", b"/v1/embeddings", HEADERS, BODY)
            assert got.status == 200

    share, rest = divmod(n_calls, n_at_once)
    await asyncio.gather(*(caller(share + (n < rest)) for n in range(n_at_once)))


class Server:
    """Answers GETs a little later, so that callers can be cancelled at every stage; `/hold` when released."""

    def __init__(self) -> None:
        self._random = Random(1)
        self._writers: list[asyncio.StreamWriter] = []
        self.n_held = 0
        self.release = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                if head.startswith(b"GET /hold "):
                    self.n_held += 1
                    await self.release.wait()
                else:
                    await asyncio.sleep(self._random.uniform(0, 0.004))
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        writer.close()

    async def aclose(self) -> None:
        for writer in self._writers:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


async def lost_slots(make: Make, n_cancelled: int) -> int:
    """Of N_SLOTS connections, how many no request can use any more after so many cancelled ones."""
    told = Server()
    server = await asyncio.start_server(told.serve, "127.0.0.1", 0)
    client = make("http://{}:{}".format(*server.sockets[0].getsockname()), N_SLOTS)
    random = Random(2)
    for _ in range(0, n_cancelled, 50):
        calls = [asyncio.create_task(client.call("GET", b"/", [])) for _ in range(50)]
        for call in calls:
            await asyncio.sleep(random.choice((0, 0, 0.0005, 0.001)))
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    usable = await _usable(client, told)
    with suppress(*client.errors):  # a pool that lost its own may not close
        await client.aclose()
    server.close()
    await told.aclose()
    return N_SLOTS - usable


async def _usable(client: Client, told: Server) -> int:
    """How many requests can be under way at once."""
    calls = [asyncio.create_task(client.call("GET", b"/hold", [])) for _ in range(N_SLOTS)]
    deadline = time.perf_counter() + PROBE_S
    while told.n_held < N_SLOTS and time.perf_counter() < deadline:  # noqa: ASYNC110  # it is a server's count
        await asyncio.sleep(0.01)
    usable = told.n_held
    told.release.set()
    for call in calls[usable:]:
        call.cancel()
    await asyncio.wait(calls, timeout=PROBE_S)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    return usable
