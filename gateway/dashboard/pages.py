"""The routes of the pages. They show what is on record and change nothing; an error is a page as well."""

from __future__ import annotations

import asyncio
import time
from functools import cache
from importlib.resources import files
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from gateway.admin.console import Console
from gateway.dashboard.one_request import one_request
from gateway.dashboard.view import NAMES, PERIODS, read_address, view
from gateway.errors import ConfigError
from gateway.refusal import Refusal
from policies.validate import shown

ASSETS: Final = {
    "pith.css": "text/css",
    "icon.svg": "image/svg+xml",
}
"""What the pages load, all of it from here."""


def routes() -> list[Route]:
    """The route table."""
    return [
        Route("/", dashboard, methods=["GET"]),
        Route("/requests", look_up, methods=["GET"]),
        Route("/requests/{id}", request_page, methods=["GET"]),
        Route("/assets/{name}", asset, methods=["GET"]),
    ]


async def dashboard(request: Request) -> Response:
    """Sums, charts and lists of a time and a group."""
    console = _console(request)
    try:
        address = read_address(request.query_params)
        selection = address.selection(time.time())
    except ValueError as error:
        return await _said_why(400, "This address asks for something that is not there", str(error))
    try:
        overview = await console.services.ledger.overview(address.by, selection)
    except ConfigError as error:
        return await _ledger_down(error)
    degraded = console.services.degraded()
    context = {"view": view(address, overview), "periods": PERIODS, "names": NAMES, "degraded": degraded}
    return await _page("dashboard.html", {**context, "mode": console.services.kill_mode})


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
        return await _ledger_down(error)
    if row is None:
        message = f"the ledger has no request {shown(request_id)}; a row is written about 0.2 s after its end"
        return await _said_why(404, "No such request", message)
    return await _page("request.html", {"request": one_request(row)})


async def asset(request: Request) -> Response:
    """A file of ours."""
    name = request.path_params["name"]
    if name not in ASSETS:
        raise Refusal(404, code="not_found", message=f"there is no asset {shown(name)}")
    return Response(_asset(name), media_type=ASSETS[name])


@cache
def _asset(name: str) -> bytes:
    return (files("gateway.dashboard") / "static" / name).read_bytes()


def _console(request: Request) -> Console:
    console: Console = request.app.state.console
    return console


async def _ledger_down(error: ConfigError) -> Response:
    return await _said_why(503, "The ledger cannot be read", f"{error}. Requests pass all the same.")


async def _said_why(status: int, title: str, message: str) -> Response:
    return await _page("error.html", {"title": title, "message": message}, status)


async def _page(name: str, context: dict[str, object], status: int = 200) -> Response:
    from gateway.dashboard.rendering import render

    html = await asyncio.to_thread(render, name, context)  # some milliseconds
    return Response(html, status, media_type="text/html")
