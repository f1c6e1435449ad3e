"""Harm ends an arm by itself, everywhere, until a person resets it; the ledger may be down meanwhile."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import ConfigError
from gateway.experiments.census import reset
from gateway.experiments.records import ExperimentState, JudgeVerdict
from gateway.experiments.watch import Rollbacks, Watch
from gateway.ledger.experiment_sums import Sums
from gateway.ledger.experiment_tables import units
from gateway.ledger.experiments import ExperimentStore, open_experiments
from gateway.ledger.opening import open_database
from gateway.types import Entry
from policies.match import PolicySet
from policies.outcomes import Metric
from tests.gateway.experiments.filled import ARMS, Arm, filled, policies, rows_of
from tests.gateway.pipeline import Pipeline, pipeline
from tests.postgres_server import postgres_server

SET = policies()
RAG = SET.policies[0]
NOW = 1_800_000_000.0


@dataclass
class Clock:
    now: float = NOW

    def __call__(self) -> float:
        return self.now


@dataclass
class Outage:
    """A ledger that may not answer."""

    store: ExperimentStore
    is_down: bool = False
    n_asked: int = 0

    async def states(self) -> list[ExperimentState]:
        self._ask()
        return await self.store.states()

    async def set_state(self, state: ExperimentState) -> None:
        self._ask()
        await self.store.set_state(state)

    async def sums(
        self, experiment: str, version: str, metrics: Sequence[Metric], since: float = 0.0
    ) -> dict[str, Sums]:
        self._ask()
        return await self.store.sums(experiment, version, metrics, since)

    async def verdicts(self, experiment: str, version: str) -> list[JudgeVerdict]:
        self._ask()
        return await self.store.verdicts(experiment, version)

    def _ask(self) -> None:
        self.n_asked += 1
        if self.is_down:
            raise ConfigError("the ledger is down")


@dataclass
class Process:
    """One of those that share a ledger."""

    url: str
    policies: PolicySet = SET
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.rollbacks = Rollbacks(lambda: self.policies, self.clock)
        self.books = Outage(open_experiments(self.url))
        self.watch = self.fresh_watch()

    def fresh_watch(self) -> Watch:
        return Watch(self.rollbacks, self.books)

    async def step(self) -> None:
        """A first step, which looks."""
        await self.fresh_watch().step()

    @property
    def arms(self) -> frozenset[str]:
        return frozenset(self.rollbacks.arms.get((RAG.name, RAG.version), ()))


def entry(variant: str | None, status: int = 200, at: float = NOW) -> Entry:
    return Entry(
        "id",
        at,
        "/v1/chat/completions",
        status,
        policy=RAG.name,
        policy_version=RAG.version,
        variant=variant,
        unit=f"unit at {at}",
    )


def fail(process: Process, arm: str = "harsh", status: int = 500) -> None:
    """Thirty of the arm's requests, beside as many of control's."""
    for i in range(30):
        process.rollbacks.note(entry("control", at=NOW + i))
        process.rollbacks.note(entry(arm, status, at=NOW + i))


def begin(url: str, arms: Sequence[Arm], now: float) -> None:
    """More units, begun within two days before `now`."""
    rows = [row | {"unit": f"{row['unit']} at {now}"} for arm in arms for row in rows_of(arm, now, RAG)]
    with open_database(url).open_writer() as writer:
        writer.execute(units.insert(), rows)
        writer.commit()


async def test_an_arm_whose_guardrail_is_breached_is_rolled_back_by_whoever_looks(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = Process(url := filled(tmp_path, NOW)), Process(url)
    with caplog.at_level(logging.WARNING):
        await one.step()
    assert one.arms == {"harsh"}
    [line] = caplog.messages
    assert line.startswith(f"rolling back experiment rag {RAG.version} (harsh): retries: ")
    assert " points at least." in line
    [state] = await other.books.store.states()
    assert (state.state, state.arms, state.at) == ("rolled_back", ("harsh",), NOW)
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        await other.watch.read()
        await other.watch.step()
        await one.step()
    assert other.arms == {"harsh"}
    assert caplog.messages == [f"experiment rag {RAG.version} is rolled back (harsh): {state.reason}"]
    assert len(await one.books.store.changes()) == 1


async def test_arms_that_do_no_harm_run_on(tmp_path: Path) -> None:
    process = Process(filled(tmp_path, NOW, ARMS[:2]))
    await process.step()
    assert process.arms == frozenset()
    assert await process.books.store.states() == []


async def test_requests_that_fail_beside_controls_that_do_not_end_the_arm_at_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = Process(url := filled(tmp_path, NOW, ())), Process(url)
    fail(one)
    assert one.arms == {"harsh"}
    assert caplog.messages[-1].endswith(" of 'harsh' failed, and control's did not.")
    await one.step()
    await other.step()
    assert other.arms == {"harsh"}
    fail(one)
    await one.step()
    assert len(await one.books.store.changes()) == 1
    fail(other, "half")
    await other.step()
    await one.step()
    assert one.arms == other.arms == {"half", "harsh"}
    [state] = await one.books.store.states()
    assert state.arms == ("half", "harsh")


async def test_arms_that_two_processes_find_at_the_same_time_all_stay_rolled_back(tmp_path: Path) -> None:
    one, other = Process(url := filled(tmp_path, NOW, ())), Process(url)
    fail(one)
    fail(other, "half")
    await one.step()
    await other.step()
    await one.step()
    assert one.arms == other.arms == {"half", "harsh"}


async def test_what_two_processes_find_is_one_change(tmp_path: Path) -> None:
    one, other = Process(url := filled(tmp_path, NOW, ())), Process(url)
    fail(one)
    fail(other)
    await one.step()
    await other.step()
    assert one.arms == other.arms == {"harsh"}
    assert not other.rollbacks.found
    assert len(await one.books.store.changes()) == 1


async def test_a_reset_is_not_undone_by_what_was_found_before_it(tmp_path: Path) -> None:
    one, other = Process(url := filled(tmp_path, NOW, ())), Process(url)
    fail(one)
    await one.step()
    await other.step()
    fail(other, "half")
    await reset(one.books.store, SET, "rag", NOW + 5)
    await other.step()
    await one.step()
    assert one.arms == other.arms == frozenset()


async def test_replicas_on_one_postgresql_obey_each_other() -> None:
    with postgres_server() as server:
        open_database(server.url).open_writer().close()
        one, other = Process(server.url), Process(server.url)
        fail(one)
        await one.step()
        await other.step()
        assert one.arms == other.arms == {"harsh"}
        fail(other, "half")
        await other.step()
        await one.step()
        assert one.arms == other.arms == {"half", "harsh"}
        await reset(other.books.store, SET, "rag", NOW + 5)
        await one.step()
        await other.step()
        assert one.arms == other.arms == frozenset()


@pytest.mark.parametrize("status", [200, 499])
async def test_what_is_no_failure_ends_nothing(tmp_path: Path, status: int) -> None:
    process = Process(filled(tmp_path, NOW, ()))
    fail(process, status=status)
    assert process.arms == frozenset()


@pytest.mark.parametrize("how", [{"is_broken": True}, {"finish": "failed"}])
async def test_answers_that_break_off_or_tell_of_an_error_are_failures(
    tmp_path: Path, how: dict[str, Any]
) -> None:
    process = Process(filled(tmp_path, NOW, ()))
    for i in range(30):
        process.rollbacks.note(entry("control", at=NOW + i))
        process.rollbacks.note(replace(entry("harsh", at=NOW + i), **how))
    assert process.arms == {"harsh"}


async def test_requests_that_their_clients_want_left_alone_end_nothing(tmp_path: Path) -> None:
    process = Process(filled(tmp_path, NOW, ()))
    for i in range(30):
        process.rollbacks.note(entry("control", at=NOW + i))
        process.rollbacks.note(replace(entry("harsh", 500, at=NOW + i), unit=None))
    assert process.arms == frozenset()


async def test_an_outage_of_everybody_and_requests_outside_end_nothing(tmp_path: Path) -> None:
    process = Process(filled(tmp_path, NOW, ()))
    for i in range(50):
        for variant in ("control", "half", "harsh", None, "holdout"):
            process.rollbacks.note(entry(variant, 502, at=NOW + i))
        process.rollbacks.note(replace(entry("half", 502), policy_version="older"))
        process.rollbacks.note(replace(entry("half", 502), policy="plain"))
    assert process.arms == frozenset()


async def test_a_person_lets_the_arms_run_again_and_only_what_comes_then_is_judged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = Process(url := filled(tmp_path, NOW)), Process(url)
    await one.step()
    await other.step()
    fail(one, "half")
    await one.step()
    caplog.clear()
    await reset(one.books.store, SET, "rag", NOW + 5)
    await one.step()
    await other.step()
    assert one.arms == other.arms == frozenset()
    assert caplog.messages == [f"experiment rag {RAG.version} is running: reset by a person"] * 2
    begin(url, ARMS, NOW + 5 * 86_400)
    await one.step()
    assert one.arms == {"harsh"}
    assert [state.state for state in await one.books.store.changes()] == [
        *("rolled_back", "running", "rolled_back", "rolled_back")
    ]


async def test_while_the_ledger_is_down_what_was_read_last_holds(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    process = Process(filled(tmp_path, NOW))
    await process.step()
    process.books.is_down = True
    caplog.clear()
    await process.watch.step()
    await process.watch.step()
    assert process.arms == {"harsh"}
    assert caplog.messages == ["experiments cannot be read, what was read last holds: the ledger is down"]
    fail(process, "half")
    assert process.arms == {"half", "harsh"}
    await process.step()
    assert process.rollbacks.found
    process.books.is_down = False
    await process.step()
    [state] = await process.books.store.states()
    assert state.arms == ("half", "harsh")
    assert not process.rollbacks.found


async def test_what_holds_is_known_before_anything_is_served(tmp_path: Path) -> None:
    one = Process(url := filled(tmp_path, NOW))
    await one.step()
    late = Process(url)
    await late.watch.read()
    assert late.arms == {"harsh"}
    down = Process(url)
    down.books.is_down = True
    await down.watch.read()
    assert down.arms == frozenset()


async def test_an_older_version_stays_rolled_back_and_is_no_news(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    process = Process(filled(tmp_path, NOW, ()))
    await process.books.set_state(ExperimentState("rag", "older", "rolled_back", 1.0, "errors", ("half",)))
    await process.watch.read()
    assert process.rollbacks.arms == {("rag", "older"): frozenset({"half"})}
    assert caplog.messages == []


async def test_where_there_is_no_experiment_the_ledger_is_not_asked(tmp_path: Path) -> None:
    process = Process(filled(tmp_path, NOW, ()), PolicySet(SET.policies[1:], "test"))
    await process.step()
    assert process.books.n_asked == 0


async def test_of_several_processes_each_waits_for_its_turn(tmp_path: Path) -> None:
    process = Process(filled(tmp_path, NOW))
    await Watch(process.rollbacks, process.books, n_sharing=2, turn=1).step()
    assert process.arms == frozenset()
    await Watch(process.rollbacks, process.books, n_sharing=2, turn=0).step()
    assert process.arms == {"harsh"}


async def test_between_looks_only_the_states_are_read(tmp_path: Path) -> None:
    process = Process(filled(tmp_path, NOW, ()))
    await process.watch.step()
    asked = process.books.n_asked
    await process.watch.step()
    assert process.books.n_asked == asked + 1


TEXT = "Of all the ways in which a long text may be put, this is the longest there is, and so on. " * 30


def body(*turns: str) -> bytes:
    messages = [
        {"role": "user" if i % 2 == 0 else "assistant", "content": turn} for i, turn in enumerate(turns)
    ]
    return json.dumps({"model": "gpt-5", "messages": messages}).encode()


async def conversation_in(arm: str, running: Pipeline) -> str:
    """The first message of one."""
    for i in range(100):
        decision = (await running.plan(body(first := f"{i}: {TEXT}"))).decision
        if decision is not None and decision.variant == arm:
            return first
    raise AssertionError(f"nobody was dealt {arm}")


async def test_conversations_that_began_in_the_arm_obey_at_once_and_go_on_in_it_after_a_reset() -> None:
    running = pipeline(SET)
    first = await conversation_in("half", running)
    compressed = await running.forward(body(first, "yes", "more"))
    assert len(compressed) < len(body(first, "yes", "more"))
    rollbacks = running.services.rollbacks
    rollbacks.policies = lambda: SET
    state = ExperimentState("rag", RAG.version, "rolled_back", 1.0, "errors", ("half",))
    rollbacks.take([state])
    plan = await running.plan(body(first, "yes", "more", "and", "more"))
    assert plan.decision is not None
    assert (plan.decision.variant, plan.decision.mode, plan.decision.is_rolled_back) == ("half", "off", True)
    assert plan.body == body(first, "yes", "more", "and", "more")
    new = await running.plan(body(first + "else"))
    assert new.decision is not None
    assert new.decision.variant != "half" or new.body == body(first + "else")
    rollbacks.take([replace(state, state="running", at=2.0, arms=())])
    again = await running.plan(body(first, "yes", "more", "and", "more", "still", "more"))
    assert again.decision is not None
    assert (again.decision.mode, again.decision.is_rolled_back) == ("on", False)
    assert isinstance(again.body, bytes)
    assert len(again.body) < len(body(first))
