"""The money of a request on real sockets: what the row says, and what upstreams tell that is no usage."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
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

from compressor import counter
from tests.e2e.conftest import serving
from tests.e2e.whole_gateway import LONG, PARAMS, chat, gateway, rows

Json = dict[str, Any]

OPENAI_OVERHEAD = 3 + 1
"""Tokens around a message, its role included; the head of the answer has three."""


@dataclass
class Telling:
    """An upstream that tells the usage it is given, or counts for itself as OpenAI does."""

    usage: object = None
    counts: bool = False
    bodies: list[Json] = field(default_factory=list)

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/v1/chat/completions", self._answer, methods=["POST"])])

    async def _answer(self, request: Request) -> Response:
        body = await request.json()
        self.bodies.append(body)
        told = self._counted(body) if self.counts else self.usage
        answer = {"object": "chat.completion", "choices": []}
        return JSONResponse({**answer, "usage": told} if told is not None else answer)

    def _counted(self, body: Json) -> Json:
        count = counter("o200k_base").count
        texts = sum(count(message["content"]) + OPENAI_OVERHEAD for message in body["messages"])
        return {"prompt_tokens": texts + 3, "completion_tokens": 5}


@contextmanager
def asked(folder: Path, upstream: Telling, **settings: Any) -> Iterator[httpx.Client]:
    with (
        serving(upstream.app()) as target,
        gateway(folder, f"http://127.0.0.1:{target}", **settings) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client,
    ):
        yield client


def row_of(folder: Path, upstream: Telling, body: Json, **settings: Any) -> Mapping[str, Any]:
    with asked(folder, upstream, **settings) as client:
        assert client.post("/v1/chat/completions", json=body).status_code == 200
    [row] = rows(folder)
    return row


def test_the_row_closes_the_books(tmp_path: Path) -> None:
    compressor = {"usd_per_hour": 3600.0, "deadline_ms": 20_000}
    row = row_of(tmp_path, Telling(counts=True), chat(LONG * 5), compressor=compressor)
    assert row["compression_usd"] == pytest.approx(row["device_ms"] / 1e3, abs=1e-6)  # kept in microseconds
    assert row["device_ms"] > 0
    assert row["added_ms"] > 0
    assert row["counterfactual_basis"] == "modelled"
    assert row["counterfactual_usd"] > row["cost_usd"] > 0
    net = row["counterfactual_usd"] - row["cost_usd"] - row["compression_usd"]
    assert row["saved_usd"] == pytest.approx(net)
    assert row["saved_usd"] < 0, "a device at a dollar a second is dearer than these tokens"


def test_our_count_is_within_a_percent_of_the_upstreams(tmp_path: Path) -> None:
    messages = [{"role": "user", "content": LONG[i * 40 :]} for i in range(4)]
    messages += [{"role": role, "content": "Yes."} for role in ("assistant", "user") * 30]
    row = row_of(tmp_path, Telling(counts=True), {"model": "gpt-4o-mini", "messages": messages})
    assert row["prompt_tokens"] > 1000
    assert abs(row["token_error"]) < 0.01 * row["prompt_tokens"]


def test_in_shadow_nothing_is_saved(tmp_path: Path) -> None:
    row = row_of(tmp_path, Telling(counts=True), chat(LONG), mode="shadow")
    assert row["origin_tokens"] > row["compressed_tokens"]
    assert (row["saved_usd"], row["counterfactual_usd"]) == (0.0, row["cost_usd"])


ABSURD: tuple[object, ...] = (
    {"prompt_tokens": -5, "completion_tokens": 3},
    {"prompt_tokens": "many", "completion_tokens": "few"},
    {"prompt_tokens": 10**30, "completion_tokens": 1},
    {"prompt_tokens": 900, "completion_tokens": -1},
    {"prompt_tokens": 900, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 10**9}},
    [],
    "none",
    7,
)


@pytest.mark.parametrize("told", ABSURD, ids=lambda told: json.dumps(told)[:40])
def test_absurd_usage_is_said_and_never_believed(tmp_path: Path, told: object) -> None:
    row = row_of(tmp_path, Telling(told), chat(LONG))
    assert row["usage_problem"] == "absurd"
    assert row["status"] == 200
    if row["prompt_tokens"] is None:
        assert (row["cost_usd"], row["saved_usd"]) == (None, None)
    else:
        assert 0 <= row["cached_tokens"] <= row["prompt_tokens"] == 900
        assert row["cost_usd"] > 0


def test_missing_usage_is_said(tmp_path: Path) -> None:
    row = row_of(tmp_path, Telling(None), chat(LONG))
    assert (row["usage_problem"], row["cost_usd"], row["saved_usd"]) == ("missing", None, None)
    assert row["origin_tokens"] > row["compressed_tokens"]


def test_whatever_a_model_is_called_its_row_is_kept_and_plain(tmp_path: Path) -> None:
    names = ["<script>alert(1)</script>", "'; drop table entries; --", "m" * 1_000_000, "gpt-4o\x00\udcff"]
    with asked(tmp_path, Telling(counts=True)) as client:
        for name in names:
            body = json.dumps({**chat(LONG), "model": name}).encode()
            assert client.post("/v1/chat/completions", content=body).status_code == 200
    kept = rows(tmp_path)
    assert [row["model"][:9] for row in kept[:3]] == ["<script>a", "'; drop t", "mmmmmmmmm"]
    assert all(len(row["model"] or "") <= 200 for row in kept)
    assert all(row["cost_usd"] is None and row["prompt_tokens"] > 0 for row in kept)


def test_prices_of_ones_own_are_used(tmp_path: Path) -> None:
    told = {"prompt_tokens": 1000, "completion_tokens": 100, "prompt_tokens_details": {"cached_tokens": 200}}
    prices = [{"model": "in-house", "input": 2.0, "output": 8.0, "cached_input": 1.0}]
    row = row_of(tmp_path, Telling(told), {**chat(LONG), "model": "in-house"}, prices=prices)
    assert row["cost_usd"] == pytest.approx((800 * 2.0 + 200 * 1.0 + 100 * 8.0) / 1e6)


def test_a_prompt_that_would_fall_out_of_the_cache_is_left_whole_for_the_conversation(tmp_path: Path) -> None:
    policy = {"name": "gated", "params": PARAMS}
    upstream = Telling(counts=True)
    first = {"role": "user", "content": LONG * 5}
    with asked(tmp_path, upstream, policies=[policy]) as client:
        said = client.post("/v1/chat/completions", json={"model": "gpt-5", "messages": [first]})
        assert said.headers["x-pith-skip"] == "no_benefit"
        more = [first, {"role": "assistant", "content": "Yes."}, {"role": "user", "content": LONG * 20}]
        said = client.post("/v1/chat/completions", json={"model": "gpt-5", "messages": more})
        assert "x-pith-skip" not in said.headers
    sent = [[message["content"] for message in body["messages"]] for body in upstream.bodies]
    assert sent[0] == [first["content"]]
    assert sent[1][0] == first["content"]
    assert len(sent[1][2]) < len(LONG * 20)
    assert [row["skip"] for row in rows(tmp_path)] == ["no_benefit", None]
