"""`/v1/responses`: which string literals are texts.

Texts are `instructions` (role system), an `input` that is a string (role user), the content of message items,
and the output of function and custom tool calls (role tool), as a string or as parts of type `input_text` or
`output_text`. Calls, reasoning (encrypted or not), images, files, identifiers and unknown items stay as they
came; so does an answer's text with annotations, whose offsets count its characters.

A stream tells its usage by itself, so nothing is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.dialects import ChatRequest, Dialect, Message, SkipReason, TextSite
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
from gateway.dialects.responses_answers import RESPONSES_ANSWERS
from gateway.json_spans import ByteSpan, Document

_OUTPUTS = ("function_call_output", "custom_tool_call_output")
_CALLS = ("function_call", "custom_tool_call")
_TEXT_PARTS = ("input_text", "output_text")
_BY_CLIENT = ("message", "item_reference")
"""Items a client writes itself; the others, but for outputs, are what the model said before."""


def parse(body: bytes) -> ChatRequest | SkipReason:
    """What the body says, or why it is to be forwarded untouched."""
    return read_body(body, _read)


def _read(document: Document, top: Members) -> ChatRequest | SkipReason:
    given = top.get("input")
    if given is None or not (document.is_string(given) or document.is_array(given)):
        return "no_text"
    messages: list[Message] = []
    texts: list[TextSite] = []
    if (instructions := top.get("instructions")) is not None:
        messages.append(Message("system", *instructions))
        texts.extend(literal(document, instructions, "system"))
    if document.is_string(given):
        messages.append(Message("user", *given))
        texts.extend(literal(document, given, "user"))
    else:
        for element in messages_of(document, given):
            item = members(document, element)
            role = _role(document, item)
            is_call = string(document, item.get("type")) in _CALLS
            messages.append(Message(role, *element, calls=(element,) if is_call else ()))
            texts.extend(_texts(document, item, role))
    return ChatRequest(
        model=string(document, top.get("model")),
        is_streamed=is_true(document, top.get("stream")),
        wants_usage=True,
        prompt_cache_key=string(document, top.get("prompt_cache_key")),
        messages=tuple(messages),
        texts=tuple(sorted(texts, key=lambda text: text.start)),
        stream_options=None,
        members_end=last_end(top),
        user=string(document, top.get("safety_identifier")) or string(document, top.get("user")),
        chain=_chain(document, top),
        tools=(top["tools"],) if "tools" in top else (),
    )


def _chain(document: Document, top: Members) -> str | None:
    """What the upstream keeps of earlier turns: the response before, else the conversation."""
    conversation = top.get("conversation")
    return (
        string(document, top.get("previous_response_id"))
        or string(document, conversation)
        or string(document, members(document, conversation).get("id"))
    )


def _role(document: Document, item: Members) -> str | None:
    kind = string(document, item.get("type")) or "message"
    if kind in _OUTPUTS:
        return "tool"
    return role_of(document, item) if kind in _BY_CLIENT else "assistant"


def _texts(document: Document, item: Members, role: str | None) -> Iterator[TextSite]:
    kind = string(document, item.get("type")) or "message"
    if kind == "message" and role is not None:
        yield from _content(document, item.get("content"), role)
    elif kind in _OUTPUTS:
        yield from _content(document, item.get("output"), "tool")


def _content(document: Document, content: ByteSpan | None, role: str) -> Iterator[TextSite]:
    yield from literal(document, content, role)
    for element in elements(document, content):
        part = members(document, element)
        if string(document, part.get("type")) in _TEXT_PARTS and is_empty(document, part.get("annotations")):
            yield from literal(document, part.get("text"), role)


RESPONSES = Dialect("responses", "/v1/responses", parse, RESPONSES_ANSWERS)
