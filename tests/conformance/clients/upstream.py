"""A provider on loopback that reads what it is sent and answers with the facts it finds there.

What a client is put through stands in its key, `sk-SCENARIO-CLIENT`; under the key stands what came of it.
Answers are gzipped where the client accepts that; events come in pieces that end anywhere.
"""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tests.conformance.clients.answers import SHAPES, Shape, pieces
from tests.conformance.clients.asked import Fault, is_compressed, reply_to

SIZES = (1, 13, 300, 2, 60, 7)
"""Bytes of the pieces that a stream is sent in, over and over."""
PACE_S = 0.02
"""Between two words of an answer that never ends."""
BREAK_S = 0.25
"""Before an answer breaks off: some clients lose what they have not read by then."""
PATIENCE_S = 30.0


@dataclass
class Seen:
    """What came of one key."""

    n_requests: int = 0
    is_compressed: bool = False
    left: threading.Event = field(default_factory=threading.Event)
    """A client went away before it had its answer."""


class Upstream:
    """Answers chat completions, responses and messages."""

    def __init__(self) -> None:
        self._seen: dict[str, Seen] = {}
        self._lock = threading.Lock()

    def seen(self, key: str) -> Seen:
        with self._lock:
            return self._seen.setdefault(key, Seen())

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/{path:path}", self.answer, methods=["POST"])])

    async def answer(self, request: Request) -> Response:
        body = await request.body()
        key = _key(request)
        seen, scenario = self.seen(key), key.split("-")[1]
        seen.n_requests += 1
        seen.is_compressed |= is_compressed(body)
        shape = SHAPES[request.url.path.rpartition("/")[2]]
        if scenario.startswith("error"):
            return _whole(request, shape, int(scenario[5:]), shape.error(int(scenario[5:]), "as it is"))
        if scenario == "timeout":
            await _until_left(request.receive, seen)
            return Response(status_code=499)
        asked: dict[str, Any] = json.loads(body)
        reply = reply_to(body)
        if isinstance(reply, Fault):
            return _whole(request, shape, 400, shape.error(400, reply.message))
        if not asked.get("stream"):
            return _whole(request, shape, 200, shape.whole(reply, asked))
        words: Iterable[str] = pieces(reply.text, 5)
        if scenario == "cancel":
            words = itertools.repeat("and so on ")
        return Events(shape.events(reply, asked, words), seen, scenario)


def _key(request: Request) -> str:
    return request.headers.get("x-api-key") or request.headers["authorization"].removeprefix("Bearer ")


def _whole(request: Request, shape: Shape, status: int, answer: dict[str, Any]) -> Response:
    body = json.dumps(answer, ensure_ascii=False).encode()
    headers = {"content-type": "application/json", shape.request_id: "req_1"}
    if status == 429:
        headers["retry-after"] = "7"
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["content-encoding"] = "gzip"
        body = gzip.compress(body)
    return Response(body, status, headers)


async def _until_left(receive: Receive, seen: Seen) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_S):
            while (await receive())["type"] != "http.disconnect":
                pass
            seen.left.set()


class Events(Response):
    """A stream: whole, without end (`cancel`), or broken off half way (`broken`)."""

    media_type = "text/event-stream"

    def __init__(self, events: Iterable[bytes], seen: Seen, scenario: str) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._events, self._seen, self._scenario = events, seen, scenario

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.create_task(self._send(send))
        leaving = asyncio.create_task(_until_left(receive, self._seen))
        await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        for task in (sending, leaving):
            if not task.done():
                task.cancel()
        if sending.done():
            sending.result()

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async for part in self._pieces():
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _pieces(self) -> AsyncIterator[bytes]:
        events = self._events
        if self._scenario == "broken":
            listed = list(events)
            events = listed[: len(listed) // 2]
        for piece in ragged(events):
            yield piece
            await asyncio.sleep(PACE_S if self._scenario == "cancel" else 0)
        if self._scenario == "broken":
            await asyncio.sleep(BREAK_S)
            raise ConnectionAbortedError


def ragged(events: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of SIZES, wherever events end."""
    held, sizes = b"", itertools.cycle(SIZES)
    size = next(sizes)
    for event in events:
        held += event
        while len(held) >= size:
            yield held[:size]
            held, size = held[size:], next(sizes)
    yield held


class Served(Protocol):
    """What is served."""

    def app(self) -> Starlette: ...


@contextmanager
def serving(upstream: Served) -> Iterator[str]:
    """Its URL, while it is served by a thread of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(upstream.app(), log_level="critical", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],), name="upstream")
        thread.start()
        try:
            yield "http://127.0.0.1:{1}".format(*listening.getsockname())
        finally:
            server.should_exit = True
            thread.join(PATIENCE_S)
