"""gateway.api: what our own endpoints answer to the wrong question, and to callers that leave."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.scripted_upstream import PATIENCE_S, connected
from tests.e2e.whole_gateway import LONG, HeldScorer, chat, gateway

NOWHERE = "http://127.0.0.1:9"
LIMIT = 65536


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with gateway(tmp_path_factory.mktemp("api"), NOWHERE, max_body_bytes=LIMIT) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not JSON"),
        (b'{"texts": ["a"]', "not JSON"),
        (b"[" * 20_000, "not JSON"),
        (b'{"texts":["a"],"params":{"min_tokens":' + b"9" * 5000 + b"}}", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"7", "not an object"),
        (b"{}", "texts must be a list"),
        (b'{"texts": [1]}', "texts must be a list"),
        (json.dumps({"texts": ["a"] * 1001}).encode(), "at most 1000"),
        (b'{"texts": ["a", "\\ud83d"]}', "texts.1 holds half of a surrogate pair"),
        (b'{"texts": ["a"], "model": ["gpt"]}', "model is ['gpt']"),
        (b'{"texts": ["a"], "params": 5}', "params: value 5: must be a mapping of keys to values"),
        (b'{"texts": ["a"], "params": []}', "params: value []: must be a mapping of keys to values"),
        (b'{"texts": ["a"], "params": {"rate": NaN}}', "params: rate: value nan: must be"),
        (b'{"texts": ["a"], "params": {"rate": 7}}', "params: rate: rate is 7.0: must be above 0"),
        (b'{"texts": ["a"], "params": {"rate": "x"}}', "params: rate: value 'x': must be a number, e.g. 0.5"),
        (b'{"texts": ["a"], "params": {"rates": 1}}', "params: rates: unknown key; did you mean 'rate'?"),
        (b'{"texts": ["a"], "params": {"protect": {"patterns": ["(("]}}}', "params: protect.patterns[0]: "),
        (
            b'{"texts": ["a"], "params": {"fidelity": "x"}}',
            "fidelity: value 'x': must be 'native' or 'compat'",
        ),
        (b'{"texts": ["a"], "params": {"fidelity": "compat"}}', "fidelity is 'compat', which the scorer"),
        (b'{"texts": ["a"], "params": {"fidelity": "compat", "threshold": 0.5}}', "knows no threshold"),
        (b'{"request": {}, "dialect": ["chat"]}', "dialect is ['chat']"),
        (b'{"request": null}', "not a chat_completions request body (no_text)"),
        (b'{"request": {"a": ' + b"[" * 300 + b"]" * 300 + b"}}", "(unparsable)"),
        (json.dumps({"request": chat(), "policy": 5}).encode(), "policy is 5"),
        (json.dumps({"request": chat(), "policy": "tset"}).encode(), "there are test"),
    ],
)
def test_what_is_wrong_with_a_question_is_said(url: str, body: bytes, said: str) -> None:
    answer = httpx.post(f"{url}/pith/v1/compress", content=body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["code"], error["type"]) == ("invalid_request", "invalid_request_error")
    assert said in error["message"]


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_body_over_the_limit_is_refused_however_it_is_framed(url: str, is_chunked: bool) -> None:
    body = json.dumps({"texts": ["x" * LIMIT]}).encode()
    answer = httpx.post(f"{url}/pith/v1/compress", content=iter([body]) if is_chunked else body)
    assert answer.status_code == 400
    assert f"longer than {LIMIT} bytes" in answer.json()["error"]["message"]


def test_a_text_that_is_no_unicode_is_left_in_a_request(url: str) -> None:
    request = chat() | {"messages": [{"role": "user", "content": "\ud83d" + LONG}]}
    answer = httpx.post(f"{url}/pith/v1/compress", content=json.dumps({"request": request}))
    assert (answer.status_code, answer.json()["request"], answer.json()["results"]) == (200, request, [])


@pytest.mark.parametrize("host", ["api.openai.com", "[::1]:80", "v1.chat-completions_x:65535"])
@pytest.mark.parametrize(("method", "status"), [("GET", 404), ("POST", 404)])
def test_no_host_changes_what_is_found(url: str, host: str, method: str, status: int) -> None:
    answer = httpx.request(method, f"{url}/pith/nothing?a=b", headers={"host": host})
    assert (answer.status_code, answer.json()["error"]["message"]) == (status, "Pith has no '/pith/nothing'")


def test_another_method_is_refused(url: str) -> None:
    answer = httpx.get(f"{url}/pith/v1/compress")
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")


def test_readiness_is_said_in_one_line(url: str) -> None:
    said = httpx.get(f"{url}/pith/readyz").json()
    assert (said["status"], said["mode"], said["degraded"]) == ("ready", "on", [])


def test_callers_share_no_recorded_scores(tmp_path: Path) -> None:
    """What one caller asked cannot be told by another from how long the answer takes."""
    scorer = HeldScorer()
    scorer.go_on.set()
    with gateway(tmp_path, NOWHERE, scorer) as port:
        for key in ("sk-a", "sk-b", "sk-a"):
            httpx.post(
                f"http://127.0.0.1:{port}/pith/v1/compress",
                json={"texts": [LONG]},
                headers={"authorization": f"Bearer {key}"},
            )
    assert scorer.n_texts == 2


def test_a_scorer_that_fails_leaves_texts_whole(tmp_path: Path) -> None:
    scorer = HeldScorer()
    scorer.error = RuntimeError(f"cannot score {LONG}")
    scorer.go_on.set()
    with gateway(tmp_path, NOWHERE, scorer) as port:
        for path in ("compress", "explain"):
            answer = httpx.post(f"http://127.0.0.1:{port}/pith/v1/{path}", json={"texts": [LONG]})
            [result] = answer.json()["results"]
            assert (result["text"], result["skip"]) == (LONG, "scorer_down")
        said = httpx.get(f"http://127.0.0.1:{port}/pith/readyz").json()
    assert said["degraded"] == ["scorer: RuntimeError in the scorer"], "its words may quote a text"


async def test_a_caller_that_leaves_is_no_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    scorer = HeldScorer()
    with gateway(tmp_path, NOWHERE, scorer) as port:
        for body in (json.dumps({"texts": [LONG]}).encode(), b'{"texts": ['):
            async with connected(port) as client:
                length = len(body) if body.endswith(b"}") else 1000
                head = "POST /pith/v1/{} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n"
                await client.send(head.format("compress", length).encode() + body)
                if length == len(body):
                    assert await asyncio.to_thread(scorer.is_asked.wait, PATIENCE_S)
        scorer.go_on.set()
        answer: Any = await asyncio.to_thread(httpx.get, f"http://127.0.0.1:{port}/pith/healthz")
        assert answer.json() == {"status": "ok"}
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
