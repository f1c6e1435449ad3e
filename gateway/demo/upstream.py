"""A small OpenAI-like upstream on loopback, so that the demo and the benchmarks need no key and no network.

It really reads what it is sent: usage is counted from the forwarded messages, a prefix of them seen before is
reported as cached tokens, and the answer quotes the figures it found in the text, which shows what survived.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from compressor import counter, encoding_for

Json = dict[str, Any]
Answer = Callable[[list[Json]], str]
"""From the messages to what is said."""

_CACHE_BLOCK = 128
"""Cached tokens come in blocks of this many, above 1,024 (OpenAI's prompt caching guide)."""
_CACHE_MINIMUM = 1024
_FIGURE = re.compile(r"[€$]?\d[\d,.]*\d%?")


def create_app(answer: Answer | None = None) -> Starlette:
    """The upstream's ASGI app, with a prompt cache of its own."""
    upstream = _Upstream(answer or quote_figures)
    return Starlette(
        routes=[
            Route("/v1/chat/completions", upstream.chat, methods=["POST"]),
            Route("/v1/models", upstream.models, methods=["GET"]),
        ]
    )


class _Upstream:
    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._seen: set[tuple[str, ...]] = set()

    async def models(self, request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [{"id": "gpt-4o-mini", "object": "model"}]})

    async def chat(self, request: Request) -> Response:
        body = await request.json()
        answer = self._answer(body["messages"])
        usage = self._usage(body, answer)
        head = {"id": "chatcmpl-demo", "created": int(time.time()), "model": body["model"]}
        if body.get("stream"):
            events = _events(head, answer, usage if _wants_usage(body) else None)
            return StreamingResponse(events, media_type="text/event-stream")
        message = {"role": "assistant", "content": answer}
        choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
        return JSONResponse({**head, "object": "chat.completion", "choices": [choice], "usage": usage})

    def _usage(self, body: Json, answer: str) -> Json:
        count = counter(encoding_for(body["model"])[0]).count
        rows = tuple(json.dumps(message, sort_keys=True) for message in body["messages"])
        costs = [count(text_of(message)) + 3 for message in body["messages"]]
        cached = max((sum(costs[:k]) for k in range(len(rows) + 1) if rows[:k] in self._seen), default=0)
        cached = cached // _CACHE_BLOCK * _CACHE_BLOCK if cached >= _CACHE_MINIMUM else 0
        self._seen.update(rows[:k] for k in range(1, len(rows) + 1))
        prompt, completion = sum(costs) + 3, count(answer)
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_tokens_details": {"cached_tokens": cached},
            "completion_tokens_details": {"reasoning_tokens": 0},
        }


def _wants_usage(body: Json) -> bool:
    return bool((body.get("stream_options") or {}).get("include_usage"))


def text_of(message: Json) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def quote_figures(messages: list[Json]) -> str:
    """Says what was read, and quotes some of the figures in it."""
    figures = [figure for message in messages for figure in _FIGURE.findall(text_of(message))]
    some = ", ".join(figures[:8])
    return f"I read {len(messages)} messages and found {len(figures)} figures in them, among them {some}."


def _events(head: Json, answer: str, usage: Json | None) -> Iterator[str]:
    chunk = {**head, "object": "chat.completion.chunk"}
    words = answer.split(" ")
    for i, word in enumerate(words):
        delta = {"content": word if i == len(words) - 1 else word + " "}
        yield _event({**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    yield _event({**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    if usage is not None:
        yield _event({**chunk, "choices": [], "usage": usage})
    yield "data: [DONE]\n\n"


def _event(data: Json) -> str:
    return f"data: {json.dumps(data)}\n\n"
