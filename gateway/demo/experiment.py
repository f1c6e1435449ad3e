"""An experiment from its first request to a decision, on loopback: Pith, an upstream that quotes what it was
sent, and users who mind (`household.py`).

Nothing is drawn but by seeds and nothing waits for time to pass, so a run ends as the last one did. After
every `EVERY` users it is waited until the ledger has them, and then Pith's own watch looks, as it would
every few seconds.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Final

import httpx

from gateway.app import create_app
from gateway.config import load as load_config
from gateway.demo import upstream
from gateway.demo.household import Household, answer
from gateway.demo.running import running
from gateway.experiments.census import take_census
from gateway.experiments.known import Known
from gateway.experiments.watch import Watch
from gateway.ledger.experiments import ExperimentStore, open_experiments
from gateway.services import Services, load
from policies.match import PolicySet

USERS: Final = 420
EVERY: Final = 60
NAME: Final = "handbook"
_NEVER_S: Final = 86_400.0
_PATIENCE_S: Final = 60.0
_DEADLINE_MS: Final = 60_000
"""A machine that is busy must not change what comes out."""


@dataclass(frozen=True, slots=True)
class Stage:
    """How it stood after some users."""

    n_users: int
    known: Known
    is_new: bool
    """Something was decided at this look."""


@dataclass(slots=True)
class _Held:
    """What the server's thread lends."""

    services: list[tuple[Services, asyncio.AbstractEventLoop]] = field(default_factory=list)

    @asynccontextmanager
    async def hold(self, services: Services) -> AsyncIterator[None]:
        self.services.append((services, asyncio.get_running_loop()))
        yield


def policies_text() -> str:
    """The experiment's policy file."""
    return (resources.files("gateway.demo") / "household_policies.yaml").read_text("utf-8")


def play(folder: Path, n_users: int = USERS) -> Iterator[Stage]:
    """Hold everybody's conversation; the ledger and the policy file are in `folder`."""
    (folder / "policies.yaml").write_text(policies_text(), encoding="utf-8")
    with _pith(folder) as (url, services, loop), httpx.Client(base_url=url, timeout=60) as client:
        store, users = open_experiments(services.config.ledger), Household(client)
        n_changes = 0
        for number in range(n_users):
            users.visit(number)
            n_done = number + 1
            if n_done % EVERY and n_done < n_users:
                continue
            _settle(store, services.policies.current, users)
            watch = Watch(services.rollbacks, store)  # a new one looks at once
            asyncio.run_coroutine_threadsafe(watch.step(), loop).result(_PATIENCE_S)
            known = _read(store, services.policies.current)
            yield Stage(n_done, known, len(known.changes) != n_changes)
            n_changes = len(known.changes)


@contextmanager
def _pith(folder: Path) -> Iterator[tuple[str, Services, asyncio.AbstractEventLoop]]:
    """Its URL, and its parts with the loop they live on."""
    held = _Held()
    with running(upstream.create_app(answer)) as target:
        config = load_config(
            None,
            {},
            {
                "upstreams.openai.url": target,
                "ledger": f"sqlite:///{folder / 'pith.db'}",
                "policies": str(folder / "policies.yaml"),
                "compressor.deadline_ms": _DEADLINE_MS,
            },
        )
        # It would look by itself every few seconds: here it looks when it is told to.
        app = create_app(config, load(config), poll_s=_NEVER_S, beside=held.hold)
        with running(app) as url:
            services, loop = held.services[0]
            yield url, services, loop


def _settle(store: ExperimentStore, policies: PolicySet, users: Household) -> None:
    """Until all requests and ratings are on record."""
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        columns = asyncio.run(store.outcomes(NAME, policies.policies[0].version)).columns
        if (columns["requests"].sum(), columns["feedback_n"].sum()) == (users.n_requests, users.n_ratings):
            return
        time.sleep(0.05)
    raise RuntimeError(f"the ledger did not take all rows within {_PATIENCE_S:g} s: see the log above")


def _read(store: ExperimentStore, policies: PolicySet) -> Known:
    census = asyncio.run(take_census(store, policies, time.time()))
    known = census.named(NAME)
    assert known is not None, "the policy file has it"
    return known
