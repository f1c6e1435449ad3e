"""gateway.admin.experiments: the JSON, the page and the reset, over a desk and over a ledger."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import httpx
from pydantic import SecretStr
from starlette.applications import Starlette

from gateway.admin import experiments
from gateway.admin.console import Console
from gateway.admin.guard import Guard
from gateway.admin.routes import create_app
from gateway.draining import Draining
from gateway.errors import ConfigError
from gateway.experiments.census import LedgerDesk
from gateway.experiments.desk import Desk
from gateway.experiments.known import Census
from gateway.experiments.records import ExperimentState
from gateway.fleet import Alone
from gateway.ledger.experiments import open_experiments
from tests.gateway.experiments.filled import filled, policies
from tests.gateway.experiments.known_ones import CENSUS, HTML, NOTHING, ODDITIES, FakeDesk
from tests.gateway.pipeline import pipeline, policy_set

HERE = "http://127.0.0.1:8081"
TOKEN = "0123456789abcdef"


@asynccontextmanager
async def asking(desk: Desk | None, token: str | None = None) -> AsyncIterator[httpx.AsyncClient]:
    console = Console(pipeline(policy_set({"name": "rag"})).services, Alone(), Draining())
    app = create_app(console, Guard(SecretStr(token) if token else None, "127.0.0.1"), desk)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=HERE) as client:
        yield client


class Attributes(HTMLParser):
    """Names of all tags and attributes, as a browser reads them."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.names |= {name for name, _ in attrs}


class Broken:
    """A desk over a ledger that is gone."""

    async def census(self) -> Census:
        raise ConfigError("ledger pith.db: no such file")

    def latest(self) -> Census | None:
        return None

    async def reset(self, name: str) -> None:
        raise ConfigError("ledger pith.db: no such file")


class Slow:
    """A desk that never comes to an end."""

    async def census(self) -> Census:
        await asyncio.Event().wait()
        raise AssertionError

    def latest(self) -> Census | None:
        return None

    async def reset(self, name: str) -> None:
        raise AssertionError


async def test_every_experiment_with_every_figure() -> None:
    async with asking(FakeDesk(CENSUS)) as client:
        said = (await client.get("/v1/experiments")).json()
    names = [one["name"] for one in said["experiments"]]
    assert names == ["rag", "agents", "support", "mail", "new", "rag"]
    rag = said["experiments"][0]
    assert rag["verdict"]["primary"][0]["relative"] == {"change": -0.296, "low": -0.35, "high": -0.241}
    assert rag["verdict"]["secondary"][1]["low"] is None, "minus infinity is no JSON"
    assert said["read_at"] == CENSUS.read_at


async def test_one_experiment_by_its_name() -> None:
    async with asking(FakeDesk(CENSUS)) as client:
        said = await client.get("/v1/experiments/support")
        assert (said.json()["standing"], said.json()["changes"][0]["arms"]) == ("rolled_back", ["harsh"])
        missing = await client.get("/v1/experiments/nope")
    assert missing.status_code == 404
    assert missing.json()["error"]["message"].startswith("no experiment 'nope'; there are rag, agents")
    async with asking(FakeDesk(NOTHING)) as client:
        empty = await client.get("/v1/experiments/rag")
    assert "there are none: give a policy one" in empty.json()["error"]["message"]


async def test_reset_by_the_api() -> None:
    desk = FakeDesk(CENSUS)
    async with asking(desk) as client:
        done = await client.post("/v1/experiments/support/reset")
        assert (done.status_code, done.json()["standing"]) == (200, "running")
        again = await client.post("/v1/experiments/support/reset")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "nothing_to_reset")
    assert desk.was_reset == ["support"]


async def test_reset_by_the_pages_form() -> None:
    desk = FakeDesk(CENSUS)
    async with asking(desk) as client:
        done = await client.post("/experiments/reset", data={"name": "support"})
        assert (done.status_code, done.headers["location"]) == (303, "/experiments")
        again = await client.post("/experiments/reset", data={"name": "support"})
        assert again.status_code == 409
        assert "Nothing was reset" in again.text
        for content in ("", "name=a&name=b", "name=" + "x" * 70_000, b"\xff\xfe"):
            wrong = await client.post("/experiments/reset", content=content)
            assert wrong.status_code == 400
            assert "send the experiment&#39;s, once" in wrong.text
    assert desk.was_reset == ["support"]


async def test_no_other_sites_page_resets_and_nobody_without_the_token() -> None:
    desk = FakeDesk(CENSUS)
    async with asking(desk, TOKEN) as client:
        bare = await client.post("/v1/experiments/support/reset")
        assert bare.status_code == 401
        headers = {"authorization": f"Bearer {TOKEN}"}
        for path in ("/v1/experiments/support/reset", "/experiments/reset"):
            foreign = await client.post(
                path, headers={**headers, "origin": "https://evil.example"}, data={"name": "support"}
            )
            assert (foreign.status_code, foreign.json()["error"]["code"]) == (403, "origin_not_allowed")
        assert desk.was_reset == []
        own = await client.post(
            "/experiments/reset", headers={**headers, "origin": HERE}, data={"name": "support"}
        )
    assert (own.status_code, desk.was_reset) == (303, ["support"])


async def test_a_ledger_that_is_gone_is_said() -> None:
    async with asking(Broken()) as client:
        for path in ("/v1/experiments", "/v1/experiments/rag"):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "ledger_unavailable")
        answer = await client.post("/v1/experiments/rag/reset")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "ledger_unavailable")
        page = await client.get("/experiments")
        assert page.status_code == 503
        assert "no such file. Requests pass all the same." in page.text
        form = await client.post("/experiments/reset", data={"name": "rag"})
    assert (form.status_code, "no such file" in form.text) == (503, True)


async def test_the_page_does_not_wait_for_figures_that_take_long() -> None:
    app = Starlette(routes=experiments.routes())
    app.state.desk, app.state.page_patience_s = Slow(), 0.0
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=HERE) as client:
        page = await client.get("/experiments")
    assert page.status_code == 200
    assert "The figures are being worked out" in page.text
    assert 'href="/experiments">Look again</a>' in page.text


async def test_the_page_has_the_figures_without_a_script() -> None:
    async with asking(FakeDesk(CENSUS)) as client:
        text = (await client.get("/experiments")).text
    for said in (
        "Keep running",
        "Ship half",
        "Roll back harsh",
        "Sample-ratio alarm",
        "12,000 of 18,000",
        "4.2 at today&#39;s traffic",
        "−35.0 to −24.1 %",
        "+7.00 to +11.00 pp",
        "breached",
        "No request has taken part yet",
        "900 units took part",
        'aria-current="page">Experiments',
    ):
        assert said in text, said
    assert "<script" not in text
    assert text.count("<form") == 1, "only what was rolled back can be reset"


async def test_without_experiments_the_page_says_how_to_have_one() -> None:
    async with asking(FakeDesk(NOTHING)) as client:
        text = (await client.get("/experiments")).text
    assert "No experiment yet" in text
    assert "salt: rag-2026-11" in text


async def test_whatever_is_on_record_is_text_and_the_page_stays_small() -> None:
    async with asking(FakeDesk(ODDITIES)) as client:
        text = (await client.get("/experiments")).text
        assert (await client.get("/v1/experiments")).status_code == 200
    assert HTML not in text
    assert "&lt;img src=x" in text
    seen = Attributes()
    seen.feed(text)
    assert not [name for name in seen.names if name == "style" or name.startswith("on")]
    assert not seen.tags & {"img", "script", "style"}
    assert len(text) < 100_000


async def test_from_the_ledger_to_the_page_and_back(tmp_path: Path) -> None:
    now = time.time()
    store = open_experiments(filled(tmp_path, now))
    version = policies().policies[0].version
    await store.set_state(ExperimentState("rag", version, "rolled_back", now, "retries rose", ("harsh",)))
    async with asking(LedgerDesk(store, policies)) as client:
        await client.get("/v1/experiments")  # which waits, however long it takes
        page = (await client.get("/experiments")).text
        assert "retries rose" in page
        assert "rolled back: harsh" in page
        assert "Ship half" in page
        await client.post("/experiments/reset", data={"name": "rag"})
        assert (await client.get("/v1/experiments/rag")).json()["standing"] == "running"


async def test_the_listeners_own_desk_asks_the_configured_ledger(tmp_path: Path) -> None:
    parts = pipeline(policy_set({"name": "rag"})).services
    config = parts.config.model_copy(update={"ledger": filled(tmp_path, time.time(), ())})
    console = Console(replace(parts, config=config), Alone(), Draining())
    transport = httpx.ASGITransport(create_app(console, Guard(None, "127.0.0.1")))
    async with httpx.AsyncClient(transport=transport, base_url=HERE) as client:
        assert (await client.get("/v1/experiments")).json()["experiments"] == []


async def test_prometheus_is_told_what_was_last_read(tmp_path: Path) -> None:
    desk = LedgerDesk(open_experiments(filled(tmp_path, time.time())), policies)
    async with asking(desk) as client:
        first = (await client.get("/metrics")).text
        assert "pith_experiment_units{" not in first, "a scrape waits for no reading"
        await client.get("/v1/experiments")
        second = (await client.get("/metrics")).text
    assert 'pith_experiment_units{arm="harsh",policy="rag"} 400.0' in second
    assert 'pith_experiment_verdict{policy="rag",verdict="roll_back"} 1.0' in second


async def test_prometheus_is_answered_while_the_ledger_is_gone(tmp_path: Path) -> None:
    desk = LedgerDesk(open_experiments(f"sqlite:///{tmp_path / 'none.db'}"), policies)
    async with asking(desk) as client:
        for _ in range(2):
            assert (await client.get("/metrics")).status_code == 200
        assert (await client.get("/v1/experiments")).status_code == 503
