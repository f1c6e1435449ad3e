"""An experiment's units, as they are recorded: simulated users talk over HTTP through the whole gateway.

What an upstream answers, and whether it fails, depends on the user's own draw alone, which travels in a
header: so arms that are treated alike differ by chance alone.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import httpx
import numpy as np
from sqlalchemy import select
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.ledger.experiment_tables import units
from gateway.ledger.opening import open_database
from policies.outcomes import COLUMNS, Outcomes
from tests.e2e.conftest import serving
from tests.e2e.whole_gateway import PARAMS, gateway

ARMS = ("control", "half")
WORDS = "the committee of city decided on long agenda day and it was fine with a river bank because"
IN_FLIGHT = 16


def same_arms(**fields: Any) -> dict[str, Any]:
    """A policy with an experiment whose arms are one and the same treatment."""
    variants = [{"name": name, "weight": 1, "params": {"rate": 0.5}} for name in ARMS]
    experiment = {"salt": "same", "variants": variants, "control": "control", **fields}
    return {"name": "rag", "benefit": "off", "params": PARAMS, "experiment": experiment}


@dataclass(frozen=True)
class Recorded:
    """What the ledger holds in the end, in the order in which units began."""

    units: Sequence[str]
    outcomes: Outcomes


def record(folder: Path, n_units: int, policy: Mapping[str, Any] | None = None, seed: int = 0) -> Recorded:
    """Users talk; each is a conversation of some turns."""
    with (
        serving(Starlette(routes=[Route("/v1/chat/completions", _answer, methods=["POST"])])) as upstream,
        gateway(folder, f"http://127.0.0.1:{upstream}", policies=[policy or same_arms()]) as port,
    ):
        asyncio.run(_talk(f"http://127.0.0.1:{port}", n_units, seed))
    return read(f"sqlite:///{folder / 'ledger.db'}")


def read(url: str) -> Recorded:
    """Every unit, the first one first."""
    query = select(units).order_by(units.c.first_at, units.c.unit)
    with open_database(url).open_reader() as connection:
        rows = connection.execute(query).mappings().all()
    columns = {name: np.array([row[name] for row in rows], dtype=float) for name in COLUMNS}
    arm = np.array([ARMS.index(row["arm"]) for row in rows], dtype=np.intp)
    times = [row["first_at"] for row in rows], [row["last_at"] for row in rows]
    return Recorded([row["unit"] for row in rows], Outcomes(ARMS, arm, columns, min(times[0]), max(times[1])))


async def _talk(url: str, n_units: int, seed: int) -> None:
    limits = httpx.Limits(max_connections=IN_FLIGHT)
    turns = asyncio.Semaphore(IN_FLIGHT)
    async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as client:

        async def one(number: int) -> None:
            async with turns:
                await _converse(client, number, seed)

        await asyncio.gather(*map(one, range(n_units)))


async def _converse(client: httpx.AsyncClient, number: int, seed: int) -> None:
    draw = Random(f"{seed} {number}")
    messages = [{"role": "user", "content": f"User {number} asks. {_text(draw)}"}]
    for turn in range(1 + (draw.random() < 0.5) + (draw.random() < 0.25)):
        headers = {"x-draw": f"{seed} {number} {turn}"}
        body = {"model": "gpt-4o-mini", "messages": messages}
        answer = await client.post("/v1/chat/completions", json=body, headers=headers)
        said = answer.json()["choices"][0]["message"] if answer.status_code == 200 else None
        messages += [said or {"role": "assistant", "content": "?"}, {"role": "user", "content": "And then?"}]


def _text(draw: Random) -> str:
    n_words = min(2_000, int(80 + draw.lognormvariate(4, 1)))
    return " ".join(draw.choices(WORDS.split(), k=n_words)) + "."


async def _answer(request: Request) -> Response:
    """Costs what was sent and what the user draws; every fortieth request fails."""
    draw = Random(request.headers["x-draw"])
    if draw.random() < 1 / 40:
        error = {"message": "try later", "type": "server_error", "param": None, "code": None}
        return JSONResponse({"error": error}, 500)
    asked = json.loads(await request.body())
    prompt = sum(len(message["content"].split()) for message in asked["messages"])
    n_out = int(5 + draw.lognormvariate(3, 1))
    message = {"role": "assistant", "content": " ".join(draw.choices(WORDS.split(), k=10))}
    finish = "length" if draw.random() < 0.02 else "stop"
    return JSONResponse(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "model": asked["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
            "usage": {
                "prompt_tokens": prompt,
                "completion_tokens": n_out,
                "total_tokens": prompt + n_out,
            },
        }
    )
