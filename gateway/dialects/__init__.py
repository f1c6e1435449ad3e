"""What the recipe needs to know of one API's request shape; the recipe takes a `Dialect` as an argument."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from gateway.dialects.answers import CHAT_ANSWERS, AnswerShape
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
    said: tuple[ByteSpan, ...] | None = None
    """The parts by which it is recognised on later turns; None: all of it."""
    calls: tuple[ByteSpan, ...] = ()
    """What calls tools: billed as its texts are, and never changed. Not looked into here."""

    def identity(self, body: bytes) -> bytes:
        """What tells it from other messages."""
        if self.said is None:
            return body[self.start : self.end]
        return b"\0".join(body[start:end] for start, end in self.said)


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
    user: str | None = None
    """Whom the application asks for, as it names them."""
    chain: str | None = None
    """The upstream's name for what it keeps of earlier turns, which this request continues."""
    tools: tuple[ByteSpan, ...] = ()
    """What describes the tools that may be called."""

    @property
    def is_continued(self) -> bool:
        """Whether the conversation is not at its beginning: an answer is in it, or at the upstream."""
        return self.chain is not None or any(message.role == "assistant" for message in self.messages)


def _asks_nothing(body: bytes, request: ChatRequest) -> Edit | None:
    return None


@dataclass(frozen=True, slots=True)
class Dialect:
    """One API's shape, as pure functions."""

    name: str
    path: str
    """Where the API usually is, as policies match it."""
    parse: Callable[[bytes], ChatRequest | SkipReason]
    answers: AnswerShape = CHAT_ANSWERS
    ask_usage: Callable[[bytes, ChatRequest], Edit | None] = _asks_nothing
    """The edit that makes the upstream report the usage of a stream; None where none is needed or safe."""
    is_replayable: bool = False
    """Whether the cache of answers knows which of its requests may be answered again."""
