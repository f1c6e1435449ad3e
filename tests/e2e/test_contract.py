"""What clients and gateways look at, by its name, with compression on: it all passes, both ways."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.e2e.conftest import serving
from tests.e2e.whole_gateway import LONG, gateway

SENT = [
    (b"Authorization", b"Bearer sk-x"),
    (b"OpenAI-Organization", b"org-1"),
    (b"OpenAI-Project", b"proj_1"),
    (b"OpenAI-Beta", b"assistants=v2, x=y"),
    (b"anthropic-version", b"2023-06-01"),
    (b"anthropic-beta", b"prompt-caching-2024-07-31,  fine-grained-tool-streaming-2025-05-14"),
    (b"X-Stainless-Retry-Count", b"1"),
    (b"X-Stainless-Raw-Response", b"true"),
    (b"Idempotency-Key", b"stainless-python-retry-1"),
    (b"X-Client-Request-Id", b"c-1"),
    (b"User-Agent", b"OpenAI/Python 9"),
    (b"X-Nobody-Knows", b"a ,b"),
]
ANSWERED = [
    (b"x-request-id", b"req_1"),
    (b"openai-processing-ms", b"12"),
    (b"openai-version", b"2020-10-01"),
    (b"x-ratelimit-remaining-tokens", b"149984"),
    (b"anthropic-ratelimit-requests-reset", b"2026-11-20T00:00:00Z"),
    (b"retry-after", b"1"),
    (b"retry-after-ms", b"900"),
    (b"x-should-retry", b"true"),
    (b"cf-ray", b"9a-FRA"),
    (b"x-accel-buffering", b"no"),
    (b"cache-control", b"no-cache, private"),
    (b"set-cookie", b"a=1; Path=/"),
    (b"set-cookie", b"b=2"),
]
MEMBERS: dict[str, Any] = {
    "prompt_cache_key": "k",
    "prompt_cache_options": {"ttl": "24h"},
    "prompt_cache_retention": "24h",
    "safety_identifier": "s",
    "store": False,
    "logprobs": True,
    "top_logprobs": 2,
    "n": 1,
    "seed": 7,
    "logit_bias": {"50256": -100},
    "user": "u",
    "nobody_knows": {"of": [1.10, 1e2]},
}


class Echo:
    """Keeps what it is sent, and answers with every field of ANSWERED."""

    def __init__(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/{path:path}", self.answer, methods=["POST"])])

    async def answer(self, request: Request) -> Response:
        self.headers, self.body = request.headers.raw, await request.body()
        is_sdp = request.headers["content-type"] == "application/sdp"
        kind = b"application/sdp" if is_sdp else b"application/json"
        answer = Response(self.body if is_sdp else b'{"error": {}}', 201 if is_sdp else 529)
        answer.raw_headers = [*ANSWERED, (b"content-type", kind), *answer.raw_headers[:1]]
        return answer


def test_fields_and_members_pass_by_name(tmp_path: Path) -> None:
    echo = Echo()
    asked = {"model": "gpt-4o", **MEMBERS, "messages": [{"role": "user", "content": LONG}]}
    with serving(echo.app()) as port, gateway(tmp_path, f"http://127.0.0.1:{port}") as own:
        answer = httpx.post(
            f"http://127.0.0.1:{own}/v1/chat/completions",
            content=json.dumps(asked),
            headers=[*SENT, (b"Content-Type", b"application/json")],
            timeout=30,
        )
    wanted = [(name.lower(), value) for name, value in SENT]
    assert [field for field in echo.headers if field[0] in dict(wanted)] == wanted
    sent = json.loads(echo.body)
    assert {name: sent[name] for name in MEMBERS} == MEMBERS
    assert len(sent["messages"][0]["content"]) < 0.8 * len(LONG)
    assert b"[1.1, 100.0]" in echo.body, "numbers as the client spelled them"
    names = dict(ANSWERED)
    assert [field for field in answer.headers.raw if field[0] in names] == ANSWERED
    assert (answer.status_code, answer.json()) == (529, {"error": {}})


def test_a_call_of_the_realtime_api_passes(tmp_path: Path) -> None:
    """WebRTC begins with an offer in SDP."""
    echo = Echo()
    offer = b"v=0\r\no=- 46117 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"
    with serving(echo.app()) as port, gateway(tmp_path, f"http://127.0.0.1:{port}") as own:
        answer = httpx.post(
            f"http://127.0.0.1:{own}/v1/realtime/calls?model=gpt-realtime",
            content=offer,
            headers={"content-type": "application/sdp"},
            timeout=30,
        )
    assert (answer.status_code, answer.headers["content-type"]) == (201, "application/sdp")
    assert echo.body == answer.content == offer
