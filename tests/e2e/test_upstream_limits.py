"""The settings of an upstream, from the file to the answer a client gets."""

from __future__ import annotations

from pathlib import Path

import httpx

from tests.e2e.scripted_upstream import ScriptedUpstream, connected
from tests.e2e.whole_gateway import OK, gateway, rows

GET = b"GET /v1/models HTTP/1.1\r\nHost: gateway\r\n\r\n"


def said(answer: httpx.Response) -> tuple[int, str, str]:
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["message"]


async def test_max_in_flight(tmp_path: Path, upstream: ScriptedUpstream) -> None:
    upstreams = {"openai": {"url": upstream.url, "max_in_flight": 1}}
    with gateway(tmp_path, "", upstreams=upstreams, timeouts={"queue_s": 0.05}) as port:
        async with connected(port) as first, httpx.AsyncClient() as second:
            await first.send(GET)
            peer = await upstream.accept()
            await peer.head()
            answer = await second.get(f"http://127.0.0.1:{port}/v1/models")
            status, code, message = said(answer)
            assert (status, code, answer.headers["retry-after"]) == (503, "upstream_busy", "1")
            assert "'openai' has 1 requests under way" in message
            await peer.send(OK)
            assert (await first.answer())[0].status == 200
    assert sorted(row["status"] for row in rows(tmp_path)) == [200, 503]


async def test_the_breaker(tmp_path: Path, unused_tcp_port: int) -> None:
    with gateway(tmp_path, f"http://127.0.0.1:{unused_tcp_port}") as port:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            for _ in range(5):
                assert "connection refused" in said(await client.get("/v1/models"))[2]
            answer = await client.get("/v1/models")
            status, code, message = said(answer)
            assert (status, code) == (502, "upstream_unavailable")
            assert "took no connection several times in a row" in message
            assert 1 <= int(answer.headers["retry-after"]) <= 5


async def test_retries_of_a_failed_connect(tmp_path: Path, unused_tcp_port: int) -> None:
    """Seen by the breaker: two requests, each with two retries, are the five failures that open it."""
    upstreams = {
        "openai": {"url": f"http://127.0.0.1:{unused_tcp_port}", "retries": {"connect": 2, "budget": 1}}
    }
    with gateway(tmp_path, "", upstreams=upstreams) as port:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            first, second = [said(await client.get("/v1/models"))[2] for _ in range(2)]
    assert "connection refused" in first
    assert "in a row" in second
