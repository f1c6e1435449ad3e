"""Outcomes of an experiment's units, through real sockets: alike in every arm, and summed exactly."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
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
from tests.e2e.scripted_upstream import PATIENCE_S, ScriptedUpstream
from tests.e2e.whole_gateway import LONG, PARAMS, STREAM, arrived, chat, chunked, event, gateway, rows

Json = dict[str, Any]

VARIANTS = [{"name": "control", "weight": 1, "mode": "off"}, {"name": "half", "weight": 1}]
EXPERIMENT = {"salt": "s", "slo_ms": 60_000, "variants": VARIANTS}
USAGE = {"prompt_tokens": 90, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 30}}
NOT_ALIKE = {
    *("id", "created_at", "conversation", "variant", "unit", "mode", "skip", "cache", "compressed_tokens"),
    *("token_error", "counterfactual_usd", "saved_usd", "device_ms", "added_ms", "timing_ms", "cached_error"),
    "counterfactual_cached_tokens",
}
"""Columns of a row that differ between arms, or from request to request."""


def policy(**said: Any) -> list[Json]:
    return [{"name": "rag", "benefit": "off", "params": PARAMS, "experiment": {**EXPERIMENT, **said}}]


@dataclass
class Answering:
    """An upstream that answers as it is told."""

    status: int = 200
    answer: Json = field(
        default_factory=lambda: {"choices": [{"index": 0, "finish_reason": "stop"}], "usage": USAGE}
    )
    bodies: list[Json] = field(default_factory=list)

    def app(self) -> Starlette:
        return Starlette(
            routes=[Route("/v1/{rest:path}", self._answer, methods=["POST"])],
        )

    async def _answer(self, request: Request) -> Response:
        self.bodies.append(await request.json())
        return JSONResponse(self.answer, self.status)


@contextmanager
def asked(folder: Path, upstream: Answering, **settings: Any) -> Iterator[httpx.Client]:
    settings = {"policies": policy(), **settings}
    with (
        serving(upstream.app()) as target,
        gateway(folder, f"http://127.0.0.1:{target}", **settings) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client,
    ):
        yield client


def say(client: httpx.Client, body: Json, unit: str | None = None, **headers: str) -> httpx.Response:
    named = {} if unit is None else {"x-pith-unit": unit}
    return client.post("/v1/chat/completions", json=body, headers={**named, **headers})


def units(folder: Path) -> dict[str, Json]:
    """By arm and unit; complete when the gateway has stopped."""
    with closing(sqlite3.connect(folder / "ledger.db")) as connection:
        connection.row_factory = sqlite3.Row
        return {row["unit"]: dict(row) for row in connection.execute("select * from experiment_units")}


def one_unit(folder: Path) -> Json:
    [found] = units(folder).values()
    return found


def test_every_arm_is_observed_alike(tmp_path: Path) -> None:
    upstream = Answering()
    with asked(tmp_path, upstream) as client:
        answers = [say(client, chat(LONG, stream=True), f"unit-{n}") for n in range(12)]
    by_arm: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows(tmp_path):
        by_arm.setdefault(row["variant"], []).append(row)
    assert set(by_arm) == {"control", "half"} == {answer.headers["x-pith-variant"] for answer in answers}
    [control, *_], [half, *_] = by_arm["control"], by_arm["half"]
    assert {name for name, value in control.items() if value is not None} - {"skip"} == {
        name for name, value in half.items() if value is not None
    } - {"cache"}
    alike = [{name: row[name] for name in row if name not in NOT_ALIKE} for row in (control, half)]
    assert alike[0] == alike[1]
    assert control["is_eligible"] == 1
    assert control["compressed_tokens"] == control["origin_tokens"] > half["compressed_tokens"]
    asks = {json.dumps(body["stream_options"]) for body in upstream.bodies}
    assert asks == {'{"include_usage": true}'}
    found = units(tmp_path)
    assert len(found) == 12
    assert {unit["eligible"] for unit in found.values()} == {1}
    assert {unit["first_tokens"] for unit in found.values()} == {control["origin_tokens"]}
    assert {unit["arm"]: unit["applied"] for unit in found.values()} == {"control": 0, "half": 1}


def test_the_sums_of_a_unit_are_those_of_its_requests(tmp_path: Path) -> None:
    messages: list[Json] = [{"role": "user", "content": LONG}]
    with asked(tmp_path, Answering()) as client:
        for text in ("Tell me how they decided.", "Tell me who disagreed."):
            say(client, {"model": "gpt-4o-mini", "messages": messages})
            messages += [{"role": "assistant", "content": "Well."}, {"role": "user", "content": text}]
        say(client, chat("short"))  # another conversation, on which no arm would act
    unit, written = one_unit(tmp_path), rows(tmp_path)
    assert len({row["unit"] for row in written}) == 2
    mine = [row for row in written if row["unit"] == unit["unit"]]
    assert (unit["requests"], unit["eligible"], unit["answered"]) == (2, 2, 2)
    assert (unit["output_tokens"], unit["cached_tokens"], unit["uncached_tokens"]) == (14, 60, 120)
    for name in ("cost_usd", "counterfactual_usd", "saved_usd", "origin_tokens"):
        assert unit[name] == pytest.approx(sum(row[name] for row in mine))
    assert unit["first_byte_ms"] > 0
    assert unit["total_ms"] >= unit["first_byte_ms"] - 2 * mine[0]["added_ms"]
    assert {unit[name] for name in ("errors", "truncated", "retries", "repeats", "slow", "unpriced")} == {0}


@pytest.mark.parametrize(
    ("upstream", "headers", "said"),
    [
        (Answering(500, {"error": {"message": "no"}}), {}, {"errors": 1}),
        (Answering(answer={"choices": [{"finish_reason": "length"}], "usage": USAGE}), {}, {"truncated": 1}),
        (Answering(), {"x-stainless-retry-count": "2"}, {"retries": 1}),
        (Answering(), {"x-stainless-retry-count": "0"}, {"retries": 0}),
        (Answering(), {"x-stainless-retry-count": "9" * 500}, {"retries": 0}),
        (Answering(answer={"choices": [{"finish_reason": 5}]}), {}, {"truncated": 0, "errors": 0}),
    ],
)
def test_one_request(tmp_path: Path, upstream: Answering, headers: dict[str, str], said: Json) -> None:
    with asked(tmp_path, upstream) as client:
        say(client, chat(LONG), **headers)
    unit = one_unit(tmp_path)
    assert {name: unit[name] for name in said} == said
    assert unit["requests"] == 1


def test_a_first_byte_after_the_objective_is_slow(tmp_path: Path) -> None:
    with asked(tmp_path, Answering(), policies=policy(slo_ms=0.001)) as client:
        say(client, chat(LONG))
    assert one_unit(tmp_path)["slow"] == 1


def test_the_same_request_again_is_a_retry_and_the_same_question_is_not(tmp_path: Path) -> None:
    question = LONG + "Which of them was against it?"
    later = {
        "model": "gpt-4o-mini",
        "messages": [
            {"role": "user", "content": question},
            {"role": "assistant", "content": "Nobody."},
            {"role": "user", "content": question.replace(" ", "  ").upper()},
        ],
    }
    unanswered = {**later, "messages": [*later["messages"], {"role": "tool", "content": "42"}]}
    with asked(tmp_path, Answering()) as client:
        for body in (chat(question), chat(question), later, unanswered):
            assert say(client, body, "u").status_code == 200
    flags = [(row["is_retry"], row["is_repeat"]) for row in rows(tmp_path)]
    assert flags == [(0, 0), (1, 0), (0, 1), (0, 0)]
    unit = one_unit(tmp_path)
    assert (unit["requests"], unit["retries"], unit["repeats"]) == (4, 1, 1)


@pytest.mark.parametrize(
    ("path", "body", "answer", "truncated"),
    [
        (
            "/v1/responses",
            {"model": "gpt-4o-mini", "input": LONG},
            {
                "object": "response",
                "status": "incomplete",
                "incomplete_details": {"reason": "max_output_tokens"},
                "usage": {"input_tokens": 50, "output_tokens": 9},
            },
            1,
        ),
        (
            "/v1/messages",
            {"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": LONG}]},
            {
                "type": "message",
                "stop_reason": "max_tokens",
                "usage": {"input_tokens": 50, "output_tokens": 9},
            },
            1,
        ),
    ],
)
def test_in_the_other_dialects(tmp_path: Path, path: str, body: Json, answer: Json, truncated: int) -> None:
    with asked(tmp_path, Answering(answer=answer)) as client:
        assert client.post(path, json=body).status_code == 200
    unit = one_unit(tmp_path)
    assert (unit["truncated"], unit["uncached_tokens"], unit["output_tokens"]) == (truncated, 50, 9)


async def test_an_answer_that_the_upstream_breaks_off_is_an_error(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    async def broken() -> None:
        peer = await upstream.accept()
        await arrived(peer)
        await peer.send(STREAM + chunked(event("Hel")))
        peer.reset()

    with gateway(tmp_path, upstream.url, policies=policy()) as port:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            task = asyncio.create_task(broken())
            with pytest.raises(httpx.HTTPError):
                await client.post("/v1/chat/completions", json=chat(LONG, stream=True))
            await task
    [row] = rows(tmp_path)
    assert (row["is_broken"], row["is_complete"], row["status"]) == (1, 0, 200)
    assert one_unit(tmp_path)["errors"] == 1


@pytest.mark.parametrize("unit", ["x" * 10_000, "\xff" * 50, "'; drop table entries; --"])
def test_an_odd_unit_never_fails_a_request(tmp_path: Path, unit: str) -> None:
    with asked(tmp_path, Answering()) as client:
        response = client.post(
            "/v1/chat/completions", json=chat(LONG), headers=[(b"x-pith-unit", unit.encode("latin-1"))]
        )
        assert response.status_code == 200
    assert one_unit(tmp_path)["requests"] == 1


def test_a_holdout_is_left_alone_and_counted(tmp_path: Path) -> None:
    with asked(tmp_path, Answering(), policies=policy(holdout=0.5, share=0.8)) as client:
        arms = [say(client, chat(LONG), f"u{n}").headers.get("x-pith-variant") for n in range(30)]
    assert set(arms) == {None, "holdout", "control", "half"}
    found = units(tmp_path)
    dealt = [arm for arm in arms if arm is not None]
    assert sorted(unit["arm"] for unit in found.values()) == sorted(dealt)
    assert {unit["applied"] for unit in found.values() if unit["arm"] == "holdout"} == {0}


def test_users_and_keys_are_units_whatever_the_conversation_is(tmp_path: Path) -> None:
    with asked(tmp_path, Answering(), policies=policy(unit="user")) as client:
        for n in range(4):
            say(client, chat(LONG + str(n), user="me" if n < 2 else None))
    assert one_unit(tmp_path)["requests"] == 2
    assert [row["unit"] is None for row in rows(tmp_path)] == [False, False, True, True]
    assert "me" not in {row["unit"] for row in rows(tmp_path)}


def give(client: httpx.Client, key: str = "sk-mine", **said: Any) -> httpx.Response:
    return client.post("/pith/v1/feedback", json=said, headers={"authorization": f"Bearer {key}"})


def test_feedback_counts_once_for_whoever_was_answered(tmp_path: Path) -> None:
    mine = {"authorization": "Bearer sk-mine"}
    with asked(tmp_path, Answering()) as client:
        ids = [say(client, chat(LONG + str(n)), "u", **mine).headers["x-pith-id"] for n in range(3)]
        answer = give(client, id=ids[0], score=1, reason="A secret.")
        assert (answer.status_code, answer.json()) == (202, {"id": ids[0], "is_taken": True})
        assert give(client, id=ids[1], score=0.5).status_code == 202
        assert give(client, id=ids[0], score=0).status_code == 202  # repeated: the first one counts
        for key, forged in (("sk-other", ids[2]), ("sk-mine", "pith-" + "0" * 32), ("sk-mine", "x" * 10_000)):
            refused = give(client, key, id=forged, score=0)
            assert (refused.status_code, refused.json()["error"]["code"]) == (404, "unknown_request")
        assert give(client, id=ids[0], score=7).status_code == 400
        until_unit(tmp_path, lambda unit: unit["feedback_n"] == 2)
    unit = one_unit(tmp_path)
    assert (unit["feedback_n"], unit["feedback_sum"], unit["requests"]) == (2, 1.5, 3)
    assert b"A secret." not in b"".join(file.read_bytes() for file in tmp_path.glob("ledger.db*"))


def test_reasons_are_kept_where_the_configuration_says_so(tmp_path: Path) -> None:
    with asked(tmp_path, Answering(), feedback_reasons=True) as client:
        name = client.post("/v1/chat/completions", json=chat(LONG)).headers["x-pith-id"]
        assert client.post("/pith/v1/feedback", json={"id": name, "score": 1, "reason": "good"}).is_success
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        assert connection.execute("select id, score, reason from feedback").fetchall() == [
            (name, 1.0, "good")
        ]


def until_unit(folder: Path, holds: Callable[[Json], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not any(holds(unit) for unit in units(folder).values()):
        assert time.monotonic() < deadline


@pytest.mark.parametrize("unit", ["conversation", "user"])
def test_neither_units_nor_users_nor_questions_rest_anywhere(tmp_path: Path, unit: str) -> None:
    with asked(tmp_path, Answering(), policies=policy(unit=unit)) as client:
        for _ in range(2):
            say(client, chat(LONG + "What does canary-question mean?", user="canary-user"), "canary-unit")
            say(client, chat(LONG + "What does canary-question mean?", user="canary-user"))
        until_unit(tmp_path, lambda unit: unit["retries"] == 1)
    rest = b"".join(file.read_bytes() for file in tmp_path.glob("ledger.db*") if file.is_file())
    assert b"experiment_units" in rest
    assert b"canary" not in rest
