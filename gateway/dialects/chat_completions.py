"""`/v1/chat/completions`: which string literals are texts, and how to ask for the usage of a stream.

Texts are the `content` of a message, or the `text` of its parts of type `text`. Nothing else is ever
offered: tool calls, refusals, audio, images, names and unknown fields stay as they came. A message or
part of another shape than expected is not offered and not judged; that is the upstream's part.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.dialects import ChatRequest, Dialect, Message, SkipReason, TextSite
from gateway.dialects.answers import CHAT_ANSWERS
from gateway.dialects.fields import (
    Members,
    elements,
    is_true,
    last_end,
    literal,
    members,
    messages_of,
    read_body,
    role_of,
    string,
)
from gateway.json_spans import Document
from gateway.splice import Edit, Paste

_ASK = b'"include_usage":true'
_CALLS = ("tool_calls", "function_call")


def parse(body: bytes) -> ChatRequest | SkipReason:
    """What the body says, or why it is to be forwarded untouched."""
    return read_body(body, _read)


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
    asked = options.members(options.root)
    if not asked:
        return _insert(start + 1, _ASK)
    if "include_usage" not in asked:
        return _insert(start + last_end(asked), b"," + _ASK)
    value = asked["include_usage"]
    return Paste(start + value[0], start + value[1], b"true") if options.raw(value) == b"false" else None


def _read(document: Document, top: Members) -> ChatRequest | SkipReason:
    given = top.get("messages")
    if given is None or not document.is_array(given):
        return "no_text"
    read: list[Message] = []
    texts: list[TextSite] = []
    for element in messages_of(document, given):
        message = members(document, element)
        role = role_of(document, message)
        read.append(Message(role, *element, calls=tuple(message[name] for name in _CALLS if name in message)))
        if role is not None:
            texts.extend(_texts(document, message, role))
    options = top.get("stream_options")
    return ChatRequest(
        model=string(document, top.get("model")),
        is_streamed=is_true(document, top.get("stream")),
        wants_usage=is_true(document, members(document, options).get("include_usage")),
        prompt_cache_key=string(document, top.get("prompt_cache_key")),
        messages=tuple(read),
        texts=tuple(texts),
        stream_options=options,
        members_end=last_end(top),
        user=string(document, top.get("safety_identifier")) or string(document, top.get("user")),
        tools=tuple(top[name] for name in ("tools", "functions") if name in top),
    )


def _texts(document: Document, message: Members, role: str) -> Iterator[TextSite]:
    content = message.get("content")
    yield from literal(document, content, role)
    for element in elements(document, content):
        part = members(document, element)
        if string(document, part.get("type")) == "text":
            yield from literal(document, part.get("text"), role)


def _insert(at: int, raw: bytes) -> Paste:
    return Paste(at, at, raw)


CHAT_COMPLETIONS = Dialect(
    "chat_completions", "/v1/chat/completions", parse, CHAT_ANSWERS, ask_usage, is_replayable=True
)
