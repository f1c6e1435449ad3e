"""What the recipe needs to know of one API's request shape; the recipe takes a `Dialect` as an argument."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from gateway.json_spans import ByteSpan
from gateway.splice import Edit

SkipReason: TypeAlias = Literal["unparsable", "too_large", "no_text"]
"""Why a body is forwarded as it came: not JSON that everyone reads alike, too many messages or parts
to look through, or nothing in the shape of messages."""


@dataclass(frozen=True, slots=True)
class Message:
    """One element of the messages array, whatever it is; `role` is None where it has none."""

    role: str | None
    start: int
    """Raw bytes of the element: body[start:end]."""
    end: int


@dataclass(frozen=True, slots=True)
class TextSite:
    """A text that may be compressed: the string literal at body[start:end], quotes included."""

    start: int
    end: int
    role: str
    """As policies name it: `developer` is `system`."""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What was read from a request body. A field of the wrong type reads as absent."""

    model: str | None
    is_streamed: bool
    wants_usage: bool
    """The client itself asked for the usage event of a stream."""
    prompt_cache_key: str | None
    messages: tuple[Message, ...]
    texts: tuple[TextSite, ...]
    """In body order; may be empty."""
    stream_options: ByteSpan | None
    members_end: int
    """Where another member of the top object may be inserted: after its last value."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """One API's request shape, as pure functions."""

    name: str
    parse: Callable[[bytes], ChatRequest | SkipReason]
    ask_usage: Callable[[bytes, ChatRequest], Edit | None]
    """The edit that makes the upstream report the usage of a stream; None where none is needed or safe."""
