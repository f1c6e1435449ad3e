"""An upstream that keeps what it was sent, byte for byte, and answers like OpenAI's chat completions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

USAGE = {
    "prompt_tokens": 1200,
    "completion_tokens": 40,
    "total_tokens": 1240,
    "prompt_tokens_details": {"cached_tokens": 400},
}


@dataclass
class Received:
    """One request as it arrived."""

    path: str
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class OpenAIUpstream:
    """Records requests; answers "Hello there." whole or streamed."""

    received: list[Received] = field(default_factory=list)

    @property
    def last(self) -> Received:
        return self.received[-1]

    def app(self) -> Starlette:
        return Starlette(
            routes=[Route("/{path:path}", self.answer, methods=["GET", "POST", "PUT", "DELETE"])]
        )

    async def answer(self, request: Request) -> Response:
        body = await request.body()
        self.received.append(Received(request.url.path, request.headers.items(), body))
        if not request.url.path.endswith("/chat/completions"):
            return JSONResponse({"object": "list", "data": [], "usage": USAGE})
        try:
            asked = json.loads(body)
        except ValueError:
            return JSONResponse(
                {
                    "error": {
                        "message": "not JSON",
                        "type": "invalid_request_error",
                        "param": None,
                        "code": None,
                    }
                },
                400,
            )
        if asked.get("stream"):
            wants_usage = (asked.get("stream_options") or {}).get("include_usage")
            return StreamingResponse(
                events(asked["model"], bool(wants_usage)), media_type="text/event-stream"
            )
        return JSONResponse(completion(asked["model"]))


def completion(model: str) -> dict[str, Any]:
    """The whole answer."""
    message = {"role": "assistant", "content": "Hello there."}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    return {**_head(model), "object": "chat.completion", "choices": [choice], "usage": USAGE}


def _head(model: str) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "created": 1, "model": model}


def events(model: str, with_usage: bool) -> Iterator[bytes]:
    """The streamed answer."""
    head = {**_head(model), "object": "chat.completion.chunk"}
    for word in ("Hello ", "there."):
        yield _event({**head, "choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]})
    yield _event({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    if with_usage:
        yield _event({**head, "choices": [], "usage": USAGE})
    yield b"data: [DONE]\n\n"


def _event(data: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"
