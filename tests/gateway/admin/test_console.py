"""gateway.admin.console: workers keep in touch, trouble is said once, and a late loop is noticed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gateway.admin.console import Console
from gateway.draining import Draining
from gateway.fleet import Alone
from gateway.metrics import LOOP_LAG_SECONDS, Snapshot
from gateway.state import observe
from policies.schema import Mode
from tests.e2e.scripted_upstream import until
from tests.gateway.pipeline import pipeline, policy_set


class Shaky(Alone):
    """A fleet whose folder is there or not, as a test says."""

    def __init__(self) -> None:
        super().__init__()
        self.is_there = True
        self.n_asked = 0

    def exchange(self, counts: Snapshot) -> Mode:
        self.n_asked += 1
        if not self.is_there:
            raise FileNotFoundError(2, "No such file or directory")
        return super().exchange(counts)


def console(fleet: Alone) -> Console:
    return Console(pipeline(policy_set({"name": "rag"})).services, fleet, Draining())


@contextmanager
def running(work: object) -> Iterator[None]:
    assert asyncio.iscoroutine(work)
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        task.cancel()


async def asked(fleet: Shaky, n: int = 3) -> None:
    """Wait until it was asked some times more."""
    wanted = fleet.n_asked + n
    await until(lambda: fleet.n_asked >= wanted)


async def test_a_mode_that_another_worker_set_is_heard() -> None:
    fleet = Shaky()
    shown = console(fleet)
    with running(shown.keep_in_touch(interval_s=0.001)):
        fleet.restrict("shadow")
        await asked(fleet)
        assert shown.services.kill_mode == "shadow"


async def test_trouble_is_said_when_it_begins_and_when_it_ends(caplog: pytest.LogCaptureFixture) -> None:
    fleet = Shaky()
    caplog.set_level(logging.INFO, "gateway.admin.console")
    with running(console(fleet).keep_in_touch(interval_s=0.001)):
        fleet.is_there = False
        await asked(fleet)
        fleet.is_there = True
        await asked(fleet)
    assert caplog.messages == [
        "the workers cannot tell each other anything: No such file or directory",
        "the workers hear of each other again",
    ]


async def test_a_loop_that_is_held_up_is_late() -> None:
    shown = console(Alone())
    with running(shown.measure_lag(interval_s=0.001)):
        await asyncio.sleep(0)
        held_until = time.perf_counter() + 0.05
        while time.perf_counter() < held_until:
            pass
        await until(lambda: bool(shown.services.metrics.snapshot().histograms))
    seen = shown.services.metrics.snapshot().histograms
    assert seen[LOOP_LAG_SECONDS.name, ()].total > 0.03


def test_what_is_read_off_a_process() -> None:
    running = pipeline(policy_set({"name": "rag"}))
    running.ledger.degraded, running.ledger.dropped = "disk is full", 3
    seen = observe(running.services)
    assert seen.gauges["pith_degraded", ("ledger",)] == 1.0
    assert seen.gauges["pith_degraded", ("scorer",)] == 0.0
    assert [mode for (name, mode), value in seen.gauges.items() if name == "pith_mode" and value] == [("on",)]
    assert seen.counters["pith_ledger_dropped_total", ()] == 3
    assert seen.gauges["pith_workers", ()] == 1.0
