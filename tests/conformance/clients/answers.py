"""The answers of three APIs: whole, as events, and as errors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.conformance.clients.asked import CALL_ID, Reply

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Shape:
    """How one API answers. `events` says `words` instead of the reply's text, and ends when they do."""

    whole: Callable[[Reply, Fields], Fields]
    events: Callable[[Reply, Fields, Iterable[str]], Iterator[bytes]]
    error: Callable[[int, str], Fields]
    request_id: str


def pieces(text: str, length: int) -> Iterator[str]:
    """A text as a model says it, a few characters at a time."""
    return (text[i : i + length] for i in range(0, len(text), length))


def _event(data: Fields, kind: str = "") -> bytes:
    name = f"event: {kind}\n" if kind else ""
    return f"{name}data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


# ---- chat completions

_CHAT_USAGE = {
    "prompt_tokens": 900,
    "completion_tokens": 80,
    "total_tokens": 980,
    "prompt_tokens_details": {"cached_tokens": 300},
}


def _chat_call(reply: Reply, arguments: str) -> Fields:
    assert reply.call
    function = {"name": reply.call[0], "arguments": arguments}
    return {"id": CALL_ID, "type": "function", "function": function}


def _chat_whole(reply: Reply, asked: Fields) -> Fields:
    message: Fields = {"role": "assistant", "content": reply.text or None, "refusal": None}
    if reply.call:
        message["tool_calls"] = [_chat_call(reply, reply.call[1])]
    choice = {"index": 0, "message": message, "finish_reason": _finish(reply), "logprobs": None}
    return {**_chat_head(asked), "object": "chat.completion", "choices": [choice], "usage": _CHAT_USAGE}


def _chat_head(asked: Fields) -> Fields:
    return {
        "id": "chatcmpl-1",
        "created": 1_790_000_000,
        "model": asked["model"],
        "system_fingerprint": "fp_1",
    }


def _finish(reply: Reply) -> str:
    return "tool_calls" if reply.call else "stop"


def _chat_events(reply: Reply, asked: Fields, words: Iterable[str]) -> Iterator[bytes]:
    asks_usage = bool((asked.get("stream_options") or {}).get("include_usage"))
    head = {**_chat_head(asked), "object": "chat.completion.chunk"} | ({"usage": None} if asks_usage else {})

    def chunk(delta: Fields, finish: str | None = None) -> bytes:
        return _event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    yield b": keep-alive\n\n"
    yield chunk({"role": "assistant", "content": None if reply.call else ""})
    for delta in _chat_deltas(reply, words):
        yield chunk(delta)
    yield chunk({}, _finish(reply))
    if asks_usage:
        yield _event({**head, "choices": [], "usage": _CHAT_USAGE})
    yield b"data: [DONE]\n\n"


def _chat_deltas(reply: Reply, words: Iterable[str]) -> Iterator[Fields]:
    if reply.call is None:
        yield from ({"content": word} for word in words)
        return
    yield {"tool_calls": [{"index": 0, **_chat_call(reply, "")}]}
    for part in pieces(reply.call[1], 3):
        yield {"tool_calls": [{"index": 0, "function": {"arguments": part}}]}


def _openai_error(status: int, message: str) -> Fields:
    return {"error": {"message": message, "type": "a_type", "param": None, "code": f"code_{status}"}}


# ---- responses

_RESPONSES_USAGE = {
    "input_tokens": 900,
    "input_tokens_details": {"cached_tokens": 300},
    "output_tokens": 80,
    "output_tokens_details": {"reasoning_tokens": 5},
    "total_tokens": 980,
}


def _item(reply: Reply, status: str = "completed") -> Fields:
    if reply.call:
        name, arguments = reply.call
        arguments = arguments if status == "completed" else ""
        return {
            "type": "function_call",
            "id": "fc_1",
            "call_id": CALL_ID,
            "name": name,
            "arguments": arguments,
            "status": status,
        }
    content = [_part(reply.text)] if status == "completed" else []
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": status, "content": content}


def _part(text: str) -> Fields:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _response(reply: Reply, asked: Fields, status: str = "completed") -> Fields:
    is_done = status == "completed"
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_790_000_000,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": asked.get("instructions"),
        "metadata": {},
        "model": asked["model"],
        "output": [_item(reply)] if is_done else [],
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": _RESPONSES_USAGE if is_done else None,
    }


def _responses_events(reply: Reply, asked: Fields, words: Iterable[str]) -> Iterator[bytes]:
    for number, (kind, fields) in enumerate(_responses_parts(reply, asked, words)):
        yield _event({"type": kind, "sequence_number": number, **fields}, kind)


def _responses_parts(reply: Reply, asked: Fields, words: Iterable[str]) -> Iterator[tuple[str, Fields]]:
    where = {"output_index": 0, "item_id": "fc_1" if reply.call else "msg_1"}
    for kind in ("response.created", "response.in_progress"):
        yield kind, {"response": _response(reply, asked, "in_progress")}
    yield "response.output_item.added", {"output_index": 0, "item": _item(reply, "in_progress")}
    if reply.call:
        for part in pieces(reply.call[1], 3):
            yield "response.function_call_arguments.delta", {**where, "delta": part}
        done = {**where, "name": reply.call[0], "arguments": reply.call[1]}
        yield "response.function_call_arguments.done", done
    else:
        where["content_index"] = 0
        yield "response.content_part.added", {**where, "part": _part("")}
        for word in words:
            yield "response.output_text.delta", {**where, "delta": word, "logprobs": []}
        yield "response.output_text.done", {**where, "text": reply.text, "logprobs": []}
        yield "response.content_part.done", {**where, "part": _part(reply.text)}
    yield "response.output_item.done", {"output_index": 0, "item": _item(reply)}
    yield "response.completed", {"response": _response(reply, asked)}


# ---- messages

_MESSAGES_USAGE = {
    "input_tokens": 100,
    "cache_creation_input_tokens": 200,
    "cache_read_input_tokens": 600,
    "output_tokens": 80,
}


def _block(reply: Reply) -> Fields:
    if reply.call:
        name, arguments = reply.call
        return {"type": "tool_use", "id": CALL_ID, "name": name, "input": json.loads(arguments)}
    return {"type": "text", "text": reply.text}


def _message(reply: Reply, asked: Fields) -> Fields:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": asked["model"],
        "content": [_block(reply)],
        "stop_reason": "tool_use" if reply.call else "end_turn",
        "stop_sequence": None,
        "usage": _MESSAGES_USAGE,
    }


def _messages_events(reply: Reply, asked: Fields, words: Iterable[str]) -> Iterator[bytes]:
    for kind, fields in _messages_parts(reply, asked, words):
        yield _event({"type": kind, **fields}, kind)


def _messages_parts(reply: Reply, asked: Fields, words: Iterable[str]) -> Iterator[tuple[str, Fields]]:
    whole = _message(reply, asked)
    begun = {**whole, "content": [], "stop_reason": None, "usage": {**_MESSAGES_USAGE, "output_tokens": 1}}
    yield "message_start", {"message": begun}
    empty = {**_block(reply), "input": {}} if reply.call else {"type": "text", "text": ""}
    yield "content_block_start", {"index": 0, "content_block": empty}
    yield "ping", {}
    if reply.call:
        deltas = ({"type": "input_json_delta", "partial_json": part} for part in pieces(reply.call[1], 3))
    else:
        deltas = ({"type": "text_delta", "text": word} for word in words)
    for delta in deltas:
        yield "content_block_delta", {"index": 0, "delta": delta}
    yield "content_block_stop", {"index": 0}
    ended = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield "message_delta", {"delta": ended, "usage": {"output_tokens": 80}}
    yield "message_stop", {}


def _anthropic_error(status: int, message: str) -> Fields:
    return {
        "type": "error",
        "error": {"type": f"code_{status}", "message": message},
        "request_id": "req_1",
    }


SHAPES: Mapping[str, Shape] = {
    "completions": Shape(_chat_whole, _chat_events, _openai_error, "x-request-id"),
    "responses": Shape(_response, _responses_events, _openai_error, "x-request-id"),
    "messages": Shape(_message, _messages_events, _anthropic_error, "request-id"),
}
"""By the last segment of the path."""
