"""Answers given again by replicas that share one Redis, and what of them lies there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import serving
from tests.e2e.openai_upstream import OpenAIUpstream
from tests.e2e.whole_gateway import chat, gateway
from tests.redis_server import RedisServer, redis_server, until

CACHING = {"name": "again", "response_cache": {"ttl_s": 3600}}
ASKED = chat("prompt-canary")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RedisServer]:
    monkeypatch.setenv("PITH_SECRET", "the same on all replicas")
    with redis_server(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def upstream() -> OpenAIUpstream:
    return OpenAIUpstream()


@pytest.fixture
def replicas(tmp_path: Path, server: RedisServer, upstream: OpenAIUpstream) -> Iterator[list[int]]:
    with ExitStack() as stack:
        url = f"http://127.0.0.1:{stack.enter_context(serving(upstream.app()))}"
        ports = []
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            running = gateway(tmp_path / name, url, cache=server.url, policies=[CACHING])
            ports.append(stack.enter_context(running))
        yield ports


def ask(port: int, **more: object) -> httpx.Response:
    headers = {"authorization": "Bearer key-canary"}
    return httpx.post(
        f"http://127.0.0.1:{port}/v1/chat/completions", json={**ASKED, **more}, headers=headers, timeout=30
    )


def hit(answer: httpx.Response) -> bool:
    return answer.headers["x-pith-response-cache"] == "hit"


def recorded(server: RedisServer) -> bool:
    """Whether a value of an answer's size has come: what is recorded besides is smaller."""
    return any(server.ask("STRLEN", key) > 250 for key in server.stored())


@pytest.mark.parametrize("is_streamed", [False, True])
def test_what_one_recorded_another_gives(
    replicas: list[int], server: RedisServer, upstream: OpenAIUpstream, is_streamed: bool
) -> None:
    a, b = replicas
    first = ask(a, stream=is_streamed)
    until(lambda: recorded(server), "the answer in Redis")
    second = ask(b, stream=is_streamed)
    assert (hit(second), len(upstream.received)) == (True, 1)
    assert second.content == first.content


def test_what_lies_in_redis_can_be_read_by_nobody(replicas: list[int], server: RedisServer) -> None:
    ask(replicas[0])
    until(lambda: recorded(server), "the answer in Redis")
    keys = server.stored()
    held = keys + [server.ask("GET", key) for key in keys]
    for canary in (b"prompt-canary", b"key-canary", b"Hello there", b"gpt-4o-mini", b"application/json"):
        assert not any(canary in part for part in held)


def test_garbage_in_redis_and_no_redis_are_misses(
    replicas: list[int], server: RedisServer, upstream: OpenAIUpstream
) -> None:
    a, b = replicas
    ask(a)
    until(lambda: recorded(server), "the answer in Redis")
    for key in server.stored():
        server.ask("SET", key, b"garbage")
    answer = ask(b)
    assert not hit(answer)
    assert answer.json()["choices"][0]["message"]["content"] == "Hello there."
    server.stop()
    assert hit(ask(a)), "the process has it"
    assert ask(b, temperature=0.5).status_code == 200
