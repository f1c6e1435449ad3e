"""gateway.standstill: what holds up an event loop is told from a machine that is busy."""

from __future__ import annotations

import asyncio
import time

import pytest
from starlette.types import Receive, Scope, Send

from gateway.standstill import Probe, Standstill, told_apart

BUSY_S = 0.05
PATIENCE_S = 30.0


@pytest.mark.parametrize(
    ("late_s", "waited_s", "computed_s", "held_s"),
    [
        (0.020, 0.000, 0.030, 0.020),  # the process computed all the while
        (0.020, 0.000, 0.004, 0.004),  # it did for a part of it
        (0.020, 0.015, 0.030, 0.005),  # others had the processor
        (0.020, 0.021, 0.030, 0.000),
        (0.000, 0.000, 0.001, 0.000),
    ],
)
def test_what_is_the_process_s_doing(
    late_s: float, waited_s: float, computed_s: float, held_s: float
) -> None:
    found = told_apart(late_s, waited_s, computed_s)
    assert found.wall_s == late_s
    assert found.held_s == pytest.approx(held_s)


def test_the_worst_of_two_is_the_longest_by_either_measure() -> None:
    assert Standstill(3.0, 1.0).worst(Standstill(2.0, 2.0)) == Standstill(3.0, 2.0)


def compute(seconds: float) -> None:
    """For so long by this thread's own clock."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


async def nothing(*_: object) -> None:
    pass


async def test_a_loop_that_computes_is_held() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0)  # the probe begins to wait
        compute(BUSY_S)
        async with asyncio.timeout(PATIENCE_S):
            while probe.worst.held_s < BUSY_S / 2:  # noqa: ASYNC110  # a probe tells nobody
                await asyncio.sleep(0)

    probe = Probe(app)
    await probe({"type": "lifespan"}, nothing, nothing)  # type: ignore[arg-type]  # nothing is asked or said
    worst = probe.take()
    assert worst.wall_s >= worst.held_s > 0.8 * BUSY_S
    assert probe.take() == Standstill()


async def test_requests_pass() -> None:
    asked: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        asked.append(scope["type"])

    await Probe(app)({"type": "http"}, nothing, nothing)  # type: ignore[arg-type]  # as above
    assert asked == ["http"]
