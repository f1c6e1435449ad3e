"""Experiments on real sockets: arms treated alike stay alike, and one that does harm is rolled back
everywhere.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from policies.outcomes import METRICS
from policies.schema import Experiment
from tests.e2e.conftest import serving
from tests.e2e.openai_upstream import completion
from tests.e2e.scripted_upstream import PATIENCE_S
from tests.e2e.whole_gateway import LONG, PARAMS, chat, gateway
from tests.experiment_replays import dealt, ever_misdealt, harmful, looks_at, told_apart
from tests.experiment_traffic import record, same_arms

USERS = 200
REPLAYS = 300


def test_arms_treated_alike_are_told_apart_at_most_as_often_as_planned(tmp_path: Path) -> None:
    """The units of one run, dealt anew by other salts and looked at often. A larger version with the figures
    is `python -m tests.bench_experiments`."""
    recorded = record(tmp_path, USERS, same_arms())
    made = recorded.outcomes
    assert len(recorded.units) == USERS
    assert made.columns["requests"].sum() > 1.5 * USERS
    assert made.columns["applied"].sum() > USERS
    assert made.columns["errors"].sum() > 0
    assert (made.columns["first_tokens"] > 50).all()
    design = Experiment.model_validate(same_arms(plan={"min_units": 50})["experiment"])
    treated = dealt(recorded.units, [f"salt {i}" for i in range(REPLAYS)])
    looks = looks_at(USERS, 100)
    for name in ("billed_cost", "output_tokens"):
        assert told_apart(made, METRICS[name], treated, design, looks).any(axis=1).mean() <= 0.05
    assert harmful(made, METRICS["errors"], treated, design, looks).any(axis=1).mean() <= 0.01
    assert ever_misdealt(treated, looks)[1].mean() <= 0.01


@dataclass
class Choosy:
    """An upstream that refuses what was cut."""

    bodies: list[Any] = field(default_factory=list)

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/v1/chat/completions", self._answer, methods=["POST"])])

    async def _answer(self, request: Request) -> Response:
        asked = await request.json()
        self.bodies.append(asked)
        if LONG not in asked["messages"][0]["content"]:
            return JSONResponse({"error": {"message": "what is this?"}}, 500)
        return JSONResponse(completion(asked["model"]))


@contextmanager
def replicas(folder: Path) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """Two gateways with one ledger, in front of it."""
    variants = [{"name": "control", "weight": 1, "mode": "off"}, {"name": "half", "weight": 1}]
    policy = {
        "name": "rag",
        "benefit": "off",
        "params": PARAMS,
        "experiment": {"salt": "s", "variants": variants},
    }
    with ExitStack() as stack:
        port = stack.enter_context(serving(Choosy().app()))
        clients = []
        for name in ("one", "other"):
            own = folder / name
            own.mkdir()
            ledger = f"sqlite:///{folder / 'ledger.db'}"
            ours = stack.enter_context(
                gateway(own, f"http://127.0.0.1:{port}", policies=[policy], ledger=ledger)
            )
            client = httpx.Client(base_url=f"http://127.0.0.1:{ours}", timeout=60)
            clients.append(stack.enter_context(client))
        yield clients[0], clients[1]


def ask(client: httpx.Client, unit: int) -> httpx.Response:
    body = chat(f"{LONG} {unit}")
    return client.post("/v1/chat/completions", json=body, headers={"x-pith-unit": f"unit {unit}"})


def test_an_arm_whose_requests_fail_is_rolled_back_on_every_replica(tmp_path: Path) -> None:
    with replicas(tmp_path) as (one, other):
        first = ask(other, 0)
        in_half = next(unit for unit in range(50) if ask(other, unit).headers["x-pith-variant"] == "half")
        assert ask(other, in_half).status_code == 500
        for unit in range(100, 200):
            if ask(one, unit).headers["x-pith-mode"] == "off" and ask(one, in_half).status_code == 200:
                break
        else:
            raise AssertionError("never rolled back")
        deadline = time.monotonic() + PATIENCE_S
        while (answer := ask(other, in_half)).status_code != 200:  # pinned there before
            assert time.monotonic() < deadline, "the other replica never obeyed"
        assert answer.headers["x-pith-variant"] == "half"
        assert answer.headers["x-pith-mode"] == "off"
        assert first.headers["x-pith-variant"] in ("control", "half")
        with sqlite3.connect(tmp_path / "ledger.db") as connection:
            [(state, arms, reason)] = connection.execute("select state, arms, reason from experiment_states")
    assert (state, arms) == ("rolled_back", '["half"]')
    assert reason.endswith("requests of 'half' failed, and control's did not.")
