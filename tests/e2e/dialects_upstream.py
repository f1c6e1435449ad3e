"""An upstream that keeps what it was sent and answers in three dialects, whole or streamed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.e2e.openai_upstream import OpenAIUpstream, Received, completion, events

RESPONSES_USAGE = {
    "input_tokens": 900,
    "input_tokens_details": {"cached_tokens": 300},
    "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 5},
    "total_tokens": 920,
}
MESSAGES_USAGE = {
    "input_tokens": 100,
    "cache_creation_input_tokens": 200,
    "cache_read_input_tokens": 600,
    "output_tokens": 20,
}


class DialectsUpstream(OpenAIUpstream):
    """Answers "Hello there." however it is asked."""

    is_done = True
    """Whether what was asked for in the background is."""
    fetched_as: str | None = None
    """What answers that are fetched call themselves; None: as they are asked for."""

    def app(self) -> Starlette:
        return Starlette(
            routes=[Route("/{path:path}", self.answer, methods=["GET", "POST", "PUT", "DELETE"])]
        )

    async def answer(self, request: Request) -> Response:
        body = await request.body()
        self.received.append(Received(str(request.url).split("/", 3)[3], request.headers.items(), body))
        path = "/" + request.path_params["path"]
        if request.method != "POST":
            name = self.fetched_as or path.rpartition("/")[2]
            return JSONResponse(response(name) if self.is_done else queued())
        asked = json.loads(body)
        if path.endswith("/count_tokens"):
            return JSONResponse({"input_tokens": len(body)})
        whole, stream = _ANSWERS[path.rpartition("/")[2]]
        if asked.get("stream"):
            return StreamingResponse(stream(asked), media_type="text/event-stream")
        return JSONResponse(whole(asked))


def response(name: str = "resp_1") -> dict[str, Any]:
    """An answer of `/v1/responses`."""
    text = {"type": "output_text", "text": "Hello there.", "annotations": []}
    message = {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [text],
    }
    return {
        "id": name,
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": "gpt-4o-mini",
        "output": [message],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": RESPONSES_USAGE,
    }


def queued() -> dict[str, Any]:
    """One that is made in the background."""
    return {**response("resp_later"), "status": "queued", "output": [], "usage": None}


def _response_events(asked: dict[str, Any]) -> Iterator[bytes]:
    begun = {**response(), "status": "in_progress", "usage": None, "output": []}
    parts: list[tuple[str, dict[str, Any]]] = [
        ("response.created", {"response": begun}),
        (
            "response.output_text.delta",
            {"item_id": "msg_1", "output_index": 0, "content_index": 0, "delta": "Hello "},
        ),
        (
            "response.output_text.delta",
            {"item_id": "msg_1", "output_index": 0, "content_index": 0, "delta": "there."},
        ),
        ("response.completed", {"response": response()}),
    ]
    for number, (kind, fields) in enumerate(parts):
        yield _typed(kind, {"sequence_number": number, **fields})


def message() -> dict[str, Any]:
    """An answer of `/v1/messages`."""
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": [{"type": "text", "text": "Hello there."}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": MESSAGES_USAGE,
    }


def _message_events(asked: dict[str, Any]) -> Iterator[bytes]:
    begun = {**message(), "content": [], "usage": {**MESSAGES_USAGE, "output_tokens": 1}}
    yield _typed("message_start", {"message": begun})
    yield _typed("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}})
    yield _typed("ping", {})
    for word in ("Hello ", "there."):
        yield _typed("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": word}})
    yield _typed("content_block_stop", {"index": 0})
    yield _typed("message_delta", {"delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 20}})
    yield _typed("message_stop", {})


def _typed(kind: str, fields: dict[str, Any]) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def _completion_events(asked: dict[str, Any]) -> Iterator[bytes]:
    return events(asked["model"], bool((asked.get("stream_options") or {}).get("include_usage")))


_ANSWERS: dict[str, Any] = {
    "completions": (lambda asked: completion(asked.get("model", "gpt-4o-mini")), _completion_events),
    "responses": (lambda asked: queued() if asked.get("background") else response(), _response_events),
    "messages": (lambda asked: message(), _message_events),
}
