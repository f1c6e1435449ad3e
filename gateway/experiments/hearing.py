"""One request to an upstream whose answer nobody streams on: sent, read whole, and its usage told."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import orjson

from gateway.dialects.answers import CHAT_ANSWERS, AnswerShape
from gateway.errors import UpstreamBroken, UpstreamTimeout
from gateway.experiments.said import MOST_BYTES
from gateway.tap import UsageTap
from gateway.types import RawHeaders, Upstream, UpstreamRequest, Usage

ANSWER_S: Final = 300.0
"""For a whole answer."""
NO_HEAD: Final = 0
JUDGE_PATH: Final = b"/v1/chat/completions"
_JUDGE_HEADERS: Final = (
    (b"content-type", b"application/json"),
    (b"accept", b"application/json"),
    (b"accept-encoding", b"identity"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """An answer, or what came of one that broke off, took too long, or is longer than anybody would judge."""

    status: int
    """NO_HEAD where none came."""
    headers: RawHeaders
    body: bytes
    usage: Usage | None


async def hear(upstream: Upstream, request: UpstreamRequest, shape: AnswerShape = CHAT_ANSWERS) -> Heard:
    """The answer. Raises UpstreamError where the upstream did not take the request, and nothing is billed."""
    tap, parts, size = UsageTap(shape), list[bytes](), 0
    status, headers = NO_HEAD, RawHeaders()
    with suppress(UpstreamTimeout, UpstreamBroken, TimeoutError):  # it may be billed all the same
        async with asyncio.timeout(ANSWER_S):
            response = await upstream.send(request)
            try:
                status, headers = response.status, response.headers
                tap.head(status, headers)
                async for chunk in response.body:
                    tap.feed(chunk)
                    parts.append(chunk)
                    size += len(chunk)
                    if size > MOST_BYTES:
                        break
                else:
                    tap.end()
            finally:
                await response.aclose()
    return Heard(status, headers, b"".join(parts), tap.usage)


def judge_request(model: str, prompt: str) -> UpstreamRequest:
    """A chat completion that any upstream takes: nothing in it but the model and one message."""
    # A text may hold half of a surrogate pair, which is no Unicode and no upstream reads.
    content = prompt.encode("utf-8", "replace").decode()
    body = orjson.dumps({"model": model, "messages": [{"role": "user", "content": content}]})
    return UpstreamRequest("POST", JUDGE_PATH, list(_JUDGE_HEADERS), body)
