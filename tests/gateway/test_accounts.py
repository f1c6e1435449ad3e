"""An account is closed with what is known, however the request ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace

from starlette.types import Message

from gateway.accounts import Account
from gateway.prompt_history import PromptHistory
from gateway.types import UpstreamRequest, UpstreamResponse
from tests.gateway.pipeline import SECRET, PureCompressor, count, incoming, pipeline, policy_set

POLICY = policy_set({"name": "half", "benefit": "off", "params": {"rate": 0.5, "min_tokens": 4}})
PROSE = "The committee of the city decided on the long agenda of the day, and it was fine with all of them. "
ANSWER = {"usage": {"prompt_tokens": 700, "completion_tokens": 5}}


class Answering:
    """An upstream that answers at once."""

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        return UpstreamResponse(200, [(b"content-type", b"application/json")], self._body())

    async def _body(self) -> AsyncIterator[bytes]:
        yield json.dumps(ANSWER).encode()

    async def aclose(self) -> None:
        pass


class Silent:
    """A `Cache` that never answers."""

    async def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return await asyncio.Future()

    async def put_if_absent(self, key: bytes, value: bytes, ttl_s: float) -> bytes:
        return await asyncio.Future()


async def never() -> Message:
    return await asyncio.Future()


async def test_a_server_that_stops_amid_the_closing_books_what_was_compressed() -> None:
    running = pipeline(POLICY, PureCompressor())
    history = PromptHistory(Silent(), SECRET, lambda: 0.0)
    services = replace(running.services, upstreams={"openai": Answering()}, history=history)
    is_answered = asyncio.Event()

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body"):
            is_answered.set()

    count(PROSE)  # the vocabulary is loaded
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": PROSE * 60}]}
    plan = await running.plan(json.dumps(body).encode())
    closing = asyncio.create_task(Account.open(incoming([]), services).answer(plan, never, send))
    await is_answered.wait()
    for _ in range(10):  # as far as it comes: to what it waits for, which never is
        await asyncio.sleep(0)
    closing.cancel()
    with suppress(asyncio.CancelledError):
        await closing
    [entry] = running.ledger.entries
    assert entry.counterfactual_basis == "mix"
    assert entry.saved_usd is not None
    assert entry.saved_usd > 0
