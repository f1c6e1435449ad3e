"""`/v1/messages` (Anthropic): which string literals are texts.

Texts are `system` and the content of messages, as strings or as blocks of type `text`; the content of
`tool_result` blocks (role tool); and the plain text of `document` blocks. Thinking with its signatures, tool
calls, search results, images and unknown blocks stay as they came, and so does whatever citations point into
or come from: they count its characters.

`cache_control` is no input to anything here. Clients move it on with every turn, and write a lone text as a
string or as a block because of it; so a message is recognised by what it says, and not by its bytes. `system`
is not used for that: agents write what changes from request to request into it.

A stream tells its usage by itself, so nothing is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.dialects import ChatRequest, Dialect, Message, SkipReason, TextSite
from gateway.dialects.anthropic_answers import ANTHROPIC_ANSWERS, COUNT_ANSWERS
from gateway.dialects.fields import (
    Members,
    elements,
    is_empty,
    is_true,
    last_end,
    literal,
    members,
    messages_of,
    read_body,
    role_of,
    string,
)
from gateway.json_spans import ByteSpan, Document


def parse(body: bytes) -> ChatRequest | SkipReason:
    """What the body says, or why it is to be forwarded untouched."""
    return read_body(body, _read)


def _read(document: Document, top: Members) -> ChatRequest | SkipReason:
    given = top.get("messages")
    if given is None or not document.is_array(given):
        return "no_text"
    messages: list[Message] = []
    texts = list(_content(document, top.get("system"), "system"))
    for element in messages_of(document, given):
        message = members(document, element)
        role = role_of(document, message)
        said, calls = tuple(_said(document, message)) or None, tuple(_calls(document, message))
        messages.append(Message(role, *element, said=said, calls=calls))
        if role is not None:
            texts.extend(_content(document, message.get("content"), role))
    return ChatRequest(
        model=string(document, top.get("model")),
        is_streamed=is_true(document, top.get("stream")),
        wants_usage=True,
        prompt_cache_key=None,
        messages=tuple(messages),
        texts=tuple(sorted(texts, key=lambda text: text.start)),
        stream_options=None,
        members_end=last_end(top),
        user=string(document, members(document, top.get("metadata")).get("user_id")),
        tools=(top["tools"],) if "tools" in top else (),
    )


def _content(document: Document, content: ByteSpan | None, role: str) -> Iterator[TextSite]:
    yield from literal(document, content, role)
    for element in elements(document, content):
        block = members(document, element)
        kind = string(document, block.get("type"))
        if kind == "text" and is_empty(document, block.get("citations")):
            yield from literal(document, block.get("text"), role)
        elif kind == "tool_result":
            yield from _content(document, block.get("content"), "tool")
        elif kind == "document" and not _is_cited(document, block):
            source = members(document, block.get("source"))
            if string(document, source.get("type")) == "text":
                yield from literal(document, source.get("data"), role)


def _calls(document: Document, message: Members) -> Iterator[ByteSpan]:
    for element in elements(document, message.get("content")):
        if string(document, members(document, element).get("type")) == "tool_use":
            yield element


def _is_cited(document: Document, block: Members) -> bool:
    """Whether the answer may point into a document: the default is no."""
    return is_true(document, members(document, block.get("citations")).get("enabled"))


def _said(document: Document, message: Members) -> Iterator[ByteSpan]:
    """The values that tell one message from another."""
    for name in ("role", "content"):
        value = message.get(name)
        if value is not None and document.is_array(value):
            for element in document.elements(value):
                yield from _block_said(document, element)
        elif value is not None:
            yield value


def _block_said(document: Document, element: ByteSpan) -> Iterator[ByteSpan]:
    """Of a text block the text, as it stands without a block too; of others all but `cache_control`."""
    block = members(document, element)
    if not block:
        yield element
    elif string(document, block.get("type")) == "text" and "text" in block:
        yield block["text"]
    else:
        yield from (value for name, value in block.items() if name != "cache_control")


MESSAGES = Dialect("anthropic_messages", "/v1/messages", parse, ANTHROPIC_ANSWERS)
COUNT_TOKENS = Dialect("anthropic_messages", "/v1/messages/count_tokens", parse, COUNT_ANSWERS)
"""What is counted is what would be sent: the upstream's figure is the one its answers will report."""
