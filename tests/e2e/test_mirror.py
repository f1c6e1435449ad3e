"""The mirror on real sockets: the client's bytes, what is sent behind its back, and what the ledger keeps."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.e2e.conftest import serving
from tests.e2e.openai_upstream import OpenAIUpstream
from tests.e2e.scripted_upstream import PATIENCE_S
from tests.e2e.whole_gateway import LONG, PARAMS, chat, gateway

ROOT = Path(__file__).parents[2]
CALLERS = "Bearer sk-callers-own"


@dataclass
class Judge:
    """A judge that always prefers the first answer, unless an answer tells how much of the text was there."""

    received: list[dict[str, Any]] = field(default_factory=list)

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/v1/chat/completions", self._judge, methods=["POST"])])

    async def _judge(self, request: Request) -> Response:
        asked = await request.json()
        self.received.append(asked)
        told = [int(n) for n in re.findall(r"I read (\d+)", asked["messages"][0]["content"])]
        winner = str(1 + told.index(max(told))) if told else "1"
        content = json.dumps({"reason": "it read more", "winner": winner})
        usage = {"prompt_tokens": 500, "completion_tokens": 20}
        return JSONResponse({"choices": [{"message": {"content": content}}], "usage": usage})


@dataclass
class Reading(OpenAIUpstream):
    """Says how much it was sent: so the arms' answers truly differ."""

    async def answer(self, request: Request) -> Response:
        await super().answer(request)
        n_read = len(self.last.json["messages"][0]["content"])
        message = {"role": "assistant", "content": f"I read {n_read}"}
        usage = {"prompt_tokens": n_read // 5, "completion_tokens": 5}
        return JSONResponse({"choices": [{"index": 0, "message": message}], "usage": usage})


@contextmanager
def mirroring(
    folder: Path, upstream: OpenAIUpstream, judge: Judge, *, dealt: str, **mirror: object
) -> Iterator[httpx.Client]:
    """A gateway that mirrors everything, and deals every unit one arm."""
    weights = {"control": 1e-12, "half": 1e-12, dealt: 1.0}
    variants = [
        {"name": "control", "weight": weights["control"], "mode": "off"},
        {"name": "half", "weight": weights["half"]},
    ]
    said = {"share": 1.0, "per_minute": 1000, "judge": {"upstream": "judge", "model": "gpt-4o"}, **mirror}
    experiment = {"salt": "s", "variants": variants, "mirror": said}
    policy = {"name": "rag", "benefit": "off", "params": PARAMS, "experiment": experiment}
    with serving(upstream.app()) as port, serving(judge.app()) as judge_port:
        upstreams = {
            "openai": {"url": f"http://127.0.0.1:{port}"},
            "judge": {"url": f"http://127.0.0.1:{judge_port}", "key": "none"},
        }
        url = upstreams["openai"]["url"]
        with (
            gateway(folder, url, upstreams=upstreams, policies=[policy]) as ours,
            httpx.Client(base_url=f"http://127.0.0.1:{ours}", timeout=60) as client,
        ):
            yield client


def verdicts(folder: Path) -> list[dict[str, Any]]:
    with sqlite3.connect(folder / "ledger.db") as connection:
        connection.row_factory = sqlite3.Row
        found = connection.execute("select * from experiment_verdicts order by created_at")
        return [dict(row) for row in found]


def awaited(folder: Path, n_verdicts: int) -> list[dict[str, Any]]:
    deadline = time.monotonic() + PATIENCE_S
    while len(verdicts(folder)) < n_verdicts:
        assert time.monotonic() < deadline, "no verdict"
        time.sleep(0.02)
    return verdicts(folder)


@pytest.mark.parametrize("dealt", ["control", "half"])
def test_the_better_arm_wins_whichever_the_client_got(tmp_path: Path, dealt: str) -> None:
    upstream, judge = Reading(), Judge()
    with mirroring(tmp_path, upstream, judge, dealt=dealt) as client:
        answer = client.post("/v1/chat/completions", json=chat())
        assert answer.headers["x-pith-variant"] == dealt
        [verdict] = awaited(tmp_path, 1)
    sent, mirrored = (len(one.json["messages"][0]["content"]) for one in upstream.received)
    assert answer.json()["choices"][0]["message"]["content"] == f"I read {sent}"
    assert (sent == len(LONG)) is (dealt == "control")
    assert (mirrored == len(LONG)) is (dealt == "half")
    assert (verdict["winner"], verdict["arm"], verdict["experiment"]) == ("control", "half", "rag")
    assert verdict["id"] == answer.headers["x-pith-id"]
    assert verdict["cost_usd"] > 0
    assert verdict["reason"] is None
    assert len(judge.received) == 2


def test_the_client_gets_the_same_bytes_as_without_a_mirror(tmp_path: Path) -> None:
    answers = []
    for i, share in enumerate((0.0, 1.0)):
        folder = tmp_path / str(i)
        folder.mkdir()
        upstream = OpenAIUpstream()
        with mirroring(folder, upstream, Judge(), dealt="control", share=share) as client:
            for body in (chat(), chat(stream=True, stream_options={"include_usage": True})):
                answer = client.post("/v1/chat/completions", json=body)
                answers.append((share, answer.status_code, answer.content))
            if share:
                awaited(folder, 2)
        assert len(upstream.received) == 2 * (1 + share)
        assert all(one.json.get("stream") in (None, False) for one in upstream.received[2:])
    assert [one[1:] for one in answers[:2]] == [one[1:] for one in answers[2:]]


def test_a_callers_key_goes_along_where_the_policy_says_so_and_rests_nowhere(tmp_path: Path) -> None:
    upstream, judge = Reading(), Judge()
    with mirroring(tmp_path, upstream, judge, dealt="control", callers_keys=True) as client:
        client.post("/v1/chat/completions", json=chat(), headers={"authorization": CALLERS})
        awaited(tmp_path, 1)
    assert [dict(one.headers)["authorization"] for one in upstream.received] == [CALLERS] * 2
    written = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert b"sk-callers-own" not in written
    assert LONG.encode()[:40] not in written


def test_every_outcome_is_documented() -> None:
    code = (ROOT / "gateway/experiments/mirror.py").read_text() + (
        ROOT / "gateway/experiments/jobs.py"
    ).read_text()
    page = (ROOT / "docs/experiments.md").read_text(encoding="utf-8")
    outcomes = set(re.findall(r'(?:Dropped|ended)\("(\w+)"', code)) | {"judged", "budget", "rate", "error"}
    assert len(outcomes) > 15
    assert {name for name in outcomes if f"`{name}`" not in page} == set()
