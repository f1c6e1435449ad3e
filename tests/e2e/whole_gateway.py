"""The whole gateway, as `pith serve` runs it, in front of an upstream of the test's own."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray

from compressor.types import Chunk
from gateway.app import create_app
from gateway.config import load as load_config
from gateway.downstream.silence import Limits
from tests.e2e.conftest import serving
from tests.e2e.scripted_upstream import PATIENCE_S, Head, Peer
from tests.fakes import LengthScorer

PROSE = "The committee of the city decided on the long agenda of the day, and it was fine with all of them. "
LONG = PROSE * 20
PARAMS = {"rate": 0.5, "min_tokens": 50, "protect": {"head_tokens": 0, "tail_tokens": 0}}
POLICY = {"name": "test", "benefit": "off", "params": PARAMS}
POLL_S = 0.01

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class HeldScorer(LengthScorer):
    """Scores when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.is_asked = threading.Event()
        self.go_on = threading.Event()

    def forward(self, batch: Sequence[Chunk]) -> list[NDArray[np.float32]]:
        self.is_asked.set()
        assert self.go_on.wait(PATIENCE_S)
        return super().forward(batch)


def configuration(folder: Path, url: str, **settings: Any) -> Path:
    """A configuration file; JSON is YAML."""
    file = folder / "pith.yaml"
    config = {
        "upstreams": {"openai": {"url": url}},
        "ledger": f"sqlite:///{folder / 'ledger.db'}",
        "policies": [POLICY],
        "admin": "off",
        "compressor": {"deadline_ms": 20_000},  # a busy machine is no reason to leave a text whole
        **settings,
    }
    file.write_text(json.dumps(config))
    return file


@contextmanager
def gateway(
    folder: Path,
    url: str,
    scorer: LengthScorer | None = None,
    limits: Limits | None = None,
    **settings: Any,
) -> Iterator[int]:
    """A running gateway's port. It looks for changes of its files all the time."""
    file = configuration(folder, url, **settings)
    app = create_app(
        load_config(file, {}, {}),
        scorer or LengthScorer(),
        lambda: load_config(file, {}, {}).mode,
        poll_s=POLL_S,
    )
    with serving(app, limits) as port:
        yield port


def rows(folder: Path) -> list[dict[str, Any]]:
    """The ledger's rows, oldest first; complete when the gateway has stopped."""
    with sqlite3.connect(folder / "ledger.db") as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute("select * from entries order by created_at")]


def chat(text: str = LONG, **more: object) -> dict[str, Any]:
    return {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}], **more}


def request(body: dict[str, Any]) -> bytes:
    """A chat completion request as bytes on the wire."""
    raw = json.dumps(body).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\nContent-Length: %d\r\n\r\n" % len(raw)
    return head + raw


def chunked(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)


def event(text: str) -> bytes:
    """One chunk of a streamed answer."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return b"data: " + json.dumps({"object": "chat.completion.chunk", "choices": [choice]}).encode() + b"\n\n"


USAGE = (
    b'data: {"object":"chat.completion.chunk","choices":[],'
    b'"usage":{"prompt_tokens":90,"completion_tokens":7,"total_tokens":97}}\n\n'
)
DONE = b"data: [DONE]\n\n"


async def arrived(peer: Peer) -> tuple[Head, dict[str, Any]]:
    """A request at the upstream."""
    head, body = await peer.answer()
    return head, json.loads(body)


def until(port: int, path: str, holds: Callable[[Any], bool]) -> Any:
    """Ask until the answer is as expected, or fail the test."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        answer = httpx.get(f"http://127.0.0.1:{port}{path}").json()
        if holds(answer):
            return answer
        assert time.monotonic() < deadline, answer
