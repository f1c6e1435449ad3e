"""A teacher on loopback: speaks OpenAI's chat completions as the test's script says, request by request."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias

PATIENCE_S = 60.0
USAGE = {"prompt_tokens": 100, "completion_tokens": 10}


@dataclass
class Asked:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def text(self) -> str:
        found: str = self.body["messages"][-1]["content"]
        return found


@dataclass
class Said:
    """What is answered. `cut` closes the connection after so many bytes of the body."""

    content: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None


Script: TypeAlias = Callable[[int, Asked], Said]
"""The answer to the nth request, from 1; asked on a thread, so it may wait."""


def completion(content: str | None, finish: str = "stop", usage: object = USAGE) -> Said:
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": content}}
    return Said(json.dumps({"id": "x", "choices": [choice], "usage": usage}).encode())


def deletion(asked: Asked) -> Said:
    """A good answer: two words in three, and one in three."""
    words = asked.text.split()
    kept = {"light": [w for i, w in enumerate(words) if i % 3], "heavy": words[1::3]}
    return completion(json.dumps({name: " ".join(some) for name, some in kept.items()}))


class Held:
    """A script that answers so many requests, and holds the others until it is told to go on."""

    def __init__(self, n_answered: int) -> None:
        self._n_answered = n_answered
        self.go_on = threading.Event()

    def __call__(self, n: int, asked: Asked) -> Said:
        if n > self._n_answered:
            self.go_on.wait(PATIENCE_S)
        return deletion(asked)


class TeacherServer(ThreadingHTTPServer):
    """Listens while it is entered; leaving it waits for every answer under way."""

    daemon_threads = False

    def __init__(self, script: Script) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script = script
        self.asked: list[Asked] = []
        self.lock = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def __enter__(self) -> TeacherServer:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.shutdown()
        self._thread.join(PATIENCE_S)
        self.server_close()

    def count(self, asked: Asked) -> int:
        with self.lock:
            self.asked.append(asked)
            return len(self.asked)


class Handler(BaseHTTPRequestHandler):
    """One request a connection."""

    server: TeacherServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.path, headers, body)
        said = self.server.script(self.server.count(asked), asked)
        with suppress(ConnectionError):  # who asked has gone
            self.send_response(said.status)
            for name, value in {**said.headers, "content-length": str(len(said.content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said.content[: said.cut])

    def log_message(self, *said: object) -> None:
        """Nothing."""
