"""The routes of the pages. They show what is on record, or would be done, and change nothing."""

from __future__ import annotations

import asyncio
import json
import time
from functools import cache
from importlib.resources import files
from typing import Final
from urllib.parse import quote

import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from gateway.admin.console import Console
from gateway.client import ClientWatch, read_body
from gateway.dashboard.one_request import one_request
from gateway.dashboard.scorers import choices
from gateway.dashboard.trial import MAX_CHARACTERS, read_trial
from gateway.dashboard.view import NAMES, PERIODS, read_address, view
from gateway.errors import ConfigError
from gateway.refusal import Refusal
from policies.schema import Policy
from policies.validate import shown

ASSETS: Final = {
    "pith.css": ("gateway.dashboard", "static/pith.css", "text/css"),
    "playground.js": ("gateway.dashboard", "static/playground.js", "text/javascript"),
    "icon.svg": ("gateway.dashboard", "static/icon.svg", "image/svg+xml"),
    "sample.txt": ("gateway.demo", "meeting.txt", "text/plain"),
}
"""What the pages load, all of it from here: name, to package, file and content type."""

MAX_BODY_BYTES: Final = 8 * MAX_CHARACTERS
"""A character takes up to six bytes in JSON, twice that in pairs."""


def routes() -> list[Route]:
    """The route table."""
    return [
        Route("/", dashboard, methods=["GET"]),
        Route("/requests", look_up, methods=["GET"]),
        Route("/requests/{id}", request_page, methods=["GET"]),
        Route("/playground", playground, methods=["GET"]),
        Route("/v1/explain", explain, methods=["POST"]),
        Route("/assets/{name}", asset, methods=["GET"]),
    ]


async def dashboard(request: Request) -> Response:
    """Sums, charts and lists of a time and a group."""
    console = _console(request)
    try:
        address = read_address(request.query_params)
        selection = address.selection(time.time())
    except ValueError as error:
        return await said_why(400, "This address asks for something that is not there", str(error))
    try:
        overview = await console.services.ledger.overview(address.by, selection)
    except ConfigError as error:
        return await ledger_down(error)
    degraded = console.services.degraded()
    context = {"view": view(address, overview), "periods": PERIODS, "names": NAMES, "degraded": degraded}
    return await html_page("dashboard.html", {**context, "mode": console.services.kill_mode})


async def look_up(request: Request) -> Response:
    """From the form: to the page of one request."""
    request_id = request.query_params.get("id", "").strip()
    if not request_id:
        return RedirectResponse("/", 303)
    return RedirectResponse(f"/requests/{quote(request_id, safe='')}", 303)


async def request_page(request: Request) -> Response:
    """One row of the ledger."""
    request_id = request.path_params["id"]
    try:
        row = await _console(request).services.ledger.find(request_id)
    except ConfigError as error:
        return await ledger_down(error)
    if row is None:
        message = f"the ledger has no request {shown(request_id)}; a row is written about 0.2 s after its end"
        return await said_why(404, "No such request", message)
    return await html_page("request.html", {"request": one_request(row)})


async def playground(request: Request) -> Response:
    """The page; its script asks `explain`."""
    services = _console(request).services
    context = {
        "policies": [_choice(policy) for policy in services.policies.current.policies],
        "scorers": choices(services.config.compressor),
        "scorer": services.engine.fingerprint,
        "max_characters": MAX_CHARACTERS,
    }
    return await html_page("playground.html", context)


async def explain(request: Request) -> Response:
    """What becomes of every word of a text or a request under a policy; changes nothing, keeps no text."""
    services, explainer = _console(request).services, request.app.state.explainer
    raw = await read_body(request.receive, MAX_BODY_BYTES)
    if not isinstance(raw, bytes):
        raise Refusal(400, code="invalid_request", message=f"body is longer than {MAX_BODY_BYTES} bytes")
    try:
        body = await services.offload(len(raw), json.loads, raw)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, code="invalid_request", message="body is not JSON") from error
    scorers = choices(services.config.compressor)
    trial = await services.offload(len(raw), read_trial, body, services.policies.current.policies, scorers)
    async with ClientWatch(request.receive, b""):
        answer = await explainer.answer(trial)
        return Response(await services.offload(len(raw), orjson.dumps, answer), media_type="application/json")


async def asset(request: Request) -> Response:
    """A file of ours."""
    name = request.path_params["name"]
    if name not in ASSETS:
        raise Refusal(404, code="not_found", message=f"there is no asset {shown(name)}")
    package, file, media_type = ASSETS[name]
    return Response(_read(package, file), media_type=media_type)


@cache
def _read(package: str, file: str) -> bytes:
    return (files(package) / file).read_bytes()


def _choice(policy: Policy) -> dict[str, str]:
    """Where the slider stands for a policy; empty: where it usually does."""
    params = policy.params
    rate = params.rate if isinstance(params.rate, float | int) else ""
    threshold = "" if params.threshold is None else params.threshold
    return {"name": policy.name, "rate": str(rate), "threshold": str(threshold)}


def _console(request: Request) -> Console:
    console: Console = request.app.state.console
    return console


async def ledger_down(error: ConfigError) -> Response:
    """The page in place of one that wants the ledger."""
    return await said_why(503, "The ledger cannot be read", f"{error}. Requests pass all the same.")


async def said_why(status: int, title: str, message: str) -> Response:
    """A page that says why there is no other."""
    return await html_page("error.html", {"title": title, "message": message}, status)


async def html_page(name: str, context: dict[str, object], status: int = 200) -> Response:
    """A template, filled in."""
    from gateway.dashboard.rendering import render

    html = await asyncio.to_thread(render, name, context)  # some milliseconds
    return Response(html, status, media_type="text/html")
