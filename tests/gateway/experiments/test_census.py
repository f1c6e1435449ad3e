"""gateway.experiments.census and evidence: what is told of experiments, over a real ledger in a file."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from gateway.errors import ConfigError
from gateway.experiments.census import LedgerDesk, reset, take_census
from gateway.experiments.evidence import judge_counts
from gateway.experiments.known import Census, as_json
from gateway.experiments.records import ExperimentState, JudgeVerdict
from gateway.ledger.experiments import ExperimentStore, open_experiments
from gateway.refusal import Refusal
from policies.load import load_policies
from policies.match import PolicySet
from policies.outcomes import Outcomes
from policies.verdict import JudgeCounts
from tests.gateway.experiments.filled import ARMS, POLICIES, Arm, filled, policies

NOW = time.time()


def changed() -> PolicySet:
    """The same policy after somebody edited a rate: another version."""
    return load_policies(POLICIES.replace("0.2}", "0.3}"), "policies.yaml")


async def test_an_experiment_with_units_has_a_verdict(tmp_path: Path) -> None:
    store = open_experiments(filled(tmp_path, NOW))
    census = await take_census(store, policies(), NOW)
    [known] = census.experiments
    assert (known.name, known.standing, known.n_units) == ("rag", "running", 1200)
    assert known.verdict is not None
    assert (known.verdict.state, known.verdict.harmed) == ("roll_back", ("harsh",))
    assert [arm.n_units for arm in known.verdict.arms] == [400, 400, 400]
    assert as_json(census)["experiments"][0]["verdict"]["state"] == "roll_back"


async def test_one_without_units_is_there_without_a_verdict(tmp_path: Path) -> None:
    store = open_experiments(filled(tmp_path, NOW, ()))
    [known] = (await take_census(store, policies(), NOW)).experiments
    assert (known.name, known.standing, known.verdict, known.n_units) == ("rag", "running", None, 0)


async def test_an_older_version_has_ended_and_keeps_its_history(tmp_path: Path) -> None:
    store = open_experiments(filled(tmp_path, NOW))
    version = policies().policies[0].version
    await store.set_state(ExperimentState("rag", version, "rolled_back", NOW - 9, "harm", ("harsh",)))
    census = await take_census(store, changed(), NOW)
    fresh, ended = census.experiments
    assert (fresh.standing, ended.standing, ended.version) == ("running", "ended", version)
    assert (ended.verdict, ended.n_units) == (None, 1200)
    assert [(change.state, change.reason, change.arms) for change in ended.changes] == [
        ("rolled_back", "harm", ("harsh",))
    ]
    assert census.named("rag") is fresh
    assert census.named("none") is None


async def test_reset_is_for_what_was_rolled_back(tmp_path: Path) -> None:
    store, in_force = open_experiments(filled(tmp_path, NOW)), policies()
    with pytest.raises(Refusal, match="experiment rag is running, not rolled back"):
        await reset(store, in_force, "rag", NOW)
    with pytest.raises(Refusal, match="no policy in force has an experiment 'rga'; did you mean 'rag'"):
        await reset(store, in_force, "rga", NOW)
    version = in_force.policies[0].version
    await store.set_state(ExperimentState("rag", version, "rolled_back", NOW - 9, "harm", ("harsh",)))
    [known] = (await take_census(store, in_force, NOW)).experiments
    assert (known.standing, known.withdrawn) == ("rolled_back", ("harsh",))
    assert known.verdict is not None
    assert (known.verdict.state, known.verdict.winner) == ("ship", "half"), "the other arm goes on"
    await reset(store, in_force, "rag", NOW)
    [known] = (await take_census(store, in_force, NOW)).experiments
    assert (known.standing, known.withdrawn) == ("running", ())
    assert known.verdict is not None
    assert known.verdict.n_units == 0, "judged is what comes from then on"
    assert [change.state for change in known.changes] == ["running", "rolled_back"]
    assert known.changes[0].reason == "reset by a person"


class Counting:
    """A store that counts how often it is read, and waits to be let go on."""

    def __init__(self, store: ExperimentStore) -> None:
        self.store, self.n = store, 0
        self.is_asked, self.go = asyncio.Event(), asyncio.Event()
        self.verdicts, self.seen, self.states = store.verdicts, store.seen, store.states
        self.changes, self.set_state = store.changes, store.set_state

    async def outcomes(self, experiment: str, version: str, since: float = 0.0) -> Outcomes:
        self.n += 1
        self.is_asked.set()
        await self.go.wait()
        return await self.store.outcomes(experiment, version, since)


async def test_all_who_ask_share_one_reading_also_when_one_of_them_leaves(tmp_path: Path) -> None:
    counting = Counting(open_experiments(filled(tmp_path, NOW)))
    desk = LedgerDesk(counting, policies, fresh_s=3600)
    leaver, stayer = (asyncio.create_task(desk.census()) for _ in range(2))
    await counting.is_asked.wait()
    leaver.cancel()
    counting.go.set()
    first = await stayer
    assert isinstance(first, Census)
    assert await desk.census() is first
    assert counting.n == 1


async def test_what_is_stale_is_read_anew_and_a_failure_is_not_kept(tmp_path: Path) -> None:
    desk = LedgerDesk(open_experiments(f"sqlite:///{tmp_path / 'pith.db'}"), policies, fresh_s=3600)
    with pytest.raises(ConfigError, match="no such file"):
        await desk.census()
    filled(tmp_path, NOW, (Arm("control", 2),))
    first = await desk.census()
    assert first.experiments[0].n_units == 2
    version = policies().policies[0].version
    state = ExperimentState("rag", version, "rolled_back", NOW, "harm", ("harsh",))
    await open_experiments(f"sqlite:///{tmp_path / 'pith.db'}").set_state(state)
    assert await desk.census() is first
    await desk.reset("rag")
    assert [change.state for change in (await desk.census()).experiments[0].changes] == [
        "running",
        "rolled_back",
    ]


def judged(unit: str, winner: str, arm: str = "half") -> JudgeVerdict:
    return JudgeVerdict(f"{unit}{arm}{winner}", "rag", "v", unit, NOW, arm, winner)


def test_of_a_unit_the_judges_first_verdict_counts() -> None:
    said = [
        judged("a", "half"),
        judged("a", "control"),
        judged("a", "control", "harsh"),
        judged("b", "tie"),
        judged("c", "none"),
    ]
    assert judge_counts(said, "control") == (JudgeCounts("half", 0, 1, 1), JudgeCounts("harsh", 1, 0, 0))
    assert judge_counts([], "control") == ()


def test_the_arms_of_the_tests_are_those_of_their_policy() -> None:
    experiment = policies().policies[0].experiment
    assert experiment is not None
    assert [arm.name for arm in ARMS] == [variant.name for variant in experiment.variants]
