"""The admin listener's experiments: as JSON, as a page, and the one thing a person may do, a reset.

A verdict over many units takes seconds. The page does not wait that long: it says that the figures are being
worked out, while they are, for whoever looks next.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final
from urllib.parse import parse_qs

import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from gateway.client import read_body
from gateway.dashboard import experiments as view
from gateway.dashboard.pages import html_page, ledger_down, said_why
from gateway.errors import ConfigError
from gateway.experiments.desk import Desk
from gateway.experiments.known import Census, as_json, one_as_json
from gateway.refusal import Refusal
from policies.validate import shown

PAGE_PATIENCE_S: Final = 2.0
MAX_FORM_BYTES: Final = 64 * 1024
SAMPLE: Final = """\
policies:
  - name: rag
    match: {path: /v1/chat/completions}
    experiment:
      salt: rag-2026-11
      variants:
        - {name: control, weight: 50, mode: "off"}
        - {name: half, weight: 50, params: {rate: 0.5}}"""


def routes() -> list[Route]:
    """The experiments' part of the route table."""
    return [
        Route("/v1/experiments", every, methods=["GET"]),
        Route("/v1/experiments/{name}", one, methods=["GET"]),
        Route("/v1/experiments/{name}/reset", reset, methods=["POST"]),
        Route("/experiments", page, methods=["GET"]),
        Route("/experiments/reset", reset_from_page, methods=["POST"]),
    ]


async def every(request: Request) -> Response:
    """All experiments with every figure."""
    return _json(as_json(await _census(request)))


async def one(request: Request) -> Response:
    """One experiment, by its policy's name."""
    return _json(await _one(request, request.path_params["name"]))


async def reset(request: Request) -> Response:
    """All arms of a rolled back experiment run again."""
    name = request.path_params["name"]
    await _reset(request, name)
    return _json(await _one(request, name))


async def page(request: Request) -> Response:
    """For people."""
    waiting = asyncio.ensure_future(_desk(request).census())
    done, _ = await asyncio.wait([waiting], timeout=request.app.state.page_patience_s)
    if not done:
        waiting.cancel()
        return await html_page("experiments_wait.html", {})
    try:
        census = await waiting
    except ConfigError as error:
        return await ledger_down(error)
    listed = view.page(census)
    n_more = len(census.experiments) - len(listed)
    return await html_page("experiments.html", {"experiments": listed, "n_more": n_more, "sample": SAMPLE})


async def reset_from_page(request: Request) -> Response:
    """From the page's form: done, and back to the page."""
    raw = await read_body(request.receive, MAX_FORM_BYTES)
    given = parse_qs(raw.decode("utf-8", "replace"), max_num_fields=8) if isinstance(raw, bytes) else {}
    names = given.get("name", [])
    try:
        if len(names) != 1:
            raise Refusal(400, code="invalid_request", message="name: send the experiment's, once")
        await _reset(request, names[0])
    except Refusal as refusal:
        return await said_why(refusal.status, "Nothing was reset", refusal.message)
    return RedirectResponse("/experiments", 303)


async def _one(request: Request, name: str) -> dict[str, Any]:
    census = await _census(request)
    known = census.named(name)
    if known is None:
        raise unknown(name, census)
    return {"read_at": census.read_at, **one_as_json(known)}


def unknown(name: str, census: Census) -> Refusal:
    """There is none of that name; these there are."""
    names = [known.name[:64] for known in census.experiments]
    there_are = ", ".join(list(dict.fromkeys(names))[:20]) or "none: give a policy one"
    return Refusal(404, code="not_found", message=f"no experiment {shown(name)}; there are {there_are}")


async def _census(request: Request) -> Census:
    try:
        return await _desk(request).census()
    except ConfigError as error:
        raise _unavailable(error) from error


async def _reset(request: Request, name: str) -> None:
    try:
        await _desk(request).reset(name)
    except ConfigError as error:
        raise _unavailable(error) from error


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


def _unavailable(error: ConfigError) -> Refusal:
    return Refusal(503, code="ledger_unavailable", message=str(error))


def _json(said: dict[str, Any]) -> Response:
    return Response(orjson.dumps(said), media_type="application/json")
