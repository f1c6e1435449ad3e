"""What is sent: every combination of dialect, size, stream and compression, at so many connections."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from random import Random
from typing import Any

from gateway.demo.corpus import prose
from gateway.demo.instant import PACED
from gateway.load.generator import request

DIALECTS: Mapping[str, tuple[str, str]] = {
    "chat_completions": ("/v1/chat/completions", "messages"),
    "responses": ("/v1/responses", "input"),
    "anthropic_messages": ("/v1/messages", "messages"),
}
"""Where each is asked, and which member of a body holds its messages."""
CHAT = "chat_completions"
MODEL = "gpt-4o"
N_BODIES = 16
"""Different requests of a case, sent in turn: all of them have been seen before the clock runs."""

Headers = Sequence[tuple[str, str]]

SETTINGS: dict[str, Any] = {
    "policies": [
        {"name": "off", "match": {"header": {"x-bench": "off"}}, "mode": "off"},
        {
            "name": "on",
            "params": {"rate": 0.5, "min_tokens": 50, "protect": {"head_tokens": 0, "tail_tokens": 0}},
        },
    ],
    "compressor": {"deadline_ms": 20_000},
    "admin": {"listen": "127.0.0.1:0"},
}
"""What `pith serve` is given besides its defaults, so that 1 KB is long enough to be compressed."""


def settings_with(scorer: str | None, cache: str | None) -> dict[str, Any]:
    """SETTINGS and what is asked for besides."""
    compressor = SETTINGS["compressor"] | ({} if scorer is None else {"scorer": scorer})
    return {**SETTINGS, "compressor": compressor} | ({} if cache is None else {"cache": cache})


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the table."""

    body_bytes: int
    is_streamed: bool
    is_compressed: bool
    dialect: str = CHAT
    is_paced: bool = False
    """A stream whose events come one by one."""

    @property
    def name(self) -> str:
        """As in the table."""
        streamed = "event by event" if self.is_paced else "streamed"
        shape = streamed if self.is_streamed else "plain"
        said = f"{self.body_bytes // 1024} KB, {shape}, compression {'on' if self.is_compressed else 'off'}"
        return said if self.dialect == CHAT else f"{self.dialect}, {said}"

    def requests(self, headers: Headers = (), model: str = MODEL) -> list[bytes]:
        """As bytes on the wire."""
        fields = [*headers, ("x-bench", "on" if self.is_compressed else "off")]
        target, _ = DIALECTS[self.dialect]
        target += f"?{PACED.decode()}" if self.is_paced else ""
        return [request(target, self._body(number, model), fields) for number in range(N_BODIES)]

    def _body(self, number: int, model: str) -> bytes:
        random = Random(f"load {number}")  # noqa: S311  # the same texts on every machine, not secrets
        text = prose("meeting", self.body_bytes // 4, random)
        _, member = DIALECTS[self.dialect]
        asked = {"stream": self.is_streamed, "model": model, "max_tokens": 9}
        body: dict[str, Any] = {**asked, member: [{"role": "user", "content": ""}]}
        room = self.body_bytes - len(json.dumps(body))
        body[member] = [{"role": "user", "content": text.replace("\n", " ").replace('"', "'")[:room]}]
        return json.dumps(body).encode()


def cases(
    body_bytes: Sequence[int], dialects: Sequence[str] = (CHAT,), *, is_paced: bool = False
) -> list[Case]:
    """All of them, dialect by dialect, the plain ones first."""
    shapes = product(dialects, (False, True), body_bytes, (False, True))
    return [
        Case(size, is_streamed, is_compressed, dialect, is_paced and is_streamed)
        for dialect, is_streamed, size, is_compressed in shapes
    ]
