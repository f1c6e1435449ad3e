"""The traffic of the soak: an upstream and clients of every kind, a third of which leave early.

Bodies come from a fixed set, so that what Pith remembers of texts stops growing in the first minute.
"""

from __future__ import annotations

import asyncio
import json
from asyncio import StreamReader, StreamWriter
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import TypeAlias

from gateway.demo.corpus import prose
from tests.e2e.scripted_upstream import READ_LIMIT, Peer
from tests.e2e.test_tunnel import SWITCHED, UPGRADE

LARGE = 4 << 20
N_EVENTS = 20
EVENT_S = 0.005
LEAVING_SHARE = 1 / 3
N_CONVERSATIONS = 64

USAGE = {"prompt_tokens": 900, "completion_tokens": N_EVENTS, "total_tokens": 900 + N_EVENTS}


def _answer(body: bytes, kind: bytes = b"application/json") -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n"
    return head % (kind, len(body)) + body


def _event(data: object) -> bytes:
    event = b"data: " + json.dumps(data).encode() + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(event), event)


_COMPLETION = _answer(json.dumps({"object": "chat.completion", "choices": [], "usage": USAGE}).encode())
_STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_DELTA = _event({"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": " word"}}]})
_END = _event({"object": "chat.completion.chunk", "choices": [], "usage": USAGE}) + b"0\r\n\r\n"
_DOWNLOAD = _answer(bytes(LARGE), b"application/octet-stream")


async def upstream(reader: StreamReader, writer: StreamWriter) -> None:
    """One connection of an upstream that answers by path."""
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            await _respond(head.split(b" ", 2)[1], await _body(head, reader), reader, writer)
    writer.close()


async def _body(head: bytes, reader: StreamReader) -> bytes:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return await reader.readexactly(int(line.partition(b":")[2]))
    return b""


async def _respond(path: bytes, body: bytes, reader: StreamReader, writer: StreamWriter) -> None:
    if path.startswith(b"/v1/realtime"):
        writer.write(SWITCHED)
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError
    if b'"stream": true' in body:
        writer.write(_STREAM)
        for _ in range(N_EVENTS):
            writer.write(_DELTA)
            await writer.drain()
            await asyncio.sleep(EVENT_S)
        writer.write(_END)
    elif path == b"/v1/files/large/content":
        writer.write(_DOWNLOAD)
    else:
        await asyncio.sleep(EVENT_S)
        writer.write(_COMPLETION)
    await writer.drain()


def post(path: bytes, body: bytes) -> bytes:
    head = b"POST %b HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer sk-soak\r\nContent-Length: %d\r\n\r\n"
    return head % (path, len(body)) + body


@dataclass
class Clients:
    """So many clients at once, each doing one thing after the other; `tally` says how those ended."""

    port: int
    n_clients: int
    tally: Counter[str] = field(default_factory=Counter)
    bodies: Sequence[bytes] = field(
        default_factory=lambda: [_conversation(n) for n in range(N_CONVERSATIONS)]
    )
    _is_stopping: bool = False

    async def run(self, seconds: float) -> None:
        """Come and go for so long."""
        self._is_stopping = False
        asyncio.get_running_loop().call_later(seconds, self._stop)
        await asyncio.gather(*(self._client(Random(f"client {n}")) for n in range(self.n_clients)))

    def _stop(self) -> None:
        self._is_stopping = True

    async def _client(self, random: Random) -> None:
        while not self._is_stopping:
            scenario = random.choices(_SCENARIOS, _WEIGHTS)[0]
            is_leaving = random.random() < LEAVING_SHARE
            name = scenario.__name__.strip("_")
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=READ_LIMIT)
                try:
                    await scenario(Peer(reader, writer), self.bodies, random, is_leaving)
                finally:
                    writer.close()
            except (OSError, asyncio.IncompleteReadError, TimeoutError, AssertionError) as error:
                self.tally[f"failed: {name}: {type(error).__name__} {error}"[:200]] += 1
            else:
                self.tally[f"left: {name}" if is_leaving else name] += 1
            await asyncio.sleep(random.uniform(0, 0.02))


async def _ask(client: Peer, raw: bytes, random: Random, is_leaving: bool) -> None:
    """A request and its answer; whoever leaves does so before the first byte, or amid the answer."""
    await client.send(raw)
    if is_leaving and random.random() < 0.5:
        await asyncio.sleep(random.uniform(0, 0.01))
        return
    head = await client.head()
    assert head.status == 200, head.start_line
    if is_leaving:
        await client.exactly(1)
        return
    await client.body(head)


async def _plain(client: Peer, bodies: Sequence[bytes], random: Random, is_leaving: bool) -> None:
    for _ in range(random.randrange(1, 5)):
        await _ask(client, post(b"/v1/embeddings", b'{"input": "%b"}' % (b"x" * 1000)), random, is_leaving)
        if is_leaving:
            return


async def _chat(client: Peer, bodies: Sequence[bytes], random: Random, is_leaving: bool) -> None:
    await _ask(client, post(b"/v1/chat/completions", random.choice(bodies)), random, is_leaving)


async def _stream(client: Peer, bodies: Sequence[bytes], random: Random, is_leaving: bool) -> None:
    body = random.choice(bodies)[:-1] + b', "stream": true}'
    await _ask(client, post(b"/v1/chat/completions", body), random, is_leaving)


async def _upload(client: Peer, bodies: Sequence[bytes], random: Random, is_leaving: bool) -> None:
    raw = post(b"/v1/files", bytes(LARGE))
    if is_leaving:
        await client.send(raw[: random.randrange(100, len(raw))])
    else:
        await _ask(client, raw, random, is_leaving)


async def _download(client: Peer, bodies: Sequence[bytes], random: Random, is_leaving: bool) -> None:
    await _ask(client, b"GET /v1/files/large/content HTTP/1.1\r\nHost: gateway\r\n\r\n", random, is_leaving)


async def _websocket(client: Peer, bodies: Sequence[bytes], random: Random, is_leaving: bool) -> None:
    await client.send(UPGRADE)
    if is_leaving and random.random() < 0.5:
        return
    assert (await client.head()).status == 101
    for _ in range(random.randrange(1, 20)):
        message = random.randbytes(random.randrange(1, 5_000))
        await client.send(message)
        if is_leaving:
            client.reset()
            return
        assert await client.exactly(len(message)) == message


def _conversation(n: int) -> bytes:
    text = prose("meeting", 900, Random(f"conversation {n}"))
    return json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": text}]}).encode()


Scenario: TypeAlias = Callable[[Peer, Sequence[bytes], Random, bool], Awaitable[None]]
_SCENARIOS: list[Scenario] = [_plain, _chat, _stream, _upload, _download, _websocket]
_WEIGHTS = (30, 20, 25, 5, 5, 15)
