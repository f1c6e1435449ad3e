"""The tokens of tools and of calls to them: billed as texts are, but never compressed.

A conversation sends them anew with every turn, so counts are remembered, under a hash with a key of this
process alone. How a provider writes tools into the prompt is its own affair: counted is what the request
says, of tools as it stands, of calls their names and arguments.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Any, Final

import orjson

from compressor import counter
from gateway.dialects import ChatRequest

CAPACITY: Final = 100_000
"""Counts, some 15 MB; beyond it all are forgotten."""

MAX_COUNTED: Final = 200_000
"""Characters up to which it is not estimated: 10 ms, in a thread, once."""


class CallTokens:
    """From any thread."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._key = os.urandom(16)
        self._known: dict[bytes, int] = {}

    def count(self, encoding: str, body: bytes, request: ChatRequest) -> list[int]:
        """Of the tools, then of each message's calls."""
        return [
            sum(self._one(encoding, body[start:end], _written) for start, end in request.tools),
            *(
                sum(self._one(encoding, body[start:end], _called) for start, end in message.calls)
                for message in request.messages
            ),
        ]

    def _one(self, encoding: str, raw: bytes, read: Callable[[bytes], str]) -> int:
        name = blake2b(raw, digest_size=16, key=self._key, person=encoding.encode()[:16]).digest()
        tokens = self._known.get(name)
        if tokens is None:
            if len(self._known) >= self._capacity:
                self._known.clear()
            tokens = self._known[name] = _count(encoding, read(raw))
        return tokens


def _count(encoding: str, text: str) -> int:
    tokens = counter(encoding)
    return tokens.count(text) if len(text) <= MAX_COUNTED else tokens.estimate(text)


def _written(raw: bytes) -> str:
    """As it stands."""
    return raw.decode("utf-8", "replace")


def _called(raw: bytes) -> str:
    """Names and arguments of calls in the shape of any dialect; of anything else how it is written."""
    try:
        given = orjson.loads(raw)
    except orjson.JSONDecodeError:  # half of a surrogate pair
        return _written(raw)
    calls = given if isinstance(given, list) else [given]
    return "\n".join(one for call in calls for one in _parts(call))


def _parts(call: Any) -> Iterator[str]:
    for kind in ("function", "custom"):
        if isinstance(call, dict) and isinstance(call.get(kind), dict):
            call = call[kind]
    for name in ("name", "arguments", "input"):
        said = call.get(name) if isinstance(call, dict) else None
        if said is not None:
            yield said if isinstance(said, str) else orjson.dumps(said).decode()
