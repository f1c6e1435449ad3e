"""Keys of every kind and a sentence, planted in every way access can fail; looked for in all that is kept.

Planted: a caller's own key, virtual keys, the provider's key, a prompt and an answer. Looked into: the log,
down to debug, the ledger, the key store and all of Redis; and, for keys, every answer that is ours. (Names a
caller chose itself, of a path or a policy, our errors may repeat to it.)
"""

from __future__ import annotations

import asyncio
import io
import itertools
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.access.keys import VirtualKey
from gateway.access.store import KeyStore
from gateway.app import create_app
from gateway.config import load as load_config
from tests.e2e.conftest import serving
from tests.e2e.guarded_gateway import CHAT, plain
from tests.e2e.scripted_upstream import PATIENCE_S, ScriptedUpstream
from tests.e2e.test_canary import KEY, SECRET, TEXT, Telling, log
from tests.e2e.whole_gateway import (
    DONE,
    OK,
    PARAMS,
    POLL_S,
    STREAM,
    USAGE,
    chat,
    chunked,
    configuration,
    event,
)
from tests.fakes import LengthScorer
from tests.gateway.access.issued import issue
from tests.left_behind import contents
from tests.redis_server import RedisServer, redis_server

__all__ = ["log"]

PROVIDER_KEY = "sk-provider-canary-51d0"
GOOD, ENTRY = issue("good", team="t")
LIMITED, LIMITED_ENTRY = issue("limited", requests_per_minute=1)
POOR, POOR_ENTRY = issue("poor", usd_per_day=0.000001)
BOUND, BOUND_ENTRY = issue("bound", models=("gpt-5",), paths=("/v1/*",), policies=("test",))
PAST, PAST_ENTRY = issue("past", expires=datetime(2020, 1, 1, tzinfo=UTC))
STORED, STORED_ENTRY = issue("stored", team="t")
REVOKED, REVOKED_ENTRY = issue("revoked")
UNKNOWN, _ = issue("unknown")
CONFIGURED = (ENTRY, LIMITED_ENTRY, POOR_ENTRY, BOUND_ENTRY, PAST_ENTRY)
VIRTUAL = (GOOD, LIMITED, POOR, BOUND, PAST, STORED, REVOKED, UNKNOWN)
HASHES = [entry.hash.removeprefix("sha256:") for entry in (*CONFIGURED, STORED_ENTRY, REVOKED_ENTRY)]

KEYS = [KEY, PROVIDER_KEY, *(key.decode().rpartition("-")[2][:16] for key in VIRTUAL)]
FINGERS = [*KEYS, SECRET, "canary", "midnight"]
"""Parts too: a log that cuts or escapes is no better."""

ANSWERS: tuple[bytes, ...] = (
    OK,
    b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 60\r\n\r\n"
    + f"Incorrect API key: {PROVIDER_KEY}".encode().ljust(60),
    b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n",
    STREAM + chunked(event(SECRET), USAGE, DONE) + b"0\r\n\r\n",
    STREAM + chunked(event(SECRET)),
    b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + SECRET.encode(),
    b"HTP " + SECRET.encode() + b"\r\n\r\n",
    b"",
)


def found(places: dict[str, str], fingers: list[str]) -> list[tuple[str, str]]:
    return [(name, finger) for name, text in places.items() for finger in fingers if finger in text]


@asynccontextmanager
async def answering(upstream: ScriptedUpstream) -> AsyncIterator[None]:
    """Give every answer in turn, whole ones and broken ones."""

    async def answer_all() -> None:
        for raw in itertools.cycle(ANSWERS):
            peer = await upstream.accept()
            try:
                await peer.answer()
                await peer.send(raw)
            except (asyncio.IncompleteReadError, ConnectionError):
                pass
            peer.close()

    task = asyncio.create_task(answer_all())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest.fixture
def redis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RedisServer]:
    monkeypatch.setenv("PITH_SECRET", "0123456789abcdef" * 2)
    with redis_server(tmp_path / "redis") as server:
        yield server


@contextmanager
def gateway(folder: Path, url: str, scorer: Any, *keys: VirtualKey, **settings: Any) -> Iterator[int]:
    policies = [{"name": "test", "params": PARAMS, "response_cache": {"ttl_s": 60}}]
    upstreams = {"openai": {"url": url, "key": "env:PROVIDER"}, "own": {"url": url}}
    routes = [{"path": "/own/*", "upstream": "own"}, {"upstream": "openai"}]
    file = configuration(
        folder,
        url,
        **{"policies": policies, "upstreams": upstreams, "routes": routes, "require_keys": False, **settings},
        keys=[plain(key) for key in keys],
    )
    config = load_config(file, {"PROVIDER": PROVIDER_KEY}, {})
    with serving(create_app(config, scorer, poll_s=POLL_S)) as port:
        yield port


def bearer(key: bytes | str) -> dict[str, str]:
    return {"authorization": f"Bearer {key if isinstance(key, str) else key.decode()}"}


Ask = dict[str, Any]
BODY = chat(TEXT, user=SECRET, temperature=0)


def asks() -> Iterator[Ask]:
    """Every way in, and every way not to get in."""
    for key in (KEY.encode(), *VIRTUAL, VIRTUAL[0][:-1]):
        for more in ({}, {"stream": True}):
            yield {"url": CHAT, "headers": bearer(key), "json": {**BODY, **more}}
        yield {"url": "/own/v1/chat/completions", "headers": bearer(key), "json": BODY}
        yield {"url": CHAT, "headers": bearer(key), "content": json.dumps(BODY).encode()[:-5]}
        yield {
            "url": "/v1/x/../y",
            "headers": {"x-api-key": key.decode()},
            "content": SECRET.encode(),
        }
        yield {
            "url": "/pith/v1/compress",
            "headers": bearer(key),
            "json": {"texts": [TEXT], "params": {SECRET: 1}},
        }
        yield {
            "url": "/pith/v1/compress",
            "headers": bearer(key),
            "json": {"request": BODY, "policy": SECRET},
        }
        yield {"url": "/pith/v1/nothing", "headers": bearer(key), "json": BODY}
        yield {"url": f"{CHAT}?key={key.decode()}", "headers": bearer(key), "json": BODY}
        yield {"url": CHAT, "headers": {"cookie": f"k={key.decode()}", **bearer(KEY)}, "json": BODY}
        yield {"url": CHAT, "headers": {"authorization": f"Basic {key.decode()}"}, "json": BODY}
        yield {"url": CHAT, "headers": {**bearer(key), "x-api-key": KEY + "2"}, "json": BODY}
        yield {
            "url": CHAT,
            "headers": {**bearer(key), "x-pith-policy": SECRET, "x-pith-rate": SECRET},
            "json": BODY,
        }
        yield {
            "url": "/v1/realtime",
            "headers": {"x-api-key": key.decode(), "upgrade": "websocket"},
            "json": BODY,
        }


async def drive(port: int, is_ours: Callable[[httpx.Response], bool]) -> dict[str, str]:
    """Ask everything; the answers that are our own, and the headers of ours on all of them."""
    said: dict[str, str] = {}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S) as client:
        for number, ask in enumerate(asks()):
            try:
                answer = await client.post(**ask)
            except httpx.HTTPError:
                continue  # the upstream's break is passed on
            own = {name: value for name, value in answer.headers.items() if name.startswith("x-pith-")}
            said[f"{number} {answer.status_code} headers"] = str(own)
            if is_ours(answer):
                said[f"{number} {answer.status_code}"] = f"{answer.headers} {answer.text}"
        said["readyz"] = (await client.get("/pith/readyz")).text
    return said


def is_ours(answer: httpx.Response) -> bool:
    """A refusal or error of ours; not an echo, and not the upstream's words."""
    return answer.headers.get("content-type") == "application/json" and b'"error"' in answer.content


def kept(folder: Path, log: io.StringIO, redis: RedisServer) -> dict[str, str]:
    """All that is left behind, by where."""
    files = {name: raw.decode("latin-1") for name, raw in contents(folder).items()}
    assert {"ledger.db", "keys.db"} <= files.keys()
    dump = {
        f"redis {name!r}": f"{name!r} {redis.ask('GET', name).decode('latin-1')}" for name in redis.stored()
    }
    assert '"event"' in log.getvalue()
    return {**files, **dump, "log": log.getvalue()}


@pytest.mark.parametrize("scorer", [None, Telling()], ids=["well", "failing"])
async def test_keys_are_nowhere_afterwards(
    scorer: Any, upstream: ScriptedUpstream, tmp_path: Path, log: io.StringIO, redis: RedisServer
) -> None:
    url = f"sqlite:///{tmp_path / 'keys.db'}"
    store = KeyStore(url)
    store.add(STORED_ENTRY)
    store.add(REVOKED_ENTRY)
    store.revoke("revoked")
    settings: dict[str, Any] = {"cache": redis.url, "key_store": url}
    async with answering(upstream):
        with gateway(tmp_path, upstream.url, scorer or LengthScorer(), *CONFIGURED, **settings) as port:
            said = await drive(port, is_ours)
            assert {name.split()[1] for name in said if name[0].isdigit()} >= {
                "200",
                "401",
                "403",
                "429",
                "502",
            }
            assert any(b"pith:limits:" in name for name in redis.stored())
            places = kept(tmp_path, log, redis)
            assert found(said, KEYS) == []
            assert found(places, FINGERS) == []
            redis.stop()
            assert found(await drive(port, is_ours), KEYS) == []
            redis.start()
    places = kept(tmp_path, log, redis)
    assert found(places, FINGERS) == []
    elsewhere = said | {name: text for name, text in places.items() if "keys.db" not in name}
    assert found(elsewhere, HASHES) == [], "hashes of keys are in the key store alone"


async def test_a_store_that_is_away_tells_nothing(
    upstream: ScriptedUpstream, tmp_path: Path, log: io.StringIO, unused_tcp_port: int
) -> None:
    url = f"postgresql://pith:{SECRET.replace(' ', '-')}@127.0.0.1:{unused_tcp_port}/canary"
    async with answering(upstream):
        with gateway(tmp_path, upstream.url, LengthScorer(), *CONFIGURED, key_store=url) as port:
            said = await drive(port, is_ours)
            assert any(" 503" in name for name in said)
            assert "keys: key store: " in said["readyz"]
    fingers = [*FINGERS, SECRET.replace(" ", "-"), str(unused_tcp_port)]
    assert found(said, [*KEYS, *fingers[-2:]]) == []
    assert found({"log": log.getvalue()}, fingers) == []
    assert '"event"' in log.getvalue()
