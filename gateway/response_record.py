"""An answer as it is recorded: which answers may be, what of them is kept, and the bytes in the store (pure).

Laws: only a whole answer of status 200 is recorded, in the shape that was asked for: a stream up to its
`[DONE]`, or one JSON object, neither with an error in it. What the upstream said to that one client (cookies,
ids, rate limits, times) is not kept. Bytes that `pack` of this version did not write are no record.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import orjson

from gateway.headers import values
from gateway.response_key import directives
from gateway.sse import EventReader
from gateway.tap import DONE
from gateway.types import RawHeaders, UpstreamRequest, UpstreamResponse, Usage
from gateway.usage import read_object

MAX_ANSWER_BYTES: Final = 1 << 20
"""Of one answer's body; a longer one is not recorded."""

KEPT_FIELDS: Final = frozenset(
    {
        b"cache-control",
        b"content-encoding",
        b"content-type",
        b"openai-model",
        b"openai-version",
        b"x-accel-buffering",
    }
)
"""Header fields of an answer that are about its content: the others are not replayed."""

PIECE_BYTES: Final = 64 << 10
"""Of an answer that is replayed, at a time."""

_EVENT_STREAM: Final = b"text/event-stream"
_JSON: Final = b"application/json"
_MARK: Final = b"\x01"  # raised when the format changes: older bytes are then no record
_LENGTH_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    headers: RawHeaders
    body: bytes
    stored_at: float
    """Unix seconds."""
    usage: Usage | None = None
    """What the upstream counted, once."""

    def is_fresh(self, now: float, ttl_s: float) -> bool:
        return now < self.stored_at + ttl_s


class Replay:
    """An `Upstream` that gives one answer."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        """The answer, whatever is asked."""
        return UpstreamResponse(200, list(self._answer.headers), _pieces(self._answer.body))

    async def aclose(self) -> None:
        """There is nothing to close."""


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), PIECE_BYTES):
        yield body[start : start + PIECE_BYTES]


def is_recordable(status: int, headers: RawHeaders, *, is_streamed: bool) -> bool:
    """Whether an answer that begins like this may be recorded, if it turns out whole."""
    fields = [(name.lower(), value) for name, value in headers]
    media = _joined(fields, b"content-type").partition(b";")[0].strip()
    coding = _joined(fields, b"content-encoding").strip() or b"identity"
    readable = (b"identity",) if is_streamed else (b"identity", b"gzip")
    said = directives(_joined(fields, b"cache-control").decode("latin-1"))
    return (
        status == 200
        and media == (_EVENT_STREAM if is_streamed else _JSON)
        and coding in readable
        and not said & {"no-store", "private"}
    )


def kept(headers: Iterable[tuple[bytes, bytes]]) -> RawHeaders:
    """What is recorded of an answer's header fields."""
    return [(name, value) for name, value in headers if name.lower() in KEPT_FIELDS]


def is_whole(headers: RawHeaders, body: bytes, *, is_streamed: bool) -> bool:
    """Whether a body that came to its end says what it was to say: no error, and of a stream its end."""
    if is_streamed:
        return _is_whole_stream(body)
    coding = _joined([(name.lower(), value) for name, value in headers], b"content-encoding").strip()
    answer = read_object(_unpacked(body) if coding == b"gzip" else body)
    return bool(answer) and answer.get("error") is None


def pack(answer: Answer) -> bytes:
    """As bytes for the store."""
    head = {
        "at": answer.stored_at,
        "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in answer.headers],
        "usage": asdict(answer.usage) if answer.usage else None,
        "length": len(answer.body),
    }
    said = orjson.dumps(head)
    return b"".join((_MARK, len(said).to_bytes(_LENGTH_BYTES, "big"), said, answer.body))


def unpack(value: bytes | None) -> Answer | None:
    """The answer that `pack` wrote, or None: a bad record is a miss."""
    if value is None or not value.startswith(_MARK):
        return None
    start = len(_MARK) + _LENGTH_BYTES
    end = start + int.from_bytes(value[len(_MARK) : start], "big")
    head, body = read_object(value[start:end]), value[end:]
    try:
        if len(body) != head["length"]:
            return None
        headers = [(name.encode("latin-1"), said.encode("latin-1")) for name, said in head["headers"]]
        return Answer(kept(headers), body, float(head["at"]), _usage(head["usage"]))
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _usage(said: dict[str, Any] | None) -> Usage | None:
    return Usage(**said) if said is not None else None


def _is_whole_stream(body: bytes) -> bool:
    events = EventReader(MAX_ANSWER_BYTES).feed(body)
    return bool(events) and events[-1] == DONE and not any(map(_is_error, events[:-1]))


def _is_error(event: bytes) -> bool:
    chunk = read_object(event)
    return not chunk or chunk.get("error") is not None


def _unpacked(body: bytes) -> bytes:
    """Of a body packed by gzip; nothing when that is broken, or more than an answer may be."""
    unpacker = zlib.decompressobj(wbits=31)
    try:
        plain = unpacker.decompress(body, 8 * MAX_ANSWER_BYTES)
    except zlib.error:
        return b""
    return plain if unpacker.eof else b""


def _joined(fields: Sequence[tuple[bytes, bytes]], name: bytes) -> bytes:
    return b",".join(values(fields, name)).lower()
