"""gateway.admin.routes: every route behind the guard and with the same fields, and what each one says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import pytest
from pydantic import SecretStr

from gateway.admin.console import Console
from gateway.admin.guard import OPEN_PATHS, Guard
from gateway.admin.routes import MAX_BODY_BYTES, SAFE_HEADERS, create_app, routes
from gateway.draining import Draining
from gateway.fleet import Alone, Fleet, SharedFolder
from gateway.ledger.store import LedgerSettings, SqlLedger
from gateway.types import Entry, Usage
from tests.gateway.pipeline import pipeline, policy_set

TOKEN = "0123456789abcdef"
HERE = "http://127.0.0.1:8081"
ENTRY = Entry(
    id="pith-1",
    created_at=1_000_000.0,
    path="/v1/chat/completions",
    status=200,
    policy="rag",
    model="gpt-4o",
    mode="on",
    origin_tokens=1000,
    compressed_tokens=600,
    usage=Usage(600, 20),
    cost_usd=0.5,
    saved_usd=-0.25,
    timing_ms={"total": 3.5},
)
POLICY = {"name": "rag", "match": {"model": "gpt-*"}, "params": {"rate": 0.5}}


@asynccontextmanager
async def console(folder: Path, fleet: Fleet | None = None) -> AsyncIterator[Console]:
    """A console over real parts and a ledger with one row."""
    ledger = SqlLedger(f"sqlite:///{folder / 'pith.db'}", LedgerSettings(flush_s=0.0))
    ledger.start()
    ledger.record(ENTRY)
    parts = pipeline(policy_set(POLICY)).services
    try:
        yield Console(replace(parts, ledger=ledger), fleet or Alone(), Draining())
    finally:
        await ledger.aclose()


def asking(shown: Console, token: str | None = None) -> httpx.AsyncClient:
    app = create_app(shown, Guard(SecretStr(token) if token else None, "127.0.0.1"))
    # A fault is answered like anything else; that it is raised as well is for the server's log.
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url=HERE)


Opened: TypeAlias = Callable[..., AbstractAsyncContextManager[tuple[Console, httpx.AsyncClient]]]


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    @asynccontextmanager
    async def opened(
        fleet: Fleet | None = None, token: str | None = None
    ) -> AsyncIterator[tuple[Console, httpx.AsyncClient]]:
        async with console(tmp_path, fleet) as shown, asking(shown, token) as client:
            yield shown, client

    return opened


ROUTES = [
    (method, route.path.replace("{id}", "pith-1"))
    for route in routes()
    for method in sorted(route.methods or ())
]


@pytest.mark.parametrize(
    ("method", "path"), [*ROUTES, ("GET", "/unknown"), ("DELETE", "/metrics"), ("POST", "/x")]
)
async def test_every_route_has_the_guard_and_the_fields(method: str, path: str, opened: Opened) -> None:
    async with opened(token=TOKEN) as (_, client):
        bare = await client.request(method, path)
        if path in OPEN_PATHS:
            assert bare.status_code == 200
        else:
            assert bare.status_code == 401
            if method != "HEAD":
                assert bare.json()["error"]["code"] == "invalid_admin_token"
                assert bare.headers["www-authenticate"].startswith("Basic ")
        wrong = await client.request(method, path, headers={"authorization": f"Bearer {TOKEN}x"})
        assert (wrong.status_code == 200) == (path in OPEN_PATHS)
        let_in = await client.request(method, path, headers={"authorization": f"Bearer {TOKEN}"})
        assert let_in.status_code not in (401, 403)
        for answer in (bare, wrong, let_in):
            for name, value in SAFE_HEADERS:
                assert answer.headers.get_list(name.decode()) == [value.decode()]
            assert "set-cookie" not in answer.headers


def test_the_routes_are_walked() -> None:
    assert ("PUT", "/v1/mode") in ROUTES
    assert [(method, path) for method, path in ROUTES if method not in ("GET", "HEAD")] == [
        ("PUT", "/v1/mode"),
        ("POST", "/v1/experiments/{name}/reset"),
        ("POST", "/experiments/reset"),  # the same, from the page's form
        ("POST", "/v1/explain"),  # changes nothing; its question is a text
    ], "read-only but for the named actions"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/unknown", 404, "not_found"),
        ("GET", "/assets/unknown", 404, "not_found"),
        ("GET", "/metrics/", 404, "not_found"),
        ("DELETE", "/v1/mode", 405, "method_not_allowed"),
        ("GET", "/v1/requests/pith-2", 404, "not_found"),
        ("GET", "/v1/savings?group_by=path", 400, "invalid_request"),
        ("GET", "/v1/savings?since=soon", 400, "invalid_request"),
    ],
)
async def test_errors_have_our_shape(method: str, path: str, status: int, code: str, opened: Opened) -> None:
    async with opened() as (_, client):
        answer = await client.request(method, path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


async def test_health_and_readiness(opened: Opened) -> None:
    async with opened() as (shown, client):
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        ready = (await client.get("/readyz")).json()
        assert (ready["status"], ready["mode"]) == ("ready", "on")
        shown.draining.is_on = True
        stopping = await client.get("/readyz")
        assert (stopping.status_code, stopping.json()) == (503, {"status": "draining"})


async def test_policies_are_those_in_force(opened: Opened) -> None:
    async with opened() as (shown, client):
        said = (await client.get("/v1/policies")).json()
        assert (said["source"], said["problem"]) == ("test", None)
        [policy] = said["policies"]
        [in_force] = shown.services.policies.current.policies
        assert policy["version"] == in_force.version
        assert (policy["name"], policy["match"]["model"], policy["params"]["rate"]) == ("rag", "gpt-*", 0.5)


async def test_the_mode_is_set_for_all_and_only_ever_weakened(tmp_path: Path, opened: Opened) -> None:
    folder = tmp_path / "fleet"
    folder.mkdir()
    other = SharedFolder(folder, 1)
    async with opened(SharedFolder(folder, 0)) as (shown, client):
        before = {"mode": "on", "configured": "on", "limit": "on"}
        assert (await client.get("/v1/mode")).json() == before
        answer = await client.put("/v1/mode", json={"mode": "off"})
        assert answer.json() == {"mode": "off", "configured": "on", "limit": "off"}
        assert shown.services.kill_mode == "off"
        assert other.exchange(shown.services.metrics.snapshot()) == "off"
        await shown.exchange()
        assert shown.services.kill_mode == "off"
        assert (await client.put("/v1/mode", json={"mode": "on"})).json() == before


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"off",
        b'"off"',
        b"[]",
        b"{}",
        b'{"mode": "of"}',
        b'{"mode": ["off"]}',
        b'{"mode": "off", "x": 1}',
        b'{"mode": "off"}' + b" " * MAX_BODY_BYTES,
    ],
)
async def test_a_mode_that_is_none_changes_nothing(body: bytes, opened: Opened) -> None:
    async with opened() as (shown, client):
        answer = await client.put("/v1/mode", content=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")
        assert shown.services.kill_mode == "on"


async def test_a_mode_that_the_others_cannot_hear_of_holds_here_and_is_said(
    tmp_path: Path, opened: Opened
) -> None:
    async with opened(SharedFolder(tmp_path / "gone", 0)) as (shown, client):
        answer = await client.put("/v1/mode", json={"mode": "off"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (500, "mode_not_shared")
        assert shown.services.kill_mode == "off"


async def written(client: httpx.AsyncClient, path: str) -> Any:
    """The answer once the ledger has its row."""
    while (answer := await client.get(path)).status_code == 404 or not answer.json().get("rows", True):
        pass
    return answer.json()


async def test_savings_are_the_report(opened: Opened) -> None:
    async with opened() as (_, client):
        said = await written(client, "/v1/savings?group_by=model")
        assert said["by"] == "model"
        assert [(row["group"], row["saved_tokens"]) for row in said["rows"]] == [("gpt-4o", 400)]
        assert said["total"]["saved_usd"] == -0.25
        recent = (await client.get("/v1/savings", params={"since": "7d"})).json()
        assert (recent["by"], recent["rows"]) == ("policy", [])


async def test_one_request_is_its_row(opened: Opened) -> None:
    async with opened() as (_, client):
        row = await written(client, "/v1/requests/pith-1")
        assert (row["id"], row["policy"], row["saved_usd"]) == ("pith-1", "rag", -0.25)
        assert row["timing_ms"] == {"total": 3.5}


async def test_a_ledger_that_cannot_be_read_is_said(tmp_path: Path, opened: Opened) -> None:
    async with opened() as (shown, client):
        await written(client, "/v1/requests/pith-1")
        await shown.services.ledger.aclose()
        (tmp_path / "pith.db").unlink()
        for path in ("/v1/savings", "/v1/requests/pith-1"):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "ledger_unavailable")


async def test_metrics_are_of_all_workers(tmp_path: Path, opened: Opened) -> None:
    folder = tmp_path / "fleet"
    folder.mkdir()
    async with opened(SharedFolder(folder, 0)) as (shown, client):
        shown.services.metrics.count(ENTRY, "openai", "chat")
        SharedFolder(folder, 1).exchange(shown.services.metrics.snapshot())
        page = (await client.get("/metrics")).text
        lines = [line for line in page.splitlines() if line.startswith("pith_requests_total{")]
        assert [line.rpartition(" ")[2] for line in lines] == ["2.0"]
        assert 'pith_degraded{part="ledger"} 0.0' in page
        assert 'pith_mode{mode="on"} 1.0' in page


async def test_a_fault_of_ours_tells_nothing(tmp_path: Path, opened: Opened) -> None:
    async with opened() as (shown, _), asking(replace(shown, fleet=Broken())) as client:
        answer = await client.get("/metrics")
        assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
        assert "canary" not in answer.text


class Broken(Alone):
    """A fleet that fails in an unforeseen way."""

    def total(self) -> Any:
        raise RuntimeError("canary")
