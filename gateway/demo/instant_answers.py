"""What the benchmarks' upstream says, in three dialects: encoded once, plain, and as a stream of EVENTS."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

EVENTS: Final = 200
"""Pieces of a streamed answer; what begins and ends it is not counted."""
_ID: Final = "instant"
_CREATED: Final = {"created": 0, "model": "gpt-4o"}


@dataclass(frozen=True)
class Answers:
    """Whole answers as bytes on the wire."""

    plain: bytes
    pieces: tuple[bytes, ...]
    """Of a stream: the head, each event, the end."""

    @cached_property
    def streamed(self) -> bytes:
        """All of it at once."""
        return b"".join(self.pieces)


def _plain(said: Mapping[str, Any]) -> bytes:
    body = json.dumps(said).encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % len(body) + body


def _streamed(events: Iterator[bytes]) -> tuple[bytes, ...]:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    return (head, *(b"%x\r\n%b\r\n" % (len(event), event) for event in events), b"0\r\n\r\n")


def _event(said: Mapping[str, Any]) -> bytes:
    name = f"event: {said['type']}\n" if "type" in said else ""
    return f"{name}data: {json.dumps(said)}\n\n".encode()


def _chat() -> Answers:
    choice = {"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}
    said = {"id": f"chatcmpl-{_ID}", "object": "chat.completion", **_CREATED}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    return Answers(_plain({**said, "choices": [choice], "usage": usage}), _streamed(_chat_events()))


def _chat_events() -> Iterator[bytes]:
    said = {"id": f"chatcmpl-{_ID}", "object": "chat.completion.chunk", **_CREATED}
    for number in range(EVENTS):  # all of them different: LiteLLM's proxy takes repeated ones for a fault
        choice = {"index": 0, "delta": {"content": f" {number}"}, "finish_reason": None}
        yield _event({**said, "choices": [choice]})
    yield b"data: [DONE]\n\n"


def _responses() -> Answers:
    usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
    part = {"type": "output_text", "text": "ok", "annotations": []}
    message = {"type": "message", "id": "msg", "role": "assistant", "status": "completed", "content": [part]}
    head = {"id": f"resp_{_ID}", "object": "response", "created_at": 0, "model": "gpt-4o"}
    whole = {**head, "status": "completed", "output": [message], "usage": usage}
    return Answers(_plain(whole), _streamed(_responses_events(whole)))


def _responses_events(whole: Mapping[str, Any]) -> Iterator[bytes]:
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    yield _event({"type": "response.created", "sequence_number": 0, "response": begun})
    where = {"item_id": "msg", "output_index": 0, "content_index": 0}
    for number in range(EVENTS):
        delta = {"type": "response.output_text.delta", "sequence_number": number + 1, **where}
        yield _event({**delta, "delta": f" {number}"})
    yield _event({"type": "response.completed", "sequence_number": EVENTS + 1, "response": whole})


def _messages() -> Answers:
    usage = {"input_tokens": 1, "output_tokens": 1}
    head = {"id": f"msg_{_ID}", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5"}
    ended = {"stop_reason": "end_turn", "stop_sequence": None, "usage": usage}
    whole = {**head, "content": [{"type": "text", "text": "ok"}], **ended}
    return Answers(_plain(whole), _streamed(_messages_events(whole)))


def _messages_events(whole: Mapping[str, Any]) -> Iterator[bytes]:
    begun = {**whole, "content": [], "stop_reason": None}
    yield _event({"type": "message_start", "message": begun})
    yield _event({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
    for number in range(EVENTS):
        delta = {"type": "text_delta", "text": f" {number}"}
        yield _event({"type": "content_block_delta", "index": 0, "delta": delta})
    yield _event({"type": "content_block_stop", "index": 0})
    ended = {"stop_reason": "end_turn", "stop_sequence": None}
    yield _event({"type": "message_delta", "delta": ended, "usage": {"output_tokens": 1}})
    yield _event({"type": "message_stop"})


CHAT: Final = _chat()
ANSWERS: Final[Mapping[bytes, Answers]] = {b"responses": _responses(), b"messages": _messages()}
"""By the last segment of the path; any other is a chat's."""
