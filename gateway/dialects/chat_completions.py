"""`/v1/chat/completions`: which string literals are texts, and how to ask for the usage of a stream.

Texts are the `content` of a message, or the `text` of its parts of type `text`. Nothing else is ever
offered: tool calls, refusals, audio, images, names and unknown fields stay as they came. A message or
part of another shape than expected is not offered and not judged; that is the upstream's part.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.dialects import ChatRequest, Dialect, Message, SkipReason, TextSite
from gateway.json_spans import ByteSpan, Document, TooManyItems, Unreadable
from gateway.splice import Edit, Paste, decode

MAX_MESSAGES = 10_000
"""Of one request; each is looked into."""

_ASK = b'"include_usage":true'


def parse(body: bytes) -> ChatRequest | SkipReason:
    """What the body says, or why it is to be forwarded untouched."""
    try:
        document = Document(body)
        if not document.is_object(document.root):
            return "no_text"
        top = document.members(document.root)
        messages = top.get("messages")
        if messages is None or not document.is_array(messages):
            return "no_text"
        return _read_request(document, top, messages)
    except Unreadable as error:
        return error.skip


def ask_usage(body: bytes, request: ChatRequest) -> Edit | None:
    """Set `stream_options.include_usage`; None unless the request streams and did not ask by itself."""
    if not request.is_streamed or request.wants_usage:
        return None
    if request.stream_options is None:
        return _insert(request.members_end, b',"stream_options":{' + _ASK + b"}")
    start, end = request.stream_options
    options = Document(body[start:end])
    if options.raw(options.root) == b"null":
        return Paste(start, end, b"{" + _ASK + b"}")
    if not options.is_object(options.root):
        return None
    members = options.members(options.root)
    if not members:
        return _insert(start + 1, _ASK)
    if "include_usage" not in members:
        return _insert(start + _last_end(members), b"," + _ASK)
    value = members["include_usage"]
    return Paste(start + value[0], start + value[1], b"true") if options.raw(value) == b"false" else None


CHAT_COMPLETIONS = Dialect("chat_completions", parse, ask_usage)


def _read_request(document: Document, top: dict[str, ByteSpan], messages: ByteSpan) -> ChatRequest:
    read: list[Message] = []
    texts: list[TextSite] = []
    elements = document.elements(messages)
    if len(elements) > MAX_MESSAGES:
        raise TooManyItems(f"more than {MAX_MESSAGES} messages")
    for element in elements:
        members = _members(document, element)
        role = _role(document, members)
        read.append(Message(role, *element))
        if role is not None:
            texts.extend(_find_texts(document, members, role))
    options = top.get("stream_options")
    return ChatRequest(
        model=_string(document, top.get("model")),
        is_streamed=_is_true(document, top.get("stream")),
        wants_usage=_is_true(document, _members(document, options).get("include_usage")),
        prompt_cache_key=_string(document, top.get("prompt_cache_key")),
        messages=tuple(read),
        texts=tuple(texts),
        stream_options=options,
        members_end=_last_end(top),
    )


def _find_texts(document: Document, message: dict[str, ByteSpan], role: str) -> Iterator[TextSite]:
    content = message.get("content")
    if content is None:
        return
    if document.is_string(content):
        yield TextSite(*content, role)
    elif document.is_array(content):
        for part in document.elements(content):
            members = _members(document, part)
            text = members.get("text")
            if text and document.is_string(text) and _string(document, members.get("type")) == "text":
                yield TextSite(*text, role)


def _role(document: Document, message: dict[str, ByteSpan]) -> str | None:
    role = _string(document, message.get("role"))
    return "system" if role == "developer" else role


def _members(document: Document, value: ByteSpan | None) -> dict[str, ByteSpan]:
    return document.members(value) if value and document.is_object(value) else {}


def _string(document: Document, value: ByteSpan | None) -> str | None:
    return decode(document.raw(value)) if value and document.is_string(value) else None


def _is_true(document: Document, value: ByteSpan | None) -> bool:
    return value is not None and document.raw(value) == b"true"


def _last_end(members: dict[str, ByteSpan]) -> int:
    return next(reversed(members.values()))[1]


def _insert(at: int, raw: bytes) -> Paste:
    return Paste(at, at, raw)
