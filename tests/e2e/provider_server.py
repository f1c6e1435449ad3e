"""Providers as far as a chat needs them: Anthropic's messages, Gemini's contents, Groq's chat completions."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.e2e.openai_upstream import Received

PROVIDER_KEY = "sk-provider-canary-0123456789"
ARGUMENTS = ('{"city": ', '"Rome"}')
USAGE = {"input_tokens": 10, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 2}
CHAT_USAGE = {
    "prompt_tokens": 17,
    "completion_tokens": 15,
    "total_tokens": 32,
    "prompt_tokens_details": {"cached_tokens": 5},
}


@dataclass
class ProviderServer:
    """Answers "Hello there." and a tool call; does what `fault` says instead."""

    received: list[Received] = field(default_factory=list)
    fault: str | int | None = None
    """A status; `break`, `end` or `error` within a stream; `hang` before or within one."""
    is_left: threading.Event = field(default_factory=threading.Event)
    """Set when a client has gone while it was waiting."""

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/{path:path}", self.answer, methods=["GET", "POST"])])

    async def answer(self, request: Request) -> Response:
        self.received.append(Received(request.url.path, request.headers.items(), await request.body()))
        if isinstance(self.fault, int):
            error = {"type": "some_error", "message": f"no, {PROVIDER_KEY}"}
            return JSONResponse({"type": "error", "error": error}, self.fault, {"retry-after": "7"})
        if self.fault == "hang":
            await self._wait_for_leaving(request)
        if "generateContent" in request.url.path:
            return JSONResponse(_gemini("Hello there.", "STOP"))
        if "streamGenerateContent" in request.url.path:
            return StreamingResponse(self._stream(request, _gemini_events()), media_type="text/event-stream")
        is_chat = request.url.path.endswith("/chat/completions")
        if self.received[-1].json.get("stream"):
            events = _chat_events() if is_chat else _events()
            return StreamingResponse(self._stream(request, events), media_type="text/event-stream")
        return JSONResponse(_completion() if is_chat else _message())

    async def _stream(self, request: Request, events: Iterator[bytes]) -> AsyncIterator[bytes]:
        for at, event in enumerate(events):
            if at == 3:
                if self.fault == "break":
                    raise ConnectionAbortedError
                if self.fault == "error":
                    error = {"type": "overloaded_error", "message": f"Overloaded {PROVIDER_KEY}"}
                    yield _event("error", {"type": "error", "error": error})
                if self.fault in ("end", "error"):
                    return
                if self.fault == "hang within":
                    await self._wait_for_leaving(request)
            yield event

    async def _wait_for_leaving(self, request: Request) -> None:
        try:
            while (await request.receive())["type"] != "http.disconnect":
                pass
        finally:
            self.is_left.set()


def _message() -> dict[str, Any]:
    tool = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Rome"}}
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": [{"type": "text", "text": "Hello there."}, tool],
        "stop_reason": "tool_use",
        "usage": {**USAGE, "output_tokens": 15},
    }


def _events() -> Iterator[bytes]:
    start = {**_message(), "content": [], "stop_reason": None, "usage": {**USAGE, "output_tokens": 1}}
    yield _event("message_start", {"type": "message_start", "message": start})
    yield _block(0, {"type": "text", "text": ""})
    for word in ("Hello ", "there."):
        yield _delta(0, {"type": "text_delta", "text": word})
    yield _stop(0)
    yield _block(1, {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}})
    for part in ARGUMENTS:
        yield _delta(1, {"type": "input_json_delta", "partial_json": part})
    yield _stop(1)
    delta = {"stop_reason": "tool_use", "stop_sequence": None}
    yield _event("message_delta", {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 15}})
    yield _event("message_stop", {"type": "message_stop"})


def _block(index: int, block: dict[str, Any]) -> bytes:
    said = {"type": "content_block_start", "index": index, "content_block": block}
    return _event("content_block_start", said)


def _delta(index: int, delta: dict[str, Any]) -> bytes:
    return _event("content_block_delta", {"type": "content_block_delta", "index": index, "delta": delta})


def _stop(index: int) -> bytes:
    return _event("content_block_stop", {"type": "content_block_stop", "index": index})


def _completion() -> dict[str, Any]:
    call = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "weather", "arguments": "".join(ARGUMENTS)},
    }
    message = {"role": "assistant", "content": "Hello there.", "tool_calls": [call]}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "a-model",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
        "usage": CHAT_USAGE,
        "service_tier": "on_demand",
    }


def _chat_events() -> Iterator[bytes]:
    yield _chunk({"role": "assistant", "content": ""})
    for word in ("Hello ", "there."):
        yield _chunk({"content": word})
    for at, part in enumerate(ARGUMENTS):
        named = {"id": "call_1", "type": "function"} if at == 0 else {}
        function = {"name": "weather", "arguments": part} if at == 0 else {"arguments": part}
        yield _chunk({"tool_calls": [{"index": 0, **named, "function": function}]})
    yield _chunk({}, "tool_calls")
    yield _chunk(None)
    yield b"data: [DONE]\n\n"


def _chunk(delta: dict[str, Any] | None, finish: str | None = None) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    said = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "a-model"}
    counted = {} if delta is not None else {"usage": CHAT_USAGE}
    return b"data: %b\n\n" % json.dumps({**said, "choices": choices, **counted}).encode()


def _event(name: str, data: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), json.dumps(data).encode())


def _gemini(text: str, finish: str | None) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    counts = {
        "promptTokenCount": 17,
        "candidatesTokenCount": 5,
        "totalTokenCount": 22,
        "cachedContentTokenCount": 4,
    }
    return {"candidates": [candidate], "usageMetadata": counts, "modelVersion": "gemini-2.5-flash"}


def _gemini_events() -> Iterator[bytes]:
    for text, finish in (("Hel", None), ("lo ", None), ("the", None), ("re.", "STOP")):
        yield b"data: %b\r\n\r\n" % json.dumps(_gemini(text, finish)).encode()
