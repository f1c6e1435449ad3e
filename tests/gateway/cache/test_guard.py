"""gateway.cache.guard: whatever a store does, its callers wait little, and then not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from gateway.cache.guard import (
    ABANDON_S,
    COMMAND_S,
    FAILURES,
    OPEN_S,
    REQUEST_COMMANDS,
    Guard,
    request_waits,
)
from gateway.errors import CacheDown, CacheError, CacheRefused
from tests.gateway.pipeline import FastForward

REQUEST_S = REQUEST_COMMANDS * COMMAND_S
SILENT = "no answer within 50 ms"

Body = Callable[["Scene"], Coroutine[Any, Any, None]]


class Scene:
    """A guard in a loop whose clock moves while nothing can run, and a store that takes as long as told."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.guard = Guard(clock=self.loop.time)
        self.takes_s = 0.0
        self.error: Exception | None = None
        self.n_sent = self.n_cancelled = 0

    async def after(self, seconds: float) -> None:
        """Let the clock run."""
        rung = self.loop.create_future()
        self.loop.call_later(seconds, rung.set_result, None)
        await rung

    async def command(self) -> str:
        self.n_sent += 1
        try:
            await self.after(self.takes_s)
        except asyncio.CancelledError:
            self.n_cancelled += 1
            raise
        if self.error is not None:
            raise self.error
        return "answer"

    async def ask(self) -> str | None:
        """The answer, or None where there is an error."""
        try:
            return await self.guard.run("get", self.command)
        except CacheError:
            return None

    async def timed(self, work: Awaitable[object]) -> float:
        began = self.loop.time()
        await work
        return self.loop.time() - began

    async def bring_down(self) -> None:
        self.error = CacheDown("gone")
        for _ in range(FAILURES):
            await self.ask()
        assert self.guard.is_down


def play(body: Body) -> None:
    async def scene() -> None:
        await body(Scene())

    with asyncio.Runner(loop_factory=FastForward) as runner:
        runner.run(scene())


def test_an_answer_is_handed_on() -> None:
    async def body(scene: Scene) -> None:
        assert await scene.guard.run("get", scene.command) == "answer"
        assert (scene.guard.degraded, scene.guard.counts.answered) == (None, 1)

    play(body)


def test_nobody_waits_longer_than_told_and_the_command_comes_to_its_end() -> None:
    async def body(scene: Scene) -> None:
        scene.takes_s = 0.5
        assert await scene.timed(scene.ask()) == pytest.approx(COMMAND_S)
        await scene.after(1.0)
        assert (scene.n_sent, scene.n_cancelled, scene.guard.counts.answered) == (1, 0, 1)

    play(body)


def test_a_command_that_does_not_end_is_given_up() -> None:
    async def body(scene: Scene) -> None:
        scene.takes_s = 1000.0
        await scene.ask()
        await scene.after(ABANDON_S)
        assert (scene.n_cancelled, scene.guard.counts.failed) == (1, 1), "and is one failure"

    play(body)


def test_a_caller_that_leaves_does_not_cancel_its_command() -> None:
    async def body(scene: Scene) -> None:
        scene.takes_s = 0.02
        caller = asyncio.create_task(scene.ask())
        await asyncio.sleep(0)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        await scene.after(1.0)
        assert (scene.n_cancelled, scene.guard.counts.answered) == (0, 1)

    play(body)


def test_several_failures_in_a_row_bring_it_down_and_then_nothing_is_sent_or_waited_for() -> None:
    async def body(scene: Scene) -> None:
        scene.takes_s = 1000.0
        for _ in range(FAILURES):
            assert scene.guard.degraded is None
            await scene.ask()
        assert scene.guard.degraded == SILENT
        n_sent = scene.n_sent
        assert await scene.timed(scene.ask()) == 0
        assert (scene.n_sent, scene.guard.counts.skipped) == (n_sent, 1)

    play(body)


def test_an_answer_in_between_begins_the_count_anew() -> None:
    async def body(scene: Scene) -> None:
        for _ in range(3 * FAILURES):
            scene.error = None
            await scene.ask()
            scene.error = CacheDown("gone")
            for _ in range(FAILURES - 1):
                await scene.ask()
        assert not scene.guard.is_down

    play(body)


def test_a_store_that_is_down_is_probed_and_comes_back() -> None:
    async def body(scene: Scene) -> None:
        await scene.bring_down()
        assert scene.guard.degraded == "gone"
        n_sent = scene.n_sent
        await scene.guard.probe("get", scene.command)
        assert scene.n_sent == n_sent, "not yet"
        await scene.after(OPEN_S)
        assert await scene.ask() is None
        assert scene.n_sent == n_sent, "requests do not probe"
        await scene.guard.probe("get", scene.command)
        assert (scene.n_sent, scene.guard.is_down) == (n_sent + 1, True)
        scene.error = None
        await scene.after(OPEN_S)
        await scene.guard.probe("get", scene.command)
        assert scene.guard.degraded is None
        assert await scene.ask() == "answer"
        assert scene.guard.counts.outages == 1

    play(body)


def test_a_store_that_answers_late_stays_down() -> None:
    async def body(scene: Scene) -> None:
        await scene.bring_down()
        scene.error, scene.takes_s = None, 2 * COMMAND_S
        await scene.after(OPEN_S)
        await scene.guard.probe("get", scene.command)
        assert scene.guard.is_down

    play(body)


@pytest.mark.parametrize("takes_s", [0.0, 1000.0])
def test_a_store_that_was_never_there_is_down_after_one_probe(takes_s: float) -> None:
    async def body(scene: Scene) -> None:
        scene.error, scene.takes_s = CacheDown("gone"), takes_s
        await scene.guard.probe("put", scene.command)
        assert scene.guard.is_down

    play(body)


def test_a_store_that_is_well_is_not_probed() -> None:
    async def body(scene: Scene) -> None:
        await scene.guard.probe("put", scene.command)
        await scene.guard.probe("put", scene.command)
        assert scene.n_sent == 1

    play(body)


def test_a_refusal_is_an_answer_and_is_told_until_the_command_is_taken_again() -> None:
    async def body(scene: Scene) -> None:
        scene.error = CacheRefused("is full")
        for _ in range(3 * FAILURES):
            with pytest.raises(CacheRefused):
                await scene.guard.run("put", scene.command)
        assert (scene.guard.is_down, scene.guard.degraded) == (False, "is full")
        scene.error = None
        await scene.guard.run("get", scene.command)
        assert scene.guard.degraded == "is full", "reading proves nothing of writing"
        await scene.guard.probe("put", scene.command)
        assert scene.guard.degraded is None

    play(body)


def test_an_error_of_no_kind_we_know_is_down_by_its_type_alone() -> None:
    async def body(scene: Scene) -> None:
        scene.error = ZeroDivisionError("canary")
        for _ in range(FAILURES):
            with pytest.raises(CacheDown, match=r"^ZeroDivisionError$"):
                await scene.guard.run("get", scene.command)
        assert scene.guard.degraded == "ZeroDivisionError"

    play(body)


def test_all_commands_of_a_request_together_wait_no_longer_than_told() -> None:
    async def body(scene: Scene) -> None:
        scene.takes_s = 0.8 * COMMAND_S
        with request_waits(REQUEST_S, scene.loop.time):
            waited = await scene.timed(_one_after_another(scene, 10))
        assert waited == pytest.approx(REQUEST_S)
        assert await scene.ask() == "answer", "outside of requests each has its own time"

    play(body)


def test_commands_side_by_side_wait_at_the_same_time() -> None:
    async def body(scene: Scene) -> None:
        scene.takes_s = 0.4 * COMMAND_S
        with request_waits(REQUEST_S, scene.loop.time):
            answers = await asyncio.gather(*(scene.ask() for _ in range(10)))
            assert answers == ["answer"] * 10
            assert await scene.ask() == "answer"

    play(body)


def test_a_request_out_of_patience_blames_nobody() -> None:
    async def body(scene: Scene) -> None:
        scene.takes_s = 0.8 * COMMAND_S
        for _ in range(3 * FAILURES):
            with request_waits(0.2 * COMMAND_S, scene.loop.time):
                assert await scene.ask() is None
        assert not scene.guard.is_down

    play(body)


def test_our_own_slowness_is_not_the_stores() -> None:
    async def body(scene: Scene) -> None:
        scene.takes_s = 10 * COMMAND_S
        for _ in range(3 * FAILURES):
            asking = asyncio.create_task(scene.ask())
            await asyncio.sleep(0)
            assert isinstance(scene.loop, FastForward)
            scene.loop.now += 2 * COMMAND_S  # something else has held the loop up
            assert await asking is None
        assert not scene.guard.is_down

    play(body)


def test_closing_lets_commands_end_for_a_moment() -> None:
    async def body(scene: Scene) -> None:
        scene.takes_s = 0.5 * COMMAND_S
        quick = asyncio.create_task(scene.ask())
        await scene.after(0.1 * COMMAND_S)
        scene.takes_s = 1000.0
        stuck = asyncio.create_task(scene.ask())
        await scene.after(0.1 * COMMAND_S)
        assert await scene.timed(scene.guard.aclose()) == pytest.approx(COMMAND_S)
        assert (await quick, await stuck) == ("answer", None)
        assert scene.n_cancelled == 1

    play(body)


def test_closing_answers_those_who_wait() -> None:
    async def body(scene: Scene) -> None:
        scene.takes_s = 1000.0
        early = asyncio.create_task(scene.ask())
        await scene.after(0.1 * COMMAND_S)
        closing = asyncio.create_task(scene.guard.aclose())
        await scene.after(0.5 * COMMAND_S)
        with pytest.raises(CacheDown, match="Pith is stopping"):
            await scene.guard.run("get", scene.command)
        await closing
        assert (await early, scene.n_cancelled) == (None, 2)

    play(body)


async def _one_after_another(scene: Scene, n_commands: int) -> None:
    for _ in range(n_commands):
        await scene.ask()
