"""gateway.admission: places are taken and given back once, turns come in order, and nobody waits too long."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admission import SPREAD_S, Admission, Places, patience_s
from gateway.refusal import Refusal
from gateway.settings import LimitsConfig
from gateway.stopwatch import Stopwatch
from tests.gateway.pipeline import FastForward

WAIT_S = 0.125


class TestPlaces:
    @given(st.integers(1, 5), st.lists(st.booleans()))
    def test_never_more_are_taken_than_there_are(self, limit: int, asks: list[bool]) -> None:
        """Against a model: a list of those who have one. True asks for a place, False gives one back."""
        places, holders, refused = Places(limit), 0, 0
        for is_asking in asks:
            if is_asking:
                has_room = holders < limit
                assert places.take() is has_room
                holders, refused = holders + has_room, refused + (not has_room)
            elif holders:
                places.give_back()
                holders -= 1
            assert (places.taken, places.refused) == (holders, refused)
            assert places.taken <= limit

    def test_what_nobody_has_cannot_be_given_back(self) -> None:
        with pytest.raises(AssertionError):
            Places(1).give_back()

    def test_those_refused_together_do_not_come_back_together(self) -> None:
        places = Places(1)
        places.take()
        told = []
        for _ in range(2 * SPREAD_S):
            places.take()
            told.append(places.refusal().retry_after_s)
        assert set(told) == set(range(1, SPREAD_S + 1))
        assert told[:SPREAD_S] == told[SPREAD_S:]

    def test_a_refusal_says_what_to_do(self) -> None:
        refusal = Places(7).refusal()
        assert (refusal.status, refusal.code) == (503, "overloaded")
        assert "limits.max_in_flight" in refusal.message
        assert "7" in refusal.message


@pytest.mark.parametrize(
    ("queue_s", "deadline_s", "expected"),
    [(2.0, 0.5, 0.125), (2.0, 60.0, 2.0), (0.05, 0.5, 0.05)],
)
def test_most_of_the_deadline_is_left_for_the_work(
    queue_s: float, deadline_s: float, expected: float
) -> None:
    assert patience_s(queue_s, deadline_s) == expected


class TestServing:
    def test_one_too_many_is_refused_until_another_ends(self, caplog: pytest.LogCaptureFixture) -> None:
        admission = Admission(LimitsConfig(max_in_flight=2))
        with ExitStack() as served:
            served.enter_context(admission.serve())
            served.enter_context(admission.serve())
            with caplog.at_level(logging.WARNING), pytest.raises(Refusal), admission.serve():
                raise NotImplementedError("nobody is served here")
            assert (admission.in_flight, admission.refused) == (2, 1)
        assert admission.in_flight == 0
        with admission.serve():
            assert admission.in_flight == 1
        assert [record.getMessage() for record in caplog.records] == ["refused, 2 requests are in flight"]

    @pytest.mark.parametrize("error", [ValueError, asyncio.CancelledError])
    def test_a_place_is_given_back_however_the_request_ends(self, error: type[BaseException]) -> None:
        admission = Admission(LimitsConfig(max_in_flight=1))
        for _ in range(3):
            with pytest.raises(error), admission.serve():
                raise error
        assert admission.in_flight == 0


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """A loop whose timers come as soon as nothing else can run."""
    with asyncio.Runner(loop_factory=FastForward) as runner:
        yield runner


class Asking:
    """Requests that want to be compressed, by name, and what became of them."""

    def __init__(self, admission: Admission) -> None:
        self.admission = admission
        self.events: list[str] = []
        self.ms: dict[str, float] = {}
        self.most = 0

    async def ask(self, name: str, work_s: float, wait_s: float = WAIT_S) -> None:
        watch = Stopwatch(asyncio.get_running_loop().time)
        async with self.admission.compress(wait_s, watch) as has_turn:
            self.ms[name] = watch.ms.get("queue", -1.0)
            self.events.append(f"{name} {'works' if has_turn else 'goes on'}")
            if has_turn:
                self.most = max(self.most, self.admission.compressing)
                await asyncio.sleep(work_s)


class TestCompressing:
    def test_turns_come_in_order(self, runner: asyncio.Runner) -> None:
        async def run() -> Asking:
            asking = Asking(Admission(LimitsConfig(max_compressing=1)))
            async with asyncio.TaskGroup() as all_of_them:
                for name in "abc":
                    all_of_them.create_task(asking.ask(name, 0.05))
            return asking

        asking = runner.run(run())
        assert asking.events == ["a works", "b works", "c works"]
        assert asking.ms == {"a": -1.0, "b": pytest.approx(50), "c": pytest.approx(100)}
        assert (asking.most, asking.admission.compressing) == (1, 0)

    def test_nobody_waits_longer_than_told(self, runner: asyncio.Runner) -> None:
        async def run() -> Asking:
            asking = Asking(Admission(LimitsConfig(max_compressing=1)))
            async with asyncio.TaskGroup() as both:
                both.create_task(asking.ask("a", 10.0))
                both.create_task(asking.ask("b", 10.0))
            await asking.ask("c", 0.0)
            return asking

        asking = runner.run(run())
        assert asking.events == ["a works", "b goes on", "c works"]
        assert asking.ms["b"] == pytest.approx(WAIT_S * 1e3)

    def test_whoever_leaves_the_queue_keeps_nobody_from_a_turn(self, runner: asyncio.Runner) -> None:
        async def run() -> Asking:
            asking = Asking(Admission(LimitsConfig(max_compressing=1)))
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(asking.ask("a", 0.05))
                waiting = tasks.create_task(asking.ask("b", 0.05))
                tasks.create_task(asking.ask("c", 0.05))
                await asyncio.sleep(0.01)
                waiting.cancel()
            return asking

        asking = runner.run(run())
        assert asking.events == ["a works", "c works"]
        assert asking.ms["c"] == pytest.approx(50)

    def test_a_cancelled_one_gives_its_turn_back(self, runner: asyncio.Runner) -> None:
        async def run() -> Asking:
            asking = Asking(Admission(LimitsConfig(max_compressing=1)))
            for name in "ab":
                working = asyncio.create_task(asking.ask(name, 10.0))
                await asyncio.sleep(0.01)
                working.cancel()
                await asyncio.wait([working])
            return asking

        asking = runner.run(run())
        assert asking.events == ["a works", "b works"]
        assert asking.admission.compressing == 0

    @given(st.integers(1, 3), st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(1, 9))))
    def test_never_more_than_the_limit_and_all_are_answered(
        self, limit: int, requests: list[tuple[int, int, int]]
    ) -> None:
        """Each comes, waits and works for so many hundredths of a second; some are cancelled half way."""

        async def one(asking: Asking, name: str, came: int, wait: int, work: int) -> None:
            await asyncio.sleep(came / 100)
            async with asyncio.timeout(0.04 if work == 9 else None):
                await asking.ask(name, work / 100, wait / 100)

        async def run() -> Asking:
            asking = Asking(Admission(LimitsConfig(max_compressing=limit)))
            ended = await asyncio.gather(
                *(one(asking, str(i), *request) for i, request in enumerate(requests)),
                return_exceptions=True,
            )
            assert all(error is None or isinstance(error, TimeoutError) for error in ended)
            return asking

        with asyncio.Runner(loop_factory=FastForward) as runner:
            asking = runner.run(run())
            assert asking.most <= limit
            assert asking.admission.compressing == 0
            asking.events.clear()
            names = [str(i) for i in range(limit)]

            async def all_at_once() -> None:
                await asyncio.gather(*(asking.ask(name, 0.01) for name in names))

            runner.run(all_at_once())
            assert asking.most <= limit
            assert asking.events == [f"{name} works" for name in names], "every turn was given back"
