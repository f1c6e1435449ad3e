"""One kept request: the body as it came and what went on of it, as bytes to be sealed and back (pure).

What it cost is in the ledger, under the same id. Header fields are not kept, so no key is. Bytes that `pack`
of this version did not write are no record.
"""

from __future__ import annotations

import zlib
from base64 import b85decode, b85encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import orjson

from gateway.texts import Finished
from gateway.usage import read_object

MOST_BYTES: Final = 128 << 20
"""Of a record, unpacked: four times the largest body that is looked into by default."""

_MARK: Final = b"\x01"
_LENGTH_BYTES: Final = 4
_LEVEL: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """A request as it came, and how it went on."""

    id: str
    """As in the ledger."""
    at: float
    """Unix seconds."""
    path: str
    dialect: str
    upstream: str
    tenant: str
    """Keyed hash, or a team's or a key's name."""
    key_id: str | None
    team: str | None
    conversation: str | None
    model: str | None
    body: bytes
    sent: tuple[Finished, ...] | None
    """What became of each text; None where the request went on as it came."""


def pack(kept: Kept) -> bytes:
    """As bytes to be sealed."""
    head = {
        **{name: getattr(kept, name) for name in _PLAIN},
        "sent": None if kept.sent is None else [_spelled(one) for one in kept.sent],
    }
    said = orjson.dumps(head)
    return _MARK + zlib.compress(len(said).to_bytes(_LENGTH_BYTES, "big") + said + kept.body, _LEVEL)


def unpack(value: bytes) -> Kept | None:
    """The record that `pack` wrote, or None."""
    unpacker = zlib.decompressobj()
    try:
        if not value.startswith(_MARK):
            return None
        plain = unpacker.decompress(value[1:], MOST_BYTES)
        if not unpacker.eof:
            return None
        end = _LENGTH_BYTES + int.from_bytes(plain[:_LENGTH_BYTES], "big")
        head = read_object(plain[_LENGTH_BYTES:end])
        sent = head["sent"]
        finished = None if sent is None else tuple(map(_read, sent))
        return Kept(**{name: head[name] for name in _PLAIN}, body=plain[end:], sent=finished)
    except (zlib.error, KeyError, TypeError, ValueError):
        return None


_PLAIN: Final = (
    *("id", "at", "path", "dialect", "upstream"),
    *("tenant", "key_id", "team", "conversation", "model"),
)


def _spelled(one: Finished) -> list[Any]:
    kept = None if one.kept is None else b85encode(np.ascontiguousarray(one.kept, "<i4").tobytes()).decode()
    rewritten = None if one.rewritten is None else b85encode(one.rewritten).decode()
    return [one.origin_tokens, one.compressed_tokens, one.skip, kept, rewritten]


def _read(said: Sequence[Any]) -> Finished:
    origin, compressed, skip, kept, rewritten = said
    spans = None if kept is None else np.frombuffer(b85decode(kept), "<i4").reshape(-1, 2)
    raw = None if rewritten is None else b85decode(rewritten)
    return Finished(spans, int(origin), int(compressed), skip, rewritten=raw)
