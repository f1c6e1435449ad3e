"""Reading the members of a request body leniently: a value of the wrong type reads as absent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from gateway.dialects import ChatRequest, SkipReason, TextSite
from gateway.json_spans import ByteSpan, Document, TooManyItems, Unreadable
from gateway.splice import decode

Members: TypeAlias = dict[str, ByteSpan]

MAX_MESSAGES = 10_000
"""Of one request; each is looked into."""


def read_body(
    body: bytes, read: Callable[[Document, Members], ChatRequest | SkipReason]
) -> ChatRequest | SkipReason:
    """What `read` makes of the members of the body, or why it is to be forwarded untouched."""
    try:
        document = Document(body)
        if not document.is_object(document.root):
            return "no_text"
        return read(document, document.members(document.root))
    except Unreadable as error:
        return error.skip


def messages_of(document: Document, value: ByteSpan) -> list[ByteSpan]:
    """The elements of an array of messages. Raises TooManyItems."""
    elements = document.elements(value)
    if len(elements) > MAX_MESSAGES:
        raise TooManyItems(f"more than {MAX_MESSAGES} messages")
    return elements


def members(document: Document, value: ByteSpan | None) -> Members:
    """The members of an object; none of anything else."""
    return document.members(value) if value and document.is_object(value) else {}


def elements(document: Document, value: ByteSpan | None) -> list[ByteSpan]:
    """The elements of an array; none of anything else."""
    return document.elements(value) if value and document.is_array(value) else []


def string(document: Document, value: ByteSpan | None) -> str | None:
    """A string's text."""
    return decode(document.raw(value)) if value and document.is_string(value) else None


def is_true(document: Document, value: ByteSpan | None) -> bool:
    """Whether it is the literal `true`."""
    return value is not None and document.raw(value) == b"true"


def is_empty(document: Document, value: ByteSpan | None) -> bool:
    """Whether it is absent, null, or an array without elements."""
    if value is None or document.raw(value) == b"null":
        return True
    return document.is_array(value) and not document.elements(value)


def role_of(document: Document, message: Members) -> str | None:
    """The role as policies name it: `developer` is `system`."""
    role = string(document, message.get("role"))
    return "system" if role == "developer" else role


def literal(document: Document, value: ByteSpan | None, role: str) -> Iterator[TextSite]:
    """The text that a string is."""
    if value is not None and document.is_string(value):
        yield TextSite(*value, role)


def last_end(top: Members) -> int:
    """Where the last member ends."""
    return next(reversed(top.values()))[1]
