"""The recipe with a policy that has answers given again: when it looks, and that nobody is left waiting."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from compressor import Compressor
from gateway.errors import UpstreamBroken
from tests.gateway.pipeline import Pipeline, PureCompressor, pipeline, policy_set, with_mode
from tests.gateway.test_chat import PARAMS, TEXT, FakeClient, FakeUpstream, WaitingCompressor, chat, handled

AGAIN = {"name": "again", "params": PARAMS, "response_cache": {"ttl_s": 60}}
ANSWER = (
    b'{"choices":[{"message":{"content":"Hi"}}],"usage":{"prompt_tokens":90,"completion_tokens":2,'
    b'"total_tokens":92}}'
)


def caching(compressor: Compressor | None = None, **policy: object) -> Pipeline:
    return pipeline(policy_set({**AGAIN, **policy}), compressor or PureCompressor())


async def asked(running: Pipeline, upstream: FakeUpstream, body: bytes = chat(TEXT)) -> FakeClient:
    client = FakeClient(body)
    await handled(running, client, upstream)
    for _ in range(20):  # what goes on behind the answer waits for nothing outside
        await asyncio.sleep(0)
    return client


def said(client: FakeClient) -> bytes | None:
    return dict(client.sent[0]["headers"]).get(b"x-pith-response-cache")


def body_of(client: FakeClient) -> bytes:
    return b"".join(message.get("body", b"") for message in client.sent)


@pytest.mark.parametrize("mode", ["on", "shadow", "off"])
async def test_a_policy_in_any_mode_gives_answers_again(mode: str) -> None:
    running, upstream = caching(mode=mode), FakeUpstream(ANSWER)
    first, second = await asked(running, upstream), await asked(running, upstream)
    assert (said(first), said(second)) == (b"miss", b"hit")
    assert body_of(first) == body_of(second) == ANSWER
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("mode", ["shadow", "off"])
async def test_the_kill_switch_ends_it(mode: str) -> None:
    running, upstream = caching(), FakeUpstream(ANSWER)
    await asked(running, upstream)
    stopped = with_mode(running, mode)
    assert said(await asked(stopped, upstream)) is None
    assert len(upstream.requests) == 2


async def test_without_the_key_nothing_is_looked_up() -> None:
    running, upstream = pipeline(policy_set({"name": "plain", "params": PARAMS})), FakeUpstream(ANSWER)
    for n_asked in (1, 2):
        assert said(await asked(running, upstream)) is None
        assert len(upstream.requests) == n_asked


async def test_a_hit_compresses_nothing_and_is_marked_in_the_ledger() -> None:
    running, upstream = caching(), FakeUpstream(ANSWER)
    await asked(running, upstream)
    silent = replace(running, services=replace(running.services, upstreams={}))
    client = await asked(silent, FakeUpstream())
    billed, again = running.ledger.entries
    assert said(client) == b"hit"
    assert (again.cache, again.cost_usd, again.usage, again.origin_tokens) == ("response", 0.0, None, None)
    assert again.saved_usd == pytest.approx(billed.cost_usd)
    assert (again.policy, again.mode, again.status, again.is_complete) == ("again", "on", 200, True)


async def test_an_unknown_model_has_no_saving() -> None:
    running, upstream = caching(), FakeUpstream(ANSWER)
    body = json.dumps({"model": "nobody's", "messages": [{"role": "user", "content": "hi"}]}).encode()
    for _ in range(2):
        await asked(running, upstream, body)
    assert [(entry.cost_usd, entry.saved_usd) for entry in running.ledger.entries] == [
        (None, 0.0),  # nothing was removed
        (0.0, None),
    ]


def _fails(text: str) -> None:
    raise ZeroDivisionError


async def test_a_fault_of_ours_leaves_nobody_waiting() -> None:
    running, upstream = caching(PureCompressor(_fails)), FakeUpstream(ANSWER)
    await asked(running, upstream)
    assert running.services.responses.n_flights == 0
    assert running.ledger.entries[-1].status == 200


async def test_an_upstream_that_fails_leaves_nobody_waiting() -> None:
    running = caching()
    for upstream in (FakeUpstream(), FakeUpstream(b"{", UpstreamBroken("gone"))):
        client = FakeClient(chat(TEXT))
        await handled(running, client, upstream)
        assert running.services.responses.n_flights == 0


async def test_a_client_that_leaves_early_leaves_nobody_waiting() -> None:
    running = caching(WaitingCompressor())
    await handled(running, FakeClient(chat(TEXT), leaves=True), FakeUpstream(ANSWER))
    assert running.services.responses.n_flights == 0


async def test_a_server_that_stops_leaves_nobody_waiting() -> None:
    compressor = WaitingCompressor()
    running = caching(compressor)
    task = asyncio.create_task(handled(running, FakeClient(chat(TEXT)), FakeUpstream(ANSWER)))
    await compressor.is_asked.wait()
    assert running.services.responses.n_flights == 1
    task.cancel()
    await asyncio.wait([task])
    assert running.services.responses.n_flights == 0
