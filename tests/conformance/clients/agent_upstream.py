"""A provider of agents on loopback: has a page read with every turn, thinks, answers with what it was sent.

It keeps the bodies that reached it, by the client's key. Thinking and encrypted reasoning have to come back
as they went out; else the answer is 400, as of providers.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.conformance.clients.agent_notes import N_TURNS, PAGE_TOOL, found_in
from tests.conformance.clients.asked import objects, strings

Fields = dict[str, Any]
_USAGE = {"input_tokens": 900, "output_tokens": 80}


class AgentUpstream:
    """Answers streamed responses and messages. Responses are kept where they may be (`store`)."""

    def __init__(self) -> None:
        self.bodies: dict[str, list[bytes]] = {}
        """What reached it, turn by turn, under each key."""
        self._kept: dict[str, list[Any]] = {}
        self._lock = threading.Lock()

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/{path:path}", self.answer, methods=["POST"])])

    async def answer(self, request: Request) -> Response:
        body = await request.body()
        key = request.headers.get("x-api-key") or request.headers["authorization"].removeprefix("Bearer ")
        with self._lock:
            self.bodies.setdefault(key, []).append(body)
        asked: Fields = json.loads(body)
        is_responses = request.url.path.endswith("/responses")
        turns = self._turns(asked) if is_responses else asked["messages"]
        results = [
            one for one in objects(turns) if one.get("type") in ("function_call_output", "tool_result")
        ]
        thought = [one for one in objects(turns) if one.get("type") in ("reasoning", "thinking")]
        if [_seal(one) for one in thought] != [seal(number) for number in range(len(results))]:
            return JSONResponse({"error": {"message": "thinking is not as it was", "type": "a"}}, 400)
        text = None if len(results) < N_TURNS else found_in("\n".join(strings(results)))
        if is_responses:
            name = f"resp_{key}_{len(results)}"
            self._kept[name] = [*turns, *_output(len(results), text)]
            events = _responses({**asked, "id": name}, len(results), text)
        else:
            events = _messages(asked, len(results), text)
        return StreamingResponse(events, media_type="text/event-stream")

    def _turns(self, asked: Fields) -> list[Any]:
        before = asked.get("previous_response_id")
        return [*(self._kept[before] if before else []), *asked["input"]]


def seal(turn: int) -> str:
    """What a provider alone can make of its thinking."""
    return f"c2VhbGVk+{turn}/éß=" * 9


def _seal(thought: Any) -> object:
    return thought.get("encrypted_content") or thought.get("signature")


def _event(kind: str, fields: Fields) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields}, ensure_ascii=False)}\n\n".encode()


def _output(turn: int, text: str | None) -> list[Fields]:
    if text is not None:
        part = {"type": "output_text", "text": text, "annotations": []}
        message = {"type": "message", "id": "msg", "role": "assistant", "status": "completed"}
        return [{**message, "content": [part]}]
    call = {"type": "function_call", "id": f"fc_{turn}", "call_id": f"call_{turn}", "status": "completed"}
    reasoning = {"type": "reasoning", "id": f"rs_{turn}", "summary": [], "encrypted_content": seal(turn)}
    return [reasoning, {**call, "name": PAGE_TOOL, "arguments": json.dumps({"page": turn})}]


def _responses(asked: Fields, turn: int, text: str | None) -> Iterator[bytes]:
    head = {"object": "response", "created_at": 1, "model": asked["model"], "error": None}
    told = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "metadata": {}}
    response = {
        **head,
        **told,
        "id": asked["id"],
        "output": [],
        "status": "in_progress",
    }
    number = iter(range(1000))
    yield _event("response.created", {"response": response, "sequence_number": next(number)})
    output = _output(turn, text)
    for at, item in enumerate(output):
        where = {"output_index": at, "item": item}
        yield _event("response.output_item.added", {**where, "sequence_number": next(number)})
        yield _event("response.output_item.done", {**where, "sequence_number": next(number)})
    done = {**response, "output": output, "status": "completed", "usage": {**_USAGE, "total_tokens": 980}}
    yield _event("response.completed", {"response": done, "sequence_number": next(number)})


def _messages(asked: Fields, turn: int, text: str | None) -> Iterator[bytes]:
    message = {"id": f"msg_{turn}", "type": "message", "role": "assistant", "model": asked["model"]}
    begun = {**message, "content": [], "stop_reason": None, "stop_sequence": None, "usage": _USAGE}
    yield _event("message_start", {"message": begun})
    if text is not None:
        yield from _block(0, {"type": "text", "text": ""}, [{"type": "text_delta", "text": text}])
    else:
        thinking = {"type": "thinking_delta", "thinking": f"Page {turn} comes next."}
        signed = {"type": "signature_delta", "signature": seal(turn)}
        yield from _block(0, {"type": "thinking", "thinking": "", "signature": ""}, [thinking, signed])
        call = {"type": "tool_use", "id": f"toolu_{turn}", "name": PAGE_TOOL, "input": {}}
        parts = [{"type": "input_json_delta", "partial_json": part} for part in ('{"page"', f": {turn}}}")]
        yield from _block(1, call, parts)
    delta = {"stop_reason": "end_turn" if text is not None else "tool_use", "stop_sequence": None}
    yield _event("message_delta", {"delta": delta, "usage": {"output_tokens": 80}})
    yield _event("message_stop", {})


def _block(index: int, block: Fields, deltas: list[Fields]) -> Iterator[bytes]:
    yield _event("content_block_start", {"index": index, "content_block": block})
    for delta in deltas:
        yield _event("content_block_delta", {"index": index, "delta": delta})
    yield _event("content_block_stop", {"index": index})
