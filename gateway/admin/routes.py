"""The admin listener's routes: every one passes the guard, every answer carries the same header fields."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final, cast, get_args

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.admin import experiments
from gateway.admin.console import Console
from gateway.admin.exposition import render
from gateway.admin.guard import Guard
from gateway.api import readiness
from gateway.client import read_body
from gateway.dashboard import pages
from gateway.dashboard.explaining import Explainer
from gateway.errors import ConfigError
from gateway.experiments.census import LedgerDesk
from gateway.experiments.desk import Desk
from gateway.experiments.gauges import snapshot
from gateway.handlers import exception_handlers
from gateway.ledger.experiments import open_experiments
from gateway.ledger.report import GROUPS
from gateway.refusal import Refusal, refuse
from gateway.savings import parse_since, savings
from gateway.services import Services
from gateway.types import RawHeaders
from policies.schema import Mode, Policy
from policies.validate import shown

MAX_BODY_BYTES: Final = 64 * 1024

SAFE_HEADERS: Final[RawHeaders] = [
    (b"cache-control", b"no-store"),
    (
        b"content-security-policy",
        b"default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"same-origin"),  # with none a form of ours would say that it comes from nowhere
    (b"x-content-type-options", b"nosniff"),
]
"""On every answer. What other sites' pages may do with it: nothing."""

CHALLENGE: Final[RawHeaders] = [(b"www-authenticate", b'Basic realm="Pith", charset="UTF-8"')]
"""Has a browser ask for the token."""


def routes() -> list[Route]:
    """The route table."""
    return [
        Route("/metrics", metrics, methods=["GET"]),
        Route("/healthz", healthz, methods=["GET"]),
        Route("/readyz", readyz, methods=["GET"]),
        Route("/v1/policies", policies, methods=["GET"]),
        Route("/v1/mode", mode, methods=["GET"]),
        Route("/v1/mode", set_mode, methods=["PUT"]),
        Route("/v1/savings", saved, methods=["GET"]),
        Route("/v1/requests/{id}", one_request, methods=["GET"]),
        *experiments.routes(),
        *pages.routes(),
    ]


def create_app(console: Console, guard: Guard, desk: Desk | None = None) -> ASGIApp:
    """The application of the admin listener. `desk` takes the place of the ledger's."""
    inner = Starlette(routes=routes(), exception_handlers=exception_handlers("the admin listener"))
    inner.router.redirect_slashes = False
    inner.state.console = console
    inner.state.explainer = Explainer(console.services)
    inner.state.desk = desk or _desk(console.services)
    inner.state.page_patience_s = experiments.PAGE_PATIENCE_S

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        refusal = guard.refuse(scope["method"], scope["path"], scope["headers"])
        if refusal is not None:
            await refuse(_with_safe_headers(send), refusal, CHALLENGE if refusal.status == 401 else [])
        else:
            await inner(scope, receive, _with_safe_headers(send))

    return guarded


async def metrics(request: Request) -> Response:
    """The counts of all workers, and how experiments stand."""
    desk: Desk = request.app.state.desk
    total = (await _console(request).total()).plus(snapshot(desk.latest()))
    accept = request.headers.get("accept", "")
    page, content_type = await asyncio.to_thread(render, total, accept)  # some milliseconds
    return Response(page, media_type=content_type)


async def healthz(request: Request) -> Response:
    """200 as long as the process answers."""
    return JSONResponse({"status": "ok"})


async def readyz(request: Request) -> Response:
    """As /pith/readyz, of the worker that answers."""
    console = _console(request)
    if console.draining.is_on:
        return JSONResponse({"status": "draining"}, 503)
    return JSONResponse(readiness(console.services))


async def policies(request: Request) -> Response:
    """What is in force, and why a newer version is not."""
    source = _console(request).services.policies
    said = [_policy(policy) for policy in source.current.policies]
    return JSONResponse({"source": source.current.source, "problem": source.problem, "policies": said})


async def mode(request: Request) -> Response:
    """The mode in force, and what it comes from."""
    return JSONResponse(_modes(_console(request)))


async def set_mode(request: Request) -> Response:
    """No more than this mode, for all workers, until it is set anew or Pith starts anew."""
    console, asked = _console(request), await _read_mode(request)
    try:
        await console.restrict(asked)
    except OSError as error:
        raise Refusal(
            500,
            code="mode_not_shared",
            message=f"set in one worker only ({error.strerror}): set mode in the configuration",
        ) from error
    return JSONResponse(_modes(console))


async def saved(request: Request) -> Response:
    """The report: what was sent, saved and paid."""
    ledger, query = _console(request).services.ledger, request.query_params
    group_by, since = query.get("group_by", "policy"), None
    if group_by not in GROUPS:
        raise Refusal(
            400, code="invalid_request", message=f"group_by {shown(group_by)}: use one of {', '.join(GROUPS)}"
        )
    try:
        since = parse_since(query["since"], time.time()) if "since" in query else None
    except ValueError as error:
        raise Refusal(400, code="invalid_request", message=f"since: {error}") from error
    try:
        rows = await ledger.report(group_by=group_by, since=since)
        unpriced = await ledger.unpriced(since=since)
    except ConfigError as error:
        raise _ledger_down(error) from error
    return JSONResponse(savings(rows, unpriced, group_by, since))


async def one_request(request: Request) -> Response:
    """One row of the ledger: counts, ids and names, never text."""
    request_id = request.path_params["id"]
    try:
        row = await _console(request).services.ledger.find(request_id)
    except ConfigError as error:
        raise _ledger_down(error) from error
    if row is None:
        raise Refusal(
            404, code="not_found", message=f"the ledger has no request {shown(request_id)}, or not yet"
        )
    return JSONResponse(row)


def _desk(services: Services) -> Desk:
    return LedgerDesk(open_experiments(services.config.ledger), lambda: services.policies.current)


def _console(request: Request) -> Console:
    console: Console = request.app.state.console
    return console


def _policy(policy: Policy) -> dict[str, Any]:
    said: dict[str, Any] = policy.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {"name": policy.name, "version": policy.version, **said}


def _modes(console: Console) -> dict[str, Mode]:
    switch = console.services.switch
    return {"mode": switch.mode, "configured": switch.configured, "limit": switch.limit}


async def _read_mode(request: Request) -> Mode:
    raw = await read_body(request.receive, MAX_BODY_BYTES)
    try:
        asked = orjson.loads(raw) if isinstance(raw, bytes) else None
    except orjson.JSONDecodeError:
        asked = None
    found = asked.get("mode") if isinstance(asked, dict) and set(asked) == {"mode"} else None
    for known in get_args(Mode):
        if known == found:
            return cast(Mode, known)
    raise Refusal(400, code="invalid_request", message='body: send {"mode": "on"}, "shadow" or "off"')


def _ledger_down(error: ConfigError) -> Refusal:
    return Refusal(503, code="ledger_unavailable", message=str(error))


def _with_safe_headers(send: Send) -> Send:
    async def safe(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *SAFE_HEADERS]}
        await send(message)

    return safe
