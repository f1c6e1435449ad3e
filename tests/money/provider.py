"""Providers with prompt caches, simulated token by token: the judge of the gateway's own model.

Nothing here is taken from the gateway. A prompt is a row of token ids. An automatic cache keeps pages of some
tokens, each under the hash of all tokens up to its end, and reads the pages it finds from the front. A marked
cache keeps whole prefixes up to the client's marks. Each has a minimum, a page and a lifetime of its own,
loses prefixes at random, and bills by its own list of prices. Time is virtual: requests carry it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random
from typing import Any, Final

import tiktoken

from compressor.tokens import ranks_folder

Json = dict[str, Any]

LOOKBACK: Final = 20


@dataclass(frozen=True, slots=True)
class World:
    """One provider's ways, which the gateway is not told. Prices are USD a million tokens."""

    model: str
    minimum: int
    page: int
    lives_s: float
    loses: float
    """The chance that a conversation's prefixes are gone at a turn."""
    fresh: float
    read: float
    write: float
    output: float
    is_marked: bool = False


WORLDS: Final = (
    World("gpt-5", 1024, 128, 300, 0.02, 1.25, 0.125, 0.0, 10.0),
    World("gpt-5-mini", 2048, 256, 1800, 0.05, 0.25, 0.025, 0.0, 2.0),
    World("gpt-4o", 1536, 16, 120, 0.1, 2.5, 1.25, 0.0, 10.0),
    World("gpt-4.1", 4096, 64, 900, 0.0, 2.0, 0.5, 0.0, 8.0),
    World("claude-sonnet-4-5", 4096, 1, 120, 0.05, 3.0, 0.3, 3.75, 15.0, is_marked=True),
    World("claude-haiku-4-5", 2048, 1, 600, 0.0, 1.0, 0.1, 1.25, 5.0, is_marked=True),
)


@dataclass(frozen=True, slots=True)
class Bill:
    """What one request, or many, came to."""

    prompt: int = 0
    read: int = 0
    written: int = 0
    output: int = 0
    usd: float = 0.0

    def __add__(self, other: Bill) -> Bill:
        return Bill(
            self.prompt + other.prompt,
            self.read + other.read,
            self.written + other.written,
            self.output + other.output,
            self.usd + other.usd,
        )


@dataclass
class Provider:
    """One provider's memory."""

    world: World
    _kept: dict[bytes, float] = field(default_factory=dict)

    def bill(self, body: Json, conversation: str, turn: int, now_s: float, answer: str) -> Bill:
        """Read what is kept of the prompt, keep what there is to keep, and bill it."""
        if Random(f"{self.world.model} {conversation} {turn}").random() < self.world.loses:
            self._kept = dict.fromkeys(self._kept, 0.0)
        pieces = list(_pieces(body))
        ends, read, written = self._look(pieces, now_s)
        prompt, output = ends, len(_encode(answer))
        fresh = prompt - read - written
        usd = fresh * self.world.fresh + read * self.world.read + written * self.world.write
        return Bill(prompt, read, written, output, (usd + output * self.world.output) / 1e6)

    def _look(self, pieces: Sequence[tuple[bytes, int, bool]], now_s: float) -> tuple[int, int, int]:
        tokens = sum(size for _, size, _ in pieces)
        return (
            tokens,
            *(self._marked(pieces, now_s) if self.world.is_marked else self._pages(pieces, now_s)),
        )

    def _pages(self, pieces: Sequence[tuple[bytes, int, bool]], now_s: float) -> tuple[int, int]:
        row = b"".join(ids for ids, _, _ in pieces)
        width, rolling, read, is_found = 4 * self.world.page, b"", 0, True
        for at in range(0, len(row) - width + 1, width):
            rolling = hashlib.blake2b(rolling + row[at : at + width], digest_size=16).digest()
            is_found = is_found and self._is_alive(rolling, now_s)
            read += self.world.page if is_found else 0
            self._kept[rolling] = now_s
        return (read if read >= self.world.minimum else 0), 0

    def _marked(self, pieces: Sequence[tuple[bytes, int, bool]], now_s: float) -> tuple[int, int]:
        rolling, length, prefixes = b"", 0, []
        for ids, size, is_marked in pieces:
            rolling = hashlib.blake2b(rolling + ids, digest_size=16).digest()
            length += size
            prefixes.append((rolling, length, is_marked))
        marks = [i for i, (_, _, is_marked) in enumerate(prefixes) if is_marked]
        tried = {i for mark in marks for i in range(max(0, mark - LOOKBACK), mark + 1)}
        found = [prefixes[i] for i in tried if self._is_alive(prefixes[i][0], now_s)]
        read = max((size for _, size, _ in found), default=0)
        kept = 0
        for key, size, is_marked in prefixes:
            if size >= self.world.minimum and (is_marked or (self._is_alive(key, now_s) and size <= read)):
                self._kept[key] = now_s
                kept = size if is_marked else kept
        return read, max(0, kept - read)

    def _is_alive(self, key: bytes, now_s: float) -> bool:
        seen = self._kept.get(key)
        return seen is not None and seen > 0 and now_s - seen <= self.world.lives_s


def usage(world: World, bill: Bill) -> Json:
    """As the provider's API tells it."""
    if world.is_marked:
        return {
            "input_tokens": bill.prompt - bill.read - bill.written,
            "cache_read_input_tokens": bill.read,
            "cache_creation_input_tokens": bill.written,
            "output_tokens": bill.output,
        }
    return {
        "prompt_tokens": bill.prompt,
        "completion_tokens": bill.output,
        "total_tokens": bill.prompt + bill.output,
        "prompt_tokens_details": {"cached_tokens": bill.read},
    }


def _pieces(body: Json) -> Iterator[tuple[bytes, int, bool]]:
    """The prompt as pieces: token ids, how many, and whether a mark stands behind."""
    for name in ("tools", "system"):
        if name in body:
            yield _piece(json.dumps(body[name]), _is_marked(body[name]))
    for message in body["messages"]:
        content = message.get("content")
        blocks = content if isinstance(content, list) else [content]
        rest = {key: value for key, value in message.items() if key not in ("role", "content")}
        said = "".join(map(_text, blocks)) + (json.dumps(rest) if rest else "")
        yield _piece(said, _is_marked(blocks), overhead=(1, 2, len(message["role"]), 3))
    yield _piece("", False, overhead=(1, 2, 3))


def _piece(text: str, is_marked: bool, overhead: tuple[int, ...] = ()) -> tuple[bytes, int, bool]:
    ids = (*overhead, *_encode(text))
    return b"".join(token.to_bytes(4, "big") for token in ids), len(ids), is_marked


def _is_marked(blocks: Any) -> bool:
    return isinstance(blocks, list) and any(
        isinstance(one, dict) and "cache_control" in one for one in blocks
    )


def _text(block: Any) -> str:
    if not isinstance(block, dict):
        return block or ""
    return str(block.get("text") or block.get("content") or json.dumps(block.get("input", "")))


@lru_cache(200_000)
def _encode(text: str) -> tuple[int, ...]:
    return tuple(_encoding().encode(text, disallowed_special=()))


@lru_cache(1)
def _encoding() -> tiktoken.Encoding:
    import os

    os.environ.setdefault("TIKTOKEN_CACHE_DIR", str(ranks_folder()))
    return tiktoken.get_encoding("o200k_base")
