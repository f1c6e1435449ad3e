"""Answers given again, over real sockets, with the official client: whole, streamed, and what is not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tests.e2e.conftest import serving
from tests.e2e.openai_upstream import USAGE, OpenAIUpstream
from tests.e2e.scripted_upstream import ScriptedUpstream, connected
from tests.e2e.whole_gateway import DONE, STREAM, arrived, chat, chunked, event, gateway, request, rows

CACHING = {"name": "again", "response_cache": {"ttl_s": 3600}, "params": {"rate": 0.5, "min_tokens": 50}}
ASKED = chat("What is the answer?", temperature=1.0)
HEADER = "x-pith-response-cache"


class Pith:
    """A gateway with the cache on, before an upstream that can be taken away."""

    def __init__(self, port: int, upstream: OpenAIUpstream) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.upstream = upstream

    @property
    def n_upstream(self) -> int:
        return len(self.upstream.received)

    def client(self, key: str = "sk-one") -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key=key, max_retries=0)

    def post(self, body: dict[str, Any] = ASKED, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.post(f"{self.url}/v1/chat/completions", json=body, headers=named, timeout=30)


@pytest.fixture
def pith(tmp_path: Path) -> Iterator[Pith]:
    upstream = OpenAIUpstream()
    with (
        serving(upstream.app()) as upstream_port,
        gateway(tmp_path, f"http://127.0.0.1:{upstream_port}", policies=[CACHING]) as port,
    ):
        yield Pith(port, upstream)


def test_the_official_client_gets_the_same_answer_without_the_upstream(pith: Pith) -> None:
    answers = [pith.client().chat.completions.with_raw_response.create(**ASKED) for _ in range(3)]
    assert pith.n_upstream == 1
    assert {answer.http_response.content for answer in answers} == {answers[0].http_response.content}
    assert [answer.parse().choices[0].message.content for answer in answers] == ["Hello there."] * 3
    assert [answer.headers[HEADER] for answer in answers] == ["miss", "hit", "hit"]
    assert len({answer.headers["x-pith-id"] for answer in answers}) == 3


def test_a_stream_is_given_again_as_a_stream_and_apart_from_whole_answers(pith: Pith) -> None:
    def stream() -> list[dict[str, Any]]:
        return [chunk.to_dict() for chunk in pith.client().chat.completions.create(**ASKED, stream=True)]

    first, second = stream(), stream()
    assert first == second
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in second) == "Hello there."
    assert all(chunk["choices"] for chunk in second), "the usage event that we asked for is not replayed"
    assert pith.n_upstream == 1
    assert pith.post().json()["choices"][0]["message"]["content"] == "Hello there."
    assert pith.n_upstream == 2
    raw = pith.post({**ASKED, "stream": True}, authorization="Bearer sk-one")
    assert raw.headers["content-type"].startswith("text/event-stream")


async def test_a_client_that_closes_at_done_has_had_it_all(
    upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    """As OpenAI's does: the end of the stream's body it does not wait for."""
    asked = request(chat("Hi.", stream=True))
    with gateway(tmp_path, upstream.url, policies=[CACHING]) as port:
        async with connected(port) as client:
            await client.send(asked)
            peer = await upstream.accept()
            await arrived(peer)
            await peer.send(STREAM)
            await client.head()
            for part in (event("Hello"), DONE):
                await peer.send(chunked(part))
                assert await client.chunk() == part
        await peer.until_closed()
        async with connected(port) as client:
            await client.send(asked)
            head, body = await client.answer()
            assert (head.values(HEADER.encode()), body) == ([b"hit"], event("Hello") + DONE)
    assert [row["is_complete"] for row in rows(tmp_path)] == [1, 1]


def test_tenants_share_nothing(pith: Pith) -> None:
    for key in ("sk-one", "sk-two"):
        pith.client(key).chat.completions.create(**ASKED)
    assert pith.n_upstream == 2


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ({**ASKED, "temperature": 0.9}, {}),
        ({**ASKED, "x_unknown": 1}, {}),
        (ASKED, {"openai_organization": "other"}),
        (ASKED, {"x_pith_rate": "0.7"}),
    ],
)
def test_a_difference_goes_to_the_upstream(pith: Pith, body: dict[str, Any], headers: dict[str, str]) -> None:
    pith.post()
    assert pith.post(body, **headers).headers[HEADER] == "miss"
    assert pith.n_upstream == 2


def test_order_and_spacing_are_no_difference(pith: Pith) -> None:
    pith.post()
    raw = json.dumps(dict(reversed(ASKED.items())), indent=2)
    again = httpx.post(
        f"{pith.url}/v1/chat/completions",
        content=raw,
        headers={"content-type": "application/json", "user-agent": "another"},
    )
    assert again.headers[HEADER] == "hit"


@pytest.mark.parametrize(
    ("body", "headers", "state"),
    [
        ({**ASKED, "store": True}, {}, "bypass"),
        ({**ASKED, "tools": [{"type": "web_search"}]}, {}, "bypass"),
        (ASKED, {"cache_control": "no-store"}, "bypass"),
        (ASKED, {"cache_control": "no-cache"}, "miss"),
        (ASKED, {"x_pith_mode": "off"}, None),
    ],
)
def test_what_must_reach_the_upstream_does(
    pith: Pith, body: dict[str, Any], headers: dict[str, str], state: str | None
) -> None:
    for n_asked in (1, 2):
        assert pith.post(body, **headers).headers.get(HEADER) == state
        assert pith.n_upstream == n_asked


def test_requests_at_the_same_time_share_one_answer(pith: Pith) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: pith.post(), range(8)))
    assert pith.n_upstream == 1
    assert len({answer.content for answer in answers}) == 1
    assert sorted(answer.headers[HEADER] for answer in answers) == ["hit"] * 7 + ["miss"]


def test_a_hit_needs_no_upstream_and_costs_nothing(tmp_path: Path) -> None:
    upstream = OpenAIUpstream()
    with ExitStack() as standing:
        url = f"http://127.0.0.1:{standing.enter_context(serving(upstream.app()))}"
        with gateway(tmp_path, url, policies=[CACHING]) as port:
            pith = Pith(port, upstream)
            pith.post()
            standing.close()
            assert pith.post().status_code == 200
            assert pith.post(chat("Another?")).status_code == 502
    billed, again, _ = rows(tmp_path)
    assert (billed["cache"], billed["prompt_tokens"]) == (None, USAGE["prompt_tokens"])
    assert (again["cache"], again["prompt_tokens"], again["cost_usd"]) == ("response", None, 0)
    assert again["saved_usd"] == pytest.approx(billed["cost_usd"])
    assert again["is_complete"]


async def test_an_error_and_a_broken_stream_are_not_given_again(
    upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    asked = request(chat("What?", stream=True))
    with gateway(tmp_path, upstream.url, policies=[CACHING]) as port:
        for answer in (
            STREAM + chunked(event("Hel")),  # and then the connection is closed
            STREAM + chunked(event("Hel"), b'data: {"error":{"message":"late"}}\n\n', DONE) + b"0\r\n\r\n",
            STREAM + chunked(event("Hel")) + b"0\r\n\r\n",
            b"HTTP/1.1 429 No\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
        ):
            async with connected(port) as client:
                await client.send(asked)
                peer = await upstream.accept()
                await arrived(peer)
                await peer.send(answer)
                peer.close()
                head = await client.head()
                assert (b"x-pith-response-cache", b"miss") in head.fields
                await client.exactly(1)


async def test_a_client_that_leaves_does_not_take_the_others_with_it(
    upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    asked = request(chat("What?", stream=True))
    with gateway(tmp_path, upstream.url, policies=[CACHING]) as port:
        async with connected(port) as leader, connected(port) as follower:
            await leader.send(asked)
            first = await upstream.accept()
            await arrived(first)
            await follower.send(asked)
            await asyncio.sleep(0)
            leader.close()
            second = await upstream.accept()
            await arrived(second)
            await second.send(STREAM + chunked(event("Hi"), DONE) + b"0\r\n\r\n")
            head, body = await follower.answer()
            assert (head.status, body) == (200, event("Hi") + DONE)
