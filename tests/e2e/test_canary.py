"""A key and a sentence, planted in every way a request can fail, and looked for in everything Pith writes."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.logs import configure
from tests.e2e.scripted_upstream import PATIENCE_S, ScriptedUpstream, connected
from tests.e2e.whole_gateway import (
    OK,
    PROSE,
    STREAM,
    HeldScorer,
    arrived,
    chat,
    chunked,
    event,
    gateway,
    until,
)
from tests.left_behind import contents

KEY = "sk-canary-7f3a9c"
SECRET = "the canary sings at midnight in the cellar"
TEXT = f"{PROSE * 5}{SECRET}. {PROSE * 5}"
THE_CLIENTS = ("httpx", "httpcore")
"""Loggers of the tests' own client."""
FINGERS = (KEY, SECRET, "canary", "midnight")
"""Parts too: a log that cuts or escapes is no better."""


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything any logger says, down to debug, as `pith serve` would write it."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure(stream, logging.DEBUG)
    root.handlers[0].addFilter(lambda record: record.name.partition(".")[0] not in THE_CLIENTS)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)


class Telling(HeldScorer):
    """A scorer whose failure quotes what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.error = RuntimeError(f"cannot score {TEXT}")
        self.go_on.set()


def written(folder: Path, log: io.StringIO) -> dict[str, str]:
    """All that is left behind, by where."""
    files = {name: raw.decode("latin-1") for name, raw in contents(folder).items()}
    assert any("ledger.db" in name for name in files)
    logging.getLogger().handlers[0].flush()
    assert '"event"' in log.getvalue()
    return {**files, "log": log.getvalue()}


def found(places: dict[str, str]) -> list[tuple[str, str]]:
    return [(name, finger) for name, text in places.items() for finger in FINGERS if finger in text]


def headers(**more: str) -> dict[str, str]:
    return {"authorization": f"Bearer {KEY}", "x-api-key": KEY, "cookie": f"session={KEY}", **more}


def body(**more: object) -> bytes:
    return json.dumps(chat(TEXT, user=SECRET, prompt_cache_key=SECRET, **more)).encode()


def wire(raw: bytes) -> bytes:
    """A chat completion request."""
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nX-Api-Key: {}\r\nContent-Length: {}\r\n\r\n"
    return head.format(KEY, len(raw)).encode() + raw


BODIES: dict[str, bytes] = {
    "ordinary": body(),
    "stream": body(stream=True),
    "not JSON": body()[:-5],
    "twice": body()[:-1] + b',"messages":[]}',
    "deep": body()[:-1] + b',"x":' + b"[" * 300 + b"]" * 300 + b"}",
    "bytes": body() + b"\xff\xfe",
    "surrogate": body().replace(b"midnight", b"midnight \\ud83d"),
    "odd model": body().replace(b"gpt-4o-mini", b"gpt-4o-mini\\n\\u0000\\ud83d"),
    "odd role": body().replace(b'"user"', b'{"canary": "midnight"}', 1),
    "too large": body(x="y" * 40_000),
}
ODD_HEADERS: dict[str, dict[str, str]] = {
    "plain": {},
    "unit": {"x-pith-unit": SECRET},
    "policy": {"x-pith-policy": SECRET},
    "mode": {"x-pith-mode": SECRET},
    "rate": {"x-pith-rate": SECRET},
    "encoding": {"content-encoding": SECRET},
}


@pytest.mark.parametrize("scorer", [None, Telling()], ids=["well", "failing"])
async def test_nothing_is_left_behind_by_requests(
    scorer: Any, upstream: ScriptedUpstream, tmp_path: Path, log: io.StringIO
) -> None:
    async def answer_all() -> None:
        while True:
            peer = await upstream.accept()
            try:
                while True:
                    await peer.answer()
                    await peer.send(OK)
            except (asyncio.IncompleteReadError, ConnectionError):
                pass

    answering = asyncio.create_task(answer_all())
    with gateway(tmp_path, upstream.url, scorer, max_body_bytes=32_768) as port:
        base = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=base, timeout=PATIENCE_S) as client:
            for name, raw in BODIES.items():
                for kind, odd in ODD_HEADERS.items():
                    answer = await client.post(
                        f"/v1/chat/completions?key={KEY}", content=raw, headers=headers(**odd)
                    )
                    assert answer.status_code == 200, (name, kind)
                    assert found({"headers": str(answer.headers)}) == []
            said = (await client.get("/pith/readyz")).text
            assert found({"readyz": said}) == []
            while_running = written(tmp_path, log)
    answering.cancel()
    await asyncio.wait([answering])
    assert found(while_running) == []
    assert found(written(tmp_path, log)) == []


async def test_nothing_is_left_behind_when_an_upstream_fails(
    upstream: ScriptedUpstream, tmp_path: Path, log: io.StringIO
) -> None:
    answers: list[bytes] = [
        b"",  # closes before the head
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + SECRET.encode(),  # breaks in the body
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz-" + SECRET.encode() + b"\r\n",
        b"HTP " + SECRET.encode() + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + SECRET.encode() * 4000 + b"\r\n\r\n",
        STREAM + chunked(event(SECRET)),
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n"
        + b'{"usage": "'
        + SECRET.encode(),
    ]
    with gateway(tmp_path, upstream.url) as port:
        for raw in answers:
            async with connected(port) as client:
                await client.send(wire(body(stream=True)))
                peer = await upstream.accept()
                await arrived(peer)
                await peer.send(raw)
                peer.close()
                head = await client.head()
                if head.status == 502:
                    assert found({"error": (await client.body(head)).decode(), "head": str(head)}) == []
        while_running = written(tmp_path, log)
    assert found(while_running) == []
    assert found(written(tmp_path, log)) == []


async def test_nothing_is_said_when_nobody_listens(
    unused_tcp_port: int, tmp_path: Path, log: io.StringIO
) -> None:
    with gateway(tmp_path, f"http://127.0.0.1:{unused_tcp_port}") as port:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            answer = await client.post("/v1/chat/completions", content=body(), headers=headers())
    assert answer.status_code == 502
    assert found({"answer": f"{answer.headers} {answer.text}"}) == []
    assert found(written(tmp_path, log)) == []


@pytest.mark.parametrize("scorer", [None, Telling()], ids=["well", "failing"])
async def test_our_own_endpoints_leave_nothing_behind(scorer: Any, tmp_path: Path, log: io.StringIO) -> None:
    questions: list[Any] = [
        {"texts": [TEXT]},
        {"texts": [TEXT], "params": {SECRET: KEY}},
        {"texts": [TEXT], "params": {"protect": {"patterns": [SECRET + "(("]}}},
        {"texts": [TEXT], "model": [SECRET]},
        {"request": chat(TEXT)},
        {"request": chat(TEXT), "policy": SECRET},
        {"request": {SECRET: TEXT}},
        {"request": chat(TEXT), "dialect": SECRET},
    ]
    with gateway(tmp_path, "http://127.0.0.1:9", scorer) as port:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S) as client:
            for path in ("compress", "explain", SECRET):
                for question in questions:
                    answer = await client.post(f"/pith/v1/{path}?key={KEY}", json=question, headers=headers())
                    assert answer.status_code < 500
                await client.post(f"/pith/v1/{path}", content=body()[:-3], headers=headers())
        await asyncio.to_thread(until, port, "/pith/healthz", lambda said: True)
    assert found(written(tmp_path, log)) == []


async def test_a_client_that_leaves_leaves_nothing_behind(
    upstream: ScriptedUpstream, tmp_path: Path, log: io.StringIO
) -> None:
    scorer = HeldScorer()
    with gateway(tmp_path, upstream.url, scorer) as port:
        async with connected(port) as client:
            sent = body()
            head = (
                "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nX-Api-Key: {}\r\nContent-Length: {}\r\n\r\n"
            )
            await client.send(head.format(KEY, len(sent)).encode() + sent)
            assert await asyncio.to_thread(scorer.is_asked.wait, PATIENCE_S)
        scorer.go_on.set()
        async with connected(port) as client:
            await client.send(wire(body())[:-10])
    assert found(written(tmp_path, log)) == []
