"""The admin listener in front of a ledger with some weeks of rows, on a port of its own."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

from gateway.admin.console import Console
from gateway.admin.guard import Guard
from gateway.admin.routes import create_app
from gateway.config import load as load_config
from gateway.draining import Draining
from gateway.fleet import Alone
from gateway.ledger.store import SqlLedger
from gateway.services import open_services
from gateway.types import Entry, Usage
from tests.e2e.conftest import serving
from tests.fakes import LengthScorer

DAY_S = 86_400.0
HTML = '<img src=x onerror="document.title=`executed`"><script>document.title="executed"</script>'
LONG_NAME = "m" * 1_000_000
WORST = "pith-00000007"


def weeks(now: float) -> list[Entry]:
    """Some 300 requests of the last three weeks, the same ones every time."""
    draw = random.Random(6)
    return [_entry(n, now - draw.random() * 20 * DAY_S, draw) for n in range(300)]


def _entry(n: int, created_at: float, draw: random.Random) -> Entry:
    origin = draw.randrange(800, 9000)
    sent = int(origin * draw.uniform(0.5, 0.7))
    is_whole = n % 9 == 0
    is_worst = f"pith-{n:08}" == WORST
    prompt = origin if is_whole else sent
    saved = 0.0 if is_whole else (origin - sent) * draw.choice((2.5e-6, 1.25e-6))
    return Entry(
        id=f"pith-{n:08}",
        created_at=created_at,
        path=draw.choice(("/v1/chat/completions", "/v1/responses", "/v1/messages")),
        status=200,
        policy=draw.choice(("rag", "agents", "default")),
        model=HTML if n == 3 else LONG_NAME if n == 4 else draw.choice(("gpt-4o", "gpt-4o-mini", "claude-4")),
        team=HTML if n == 3 else draw.choice(("search", "support", None)),
        conversation=f"c{n // 4}",
        mode="on",
        skip=draw.choice(("short", "no_benefit")) if is_whole else None,
        cache=None if is_whole else draw.choice(("hit", "hit", "partial", "miss")),
        origin_tokens=origin,
        compressed_tokens=prompt,
        tokenizer="o200k_base",
        usage=Usage(prompt, 200, cached_tokens=int(prompt * draw.uniform(0, 0.6))),
        cost_usd=prompt * 2.5e-6,
        counterfactual_usd=origin * 2.5e-6,
        saved_usd=-0.0175 if is_worst else saved,
        added_ms=draw.uniform(1, 30),
        device_ms=draw.uniform(0, 20),
        timing_ms={"parse": 0.4, "decide": 0.1, "compress": draw.uniform(1, 25), "splice": 0.3},
    )


@contextmanager
def seeded(folder: Path, rows: Sequence[Entry] | None = None, token: str | None = None) -> Iterator[str]:
    """The listener's URL."""
    url = f"sqlite:///{folder / 'ledger.db'}"
    written = SqlLedger(url)
    written.start()
    for entry in weeks(time.time()) if rows is None else rows:
        written.record(entry)
    with ThreadPoolExecutor(1) as thread:  # a loop may be running here
        thread.submit(lambda: asyncio.run(written.aclose())).result()
    config = load_config(None, {}, {"ledger": url})
    guard = Guard(None if token is None else SecretStr(token), "127.0.0.1")

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with open_services(config, LengthScorer(), lambda: "on") as services:
            app.state.admin = create_app(Console(services, Alone(), Draining()), guard)
            yield

    async def admin(scope: Scope, receive: Receive, send: Send) -> None:
        await app.state.admin(scope, receive, send)

    app = Starlette(routes=[Mount("/", admin)], lifespan=lifespan)
    with serving(app) as port:
        yield f"http://127.0.0.1:{port}"
