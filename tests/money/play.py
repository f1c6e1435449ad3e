"""Plays traces through the real gateway on loopback, and past it, against the simulated providers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from compressor import Scorer
from gateway.app import create_app
from gateway.config import load as load_config
from tests.e2e.conftest import serving
from tests.e2e.whole_gateway import configuration, rows
from tests.money.anthropic import messages_body
from tests.money.provider import WORLDS, Bill, Provider, World, usage
from tests.money.rivals import Naive, rewritten
from tests.money.traces import Trace

Json = dict[str, Any]

CONVERSATION, TURN, NOW, ANSWER = (f"x-sim-{name}" for name in ("conversation", "turn", "now", "answer"))
RUNS = ("whole", "naive", "pith")
PATIENCE_S = 120.0


@dataclass
class Outcome:
    """What one conversation came to in each run, and what the ledger says of it."""

    trace: Trace
    world: World
    bills: dict[str, Bill]
    told_usd: float = 0.0
    """The net saving by the gateway's ledger."""
    rows: list[Json] = field(default_factory=list)

    def saved(self, run: str) -> float:
        """Net, as a share of the bill of the uncompressed conversation; may be negative."""
        return 1 - self.bills[run].usd / self.bills["whole"].usd

    def read(self, run: str) -> float:
        """The share of the prompt that was read from the provider's cache."""
        return self.bills[run].read / self.bills[run].prompt

    def apart(self, run: str) -> float:
        """Points by which that share is another than in the uncompressed run."""
        return 100 * abs(self.read(run) - self.read("whole"))


class Upstream:
    """All providers behind one address. Each run of a conversation has a provider of its own."""

    def __init__(self) -> None:
        self.bills: dict[str, Bill] = {}
        self._providers: dict[str, Provider] = {}

    def bill(self, world: World, body: Json, run: str, turn: int, now_s: float, answer: str) -> Bill:
        """One request of a run."""
        provider = self._providers.setdefault(run, Provider(world))
        conversation = run.partition("/")[2]  # the same accidents in every run
        bill = provider.bill(body, conversation, turn, now_s, answer)
        self.bills[run] = self.bills.get(run, Bill()) + bill
        return bill

    def app(self) -> Starlette:
        """The address."""
        paths = ("/v1/chat/completions", "/v1/messages")
        return Starlette(routes=[Route(path, self._answer, methods=["POST"]) for path in paths])

    async def _answer(self, request: Request) -> Response:
        body, said = await request.json(), request.headers
        world = next(world for world in WORLDS if world.model == body["model"])
        answer = json.loads(said[ANSWER])
        bill = self.bill(world, body, said[CONVERSATION], int(said[TURN]), float(said[NOW]), answer)
        told = {"id": "1", "model": world.model, "usage": usage(world, bill)}
        if world.is_marked:
            return JSONResponse({**told, "type": "message", "role": "assistant", "content": []})
        return JSONResponse({**told, "object": "chat.completion", "choices": []})


def play(
    traces: Sequence[Trace], folder: Path, scorer: Scorer, tell: Callable[[str], None] = lambda name: None
) -> list[Outcome]:
    """Every trace in every run; conversations go round the worlds."""
    upstream, loop = Upstream(), asyncio.new_event_loop()
    naive = Naive(scorer)
    outcomes = []
    with serving(upstream.app()) as port:
        url = f"http://127.0.0.1:{port}"
        policy = {"name": "default", "params": {"rate": 0.6, "min_tokens": 400}}
        file = configuration(folder, url, policies=[policy])
        with (
            serving(create_app(load_config(file, {}, {}), scorer)) as own,
            httpx.Client(base_url=f"http://127.0.0.1:{own}", timeout=PATIENCE_S) as client,
        ):
            for i, trace in enumerate(traces):
                tell(trace.name)
                world = WORLDS[(i + i // len(WORLDS)) % len(WORLDS)]
                _past(upstream, trace, world, "whole", lambda messages: list(messages))
                _past(upstream, trace, world, "naive", lambda messages: rewritten(naive, messages, loop))
                _through(client, trace, world)
                bills = {run: upstream.bills[f"{run}/{trace.name}"] for run in RUNS}
                outcomes.append(Outcome(trace, world, bills))
    loop.run_until_complete(naive.aclose())
    loop.close()
    return _with_rows(outcomes, rows(folder))


def _past(
    upstream: Upstream, trace: Trace, world: World, run: str, treat: Callable[[Sequence[Json]], list[Json]]
) -> None:
    messages: list[Json] = []
    now_s = 1e9
    for n, turn in enumerate(trace.turns):
        messages += turn.added
        now_s += turn.waits_s
        body = _body(world, treat(messages))
        upstream.bill(world, body, f"{run}/{trace.name}", n, now_s, _words(turn.answer))
        messages.append(turn.answer)


def _through(client: httpx.Client, trace: Trace, world: World) -> None:
    messages: list[Json] = []
    now_s = 1e9
    path = "/v1/messages" if world.is_marked else "/v1/chat/completions"
    for n, turn in enumerate(trace.turns):
        messages += turn.added
        now_s += turn.waits_s
        said = {
            CONVERSATION: f"pith/{trace.name}",
            TURN: str(n),
            NOW: str(now_s),
            ANSWER: json.dumps(_words(turn.answer)),
        }
        client.post(path, json=_body(world, messages), headers=said).raise_for_status()
        messages.append(turn.answer)


def _body(world: World, messages: Sequence[Json]) -> Json:
    if world.is_marked:
        return messages_body(world.model, messages)
    return {"model": world.model, "messages": list(messages)}


def _words(answer: Json) -> str:
    return answer["content"] or json.dumps(answer["tool_calls"])


def _with_rows(outcomes: list[Outcome], ledger: list[Json]) -> list[Outcome]:
    """The ledger's rows, which are in the order of the turns."""
    at = 0
    for outcome in outcomes:
        outcome.rows = ledger[at : at + len(outcome.trace.turns)]
        outcome.told_usd = sum(row["saved_usd"] or 0.0 for row in outcome.rows)
        at += len(outcome.trace.turns)
    assert at == len(ledger), "one row a request"
    return outcomes
