"""What an answer says, as text for a judge: of each dialect, whole or streamed (pure).

Tool calls are part of what an answer says. What a model thinks aloud is not. None stands for an answer that
is not whole, is an error, or has a shape we do not know.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from gateway.dialects.answers import mapping
from gateway.sse import EventReader
from gateway.tap import DONE
from gateway.types import RawHeaders
from gateway.usage import read_object

MOST_BYTES: Final = 4 << 20
"""Of an answer, unpacked."""


@dataclass(frozen=True, slots=True)
class Telling:
    """How one dialect's answers say it."""

    whole: Callable[[Mapping[str, Any]], str | None]
    streamed: Callable[[Sequence[bytes]], str | None]
    """Of the data of all events."""


def said(dialect: str, headers: RawHeaders, body: bytes) -> str | None:
    """The text of an answer with these header fields."""
    fields = {name.lower(): value.strip().lower() for name, value in headers}
    plain = _unpacked(fields.get(b"content-encoding", b""), body)
    telling = TELLINGS.get(dialect)
    if plain is None or telling is None:
        return None
    media = fields.get(b"content-type", b"").partition(b";")[0].strip()
    if media == b"text/event-stream":
        return telling.streamed(EventReader(MOST_BYTES).feed(plain))
    answer = read_object(plain) if media == b"application/json" else {}
    return telling.whole(answer) if answer and answer.get("error") is None else None


def _unpacked(coding: bytes, body: bytes) -> bytes | None:
    if coding in (b"", b"identity"):
        return body if len(body) <= MOST_BYTES else None
    if coding not in (b"gzip", b"x-gzip"):
        return None
    unpacker = zlib.decompressobj(wbits=31)
    try:
        plain = unpacker.decompress(body, MOST_BYTES)
    except zlib.error:
        return None
    return plain if unpacker.eof else None


# Chat completions: the first choice.


def _chat(answer: Mapping[str, Any]) -> str | None:
    choices = answer.get("choices")
    if not isinstance(choices, list) or not choices:
        return None
    message = mapping(mapping(choices[0]).get("message"))
    calls = [mapping(mapping(call).get("function")) for call in _list(message.get("tool_calls"))]
    return _joined([_content(message.get("content")), _str(message.get("refusal")), *map(_call, calls)])


def _chat_events(events: Sequence[bytes]) -> str | None:
    if not events or events[-1] != DONE:
        return None
    text, calls = "", dict[object, dict[str, str]]()
    for chunk in map(read_object, events[:-1]):
        if not chunk or chunk.get("error") is not None:
            return None
        for choice in map(mapping, _list(chunk.get("choices"))):
            delta = mapping(choice.get("delta"))
            if choice.get("index", 0) != 0:
                continue
            text += _str(delta.get("content")) + _str(delta.get("refusal"))
            for call in map(mapping, _list(delta.get("tool_calls"))):
                function = mapping(call.get("function"))
                known = calls.setdefault(str(call.get("index")), {"name": "", "arguments": ""})
                for name in known:
                    known[name] += _str(function.get(name))
    return _joined([text, *map(_call, calls.values())])


# Anthropic's messages: blocks.


def _message(answer: Mapping[str, Any]) -> str | None:
    if answer.get("type") != "message":
        return None
    return _joined([_block(mapping(block)) for block in _list(answer.get("content"))])


def _block(block: Mapping[str, Any]) -> str:
    if block.get("type") == "tool_use":
        return _call({"name": block.get("name"), "arguments": orjson.dumps(block.get("input")).decode()})
    return _str(block.get("text")) if block.get("type") == "text" else ""


def _message_events(events: Sequence[bytes]) -> str | None:
    parts: list[str] = []
    is_ended = False
    for event in map(read_object, events):
        kind, delta = event.get("type"), mapping(event.get("delta"))
        if kind == "error":
            return None
        is_ended = is_ended or kind == "message_stop"
        if kind == "content_block_start":
            block = mapping(event.get("content_block"))
            is_call = block.get("type") == "tool_use"
            parts.append(f"call {_str(block.get('name'))} " if is_call else _str(block.get("text")))
        elif kind == "content_block_delta" and parts:
            parts[-1] += _str(delta.get("text")) + _str(delta.get("partial_json"))
    return _joined(parts) if is_ended else None


# Responses: items.


def _response(answer: Mapping[str, Any]) -> str | None:
    if answer.get("object") != "response" or answer.get("status") != "completed":
        return None
    return _joined([part for item in _list(answer.get("output")) for part in _item(mapping(item))])


def _item(item: Mapping[str, Any]) -> Iterator[str]:
    if item.get("type") == "function_call":
        yield _call(item)
    for part in map(mapping, _list(item.get("content")) if item.get("type") == "message" else []):
        yield _str(part.get("text")) + _str(part.get("refusal"))


def _response_events(events: Sequence[bytes]) -> str | None:
    ended = (event for event in map(read_object, events) if event.get("type") == "response.completed")
    return next((_response(mapping(event.get("response"))) for event in ended), None)


def _call(function: Mapping[str, Any]) -> str:
    return f"call {_str(function.get('name'))} {_str(function.get('arguments'))}"


def _content(content: object) -> str:
    """A string, or parts."""
    return _str(content) or _joined([_str(mapping(part).get("text")) for part in _list(content)])


def _joined(parts: Sequence[str]) -> str:
    return "\n".join(part for part in parts if part)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _str(value: object) -> str:
    return value if isinstance(value, str) else ""


TELLINGS: Final[Mapping[str, Telling]] = {
    "chat_completions": Telling(_chat, _chat_events),
    "anthropic_messages": Telling(_message, _message_events),
    "responses": Telling(_response, _response_events),
}
"""By the dialect's name."""
