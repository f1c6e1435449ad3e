"""Gateways that share one Redis: a conversation is the same at each of them (laws 3 and 4)."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from compressor import CompressionParams
from gateway.config import load as load_config
from gateway.errors import ConfigError
from gateway.services import open_services
from gateway.state import observe
from tests.e2e.conftest import serving
from tests.e2e.openai_upstream import OpenAIUpstream
from tests.e2e.test_pins import OTHERS, Conversation, ready
from tests.e2e.whole_gateway import LONG, PARAMS, POLICY, HeldScorer, gateway, rows, until
from tests.fakes import LengthScorer
from tests.redis_server import RedisServer, redis_server

SHORTER = {**POLICY, "params": {**PARAMS, "rate": 0.3}}
"""The policy as a newer version of the configuration has it: what a conversation begun under it gets."""

Open = Callable[..., AbstractContextManager[int]]


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PITH_SECRET", "the same on all replicas")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def upstream() -> OpenAIUpstream:
    return OpenAIUpstream()


@pytest.fixture
def replica(tmp_path: Path, server: RedisServer, upstream: OpenAIUpstream) -> Iterator[Open]:
    """Opens a gateway of a name; each name has its own folder and ledger."""
    with serving(upstream.app()) as behind:

        @contextmanager
        def opened(name: str, scorer: LengthScorer | None = None, **settings: Any) -> Iterator[int]:
            folder = tmp_path / name
            folder.mkdir(exist_ok=True)
            url = f"http://127.0.0.1:{behind}"
            settings = {
                "cache": server.url,
                "cache_timeout_ms": 5_000,
                **settings,
            }  # a busy machine is no silence
            with gateway(folder, url, scorer or ready(), **settings) as port:
                yield port

        yield opened


@pytest.mark.parametrize("is_named", [False, True])
def test_a_conversation_begun_at_one_goes_on_at_another_under_the_same_decision(
    replica: Open, upstream: OpenAIUpstream, tmp_path: Path, is_named: bool
) -> None:
    headers = {"x-pith-unit": "user 7"} if is_named else {}
    with replica("a") as a, replica("b", policies=[SHORTER]) as b:
        conversation = Conversation(a, upstream)
        conversation.say(LONG, headers)
        first = conversation.last
        conversation.move(b)
        conversation.say(OTHERS, headers)
        conversation.move(a)
        conversation.say(LONG + OTHERS, headers)
        assert conversation.sent[0]["content"] == first != LONG
        fresh = Conversation(b, upstream)
        fresh.say(LONG + "Once more.", headers)
        assert len(fresh.last) < 0.8 * len(first), "what begins at the newer one is under the newer policy"
    [one, three], [two, _] = rows(tmp_path / "a"), rows(tmp_path / "b")
    for column in ("conversation", "policy_version", "variant", "mode"):
        assert one[column] == two[column] == three[column]


def test_a_replica_that_restarts_goes_on_as_before(replica: Open, upstream: OpenAIUpstream) -> None:
    with replica("a") as a:
        conversation = Conversation(a, upstream)
        conversation.say(LONG)
    for policy in (SHORTER, POLICY):
        with replica("b", policies=[policy]) as b:
            conversation.move(b)
            conversation.say(OTHERS)  # asserts that what was forwarded is forwarded again


def test_a_text_left_whole_at_one_is_left_whole_at_another(replica: Open, upstream: OpenAIUpstream) -> None:
    held = HeldScorer()
    with replica("a", held, compressor={"deadline_ms": 50}) as a, replica("b") as b:
        conversation = Conversation(a, upstream)
        assert conversation.say(LONG).headers["x-pith-skip"] == "deadline"
        conversation.move(b)
        conversation.say(OTHERS)
        assert conversation.sent[0]["content"] == LONG
        assert conversation.last != OTHERS
        held.go_on.set()


def test_what_one_has_scored_another_does_not(replica: Open, upstream: OpenAIUpstream) -> None:
    idle = LengthScorer()
    with replica("a") as a, replica("b", idle) as b:
        conversation = Conversation(a, upstream)
        assert conversation.say(LONG).headers["x-pith-cache"] == "miss"
        again = Conversation(b, upstream)
        assert again.say(LONG).headers["x-pith-cache"] == "hit"
        assert again.last == conversation.last
    assert idle.n_texts == 0


async def test_first_requests_at_the_same_time_agree(replica: Open, upstream: OpenAIUpstream) -> None:
    """Two replicas in the middle of a roll-out, each with its own version of the policy."""
    with replica("a") as a, replica("b", policies=[SHORTER]) as b:
        async with httpx.AsyncClient(timeout=30) as client:
            for number in range(12):
                text = f"{LONG} {number}"
                body = {"model": "gpt-4o", "messages": [{"role": "user", "content": text}]}
                ports = [a, b] * 4 if number % 2 else [b, a] * 4
                before = len(upstream.received)
                await asyncio.gather(
                    *(
                        client.post(f"http://127.0.0.1:{port}/v1/chat/completions", json=body)
                        for port in ports
                    )
                )
                forwarded = {received.body for received in upstream.received[before:]}
                assert len(forwarded) == 1


def test_redis_may_die_and_come_back_in_the_middle(
    replica: Open, upstream: OpenAIUpstream, server: RedisServer
) -> None:
    with replica("a") as a, replica("b") as b:
        conversation = Conversation(a, upstream)
        conversation.say(LONG)
        server.stop()
        conversation.say(OTHERS)
        until(a, "/pith/readyz", lambda said: "cache: cannot be reached" in said["degraded"])
        conversation.move(b)
        conversation.say(OTHERS + LONG)  # nothing is on record here: the same pure function, the same bytes
        server.start()
        for port in (a, b):
            until(port, "/pith/readyz", lambda said: said["degraded"] == [])
            conversation.move(port)
            assert conversation.say(OTHERS + OTHERS).status_code == 200


def test_redis_may_stand_still(replica: Open, upstream: OpenAIUpstream, server: RedisServer) -> None:
    with replica("a", cache_timeout_ms=100) as a:
        conversation = Conversation(a, upstream)
        conversation.say(LONG)
        os.kill(server.pid, signal.SIGSTOP)
        try:
            for text in (OTHERS, LONG + OTHERS, OTHERS + LONG):
                assert conversation.say(text).status_code == 200
            until(a, "/pith/readyz", lambda said: "cache: no answer within 100 ms" in said["degraded"])
        finally:
            os.kill(server.pid, signal.SIGCONT)
        until(a, "/pith/readyz", lambda said: said["degraded"] == [])


def test_pith_starts_without_redis_and_says_so(replica: Open, server: RedisServer) -> None:
    server.stop()
    with replica("a") as a:
        said = until(a, "/pith/readyz", lambda said: said["degraded"])
        assert said["status"] == "degraded"
        assert "cache: cannot be reached" in said["degraded"]


def test_nothing_readable_lies_in_redis(replica: Open, upstream: OpenAIUpstream, server: RedisServer) -> None:
    headers = {"authorization": "Bearer sk-canary-7f3a9c", "x-pith-unit": "canary user"}
    with replica("a") as a:
        conversation = Conversation(a, upstream)
        for text in (f"The canary sings. {LONG}", OTHERS):
            conversation.say(text, headers)
        stored = server.stored()
        assert len(stored) >= 5, "conversations, decisions, scores"
        for name in stored:
            value = server.ask("GET", name)
            assert name.startswith(b"pith:")
            assert 0 < server.ask("TTL", name) <= 7 * 24 * 3600
            assert not any(word in name + value for word in (b"canary", b"sings", b"skip", b"test", b"gpt"))


async def test_what_the_cache_does_is_counted(tmp_path: Path, server: RedisServer) -> None:
    settings = {"ledger": f"sqlite:///{tmp_path / 'ledger.db'}", "cache": server.url}
    async with open_services(load_config(None, {}, settings), LengthScorer(), lambda: "on") as services:
        assert services.shared is not None
        await services.compressor.compress([LONG], CompressionParams(rate=0.5))
        await services.pins.decide("t", "lost", b"{}", is_continued=True)
        counted = observe(services).counters
    assert counted["pith_unrecorded_total", ()] == 1
    assert counted["pith_shared_cache_keys_total", ("miss",)] > 0
    assert counted["pith_shared_cache_commands_total", ("answered",)] > 0
    assert counted["pith_shared_cache_commands_total", ("failed",)] == 0
    assert counted["pith_shared_cache_unopened_total", ()] == 0


async def test_a_shared_cache_wants_a_secret_that_is_shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PITH_SECRET")
    settings = {"ledger": f"sqlite:///{tmp_path / 'ledger.db'}", "cache": "redis://127.0.0.1:1"}
    starting = open_services(load_config(None, {}, settings), LengthScorer(), lambda: "on")
    with pytest.raises(ConfigError, match="PITH_SECRET is not set: a shared cache wants the same one"):
        await starting.__aenter__()
