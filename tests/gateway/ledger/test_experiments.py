"""What is on record of experiments can be read and decided about, in either database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.errors import ConfigError
from gateway.experiments.records import ExperimentState, JudgeVerdict, Seen
from gateway.ledger.experiment_tables import units, verdicts
from gateway.ledger.experiments import ExperimentStore, open_experiments
from gateway.ledger.opening import open_database
from policies.outcomes import COLUMNS, FIRST
from tests.postgres_server import PostgresServer, postgres_server


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server() as started:
        yield started


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/pith.db"
    server: PostgresServer = request.getfixturevalue("server")
    server.change("drop schema public cascade")
    server.change("create schema public")
    return server.url


@pytest.fixture
def store(url: str) -> ExperimentStore:
    open_database(url).open_writer().close()
    return open_experiments(url)


def unit(name: str, arm: str, *, version: str = "v1", at: float = 0.0, **sums: float) -> dict[str, object]:
    row: dict[str, object] = dict.fromkeys(COLUMNS, 0)
    return {
        **row,
        "experiment": "rag",
        "version": version,
        "unit": name,
        "arm": arm,
        "first_at": at,
        "last_at": at + 10,
        **sums,
    }


async def test_outcomes_are_columns_by_arm(store: ExperimentStore, url: str) -> None:
    with open_database(url).open_writer() as writer:
        rows = [
            unit("a", "control", at=100.0, requests=3, cost_usd=0.5, first_tokens=7),
            unit("b", "half", at=50.0, requests=1, cost_usd=0.25),
            unit("c", "control", at=60.0, requests=2),
            unit("d", "half", version="v2", at=900.0, requests=9),
        ]
        writer.execute(units.insert(), rows)
        writer.commit()
    found = await store.outcomes("rag", "v1")
    assert set(found.columns) == set(COLUMNS)
    said = {
        found.arms[arm]: float(found.columns["requests"][found.arm == arm].sum())
        for arm in range(len(found.arms))
    }
    assert said == {"control": 5.0, "half": 1.0}
    assert sorted(found.columns["cost_usd"]) == [0, 0.25, 0.5]
    assert sorted(found.columns[FIRST]) == [0, 0, 7]
    assert (found.first_at, found.last_at) == (50.0, 110.0)
    assert await store.seen() == [Seen("rag", "v2", 1, 900.0, 910.0), Seen("rag", "v1", 3, 50.0, 110.0)]


async def test_of_nothing_there_are_empty_columns(store: ExperimentStore) -> None:
    found = await store.outcomes("rag", "v1")
    assert (found.arms, found.arm.shape) == ((), (0,))
    assert {column.shape for column in found.columns.values()} == {(0,)}
    assert (found.first_at, found.last_at) == (0, 0)
    assert (await store.seen(), await store.states(), await store.verdicts("rag", "v1")) == ([], [], [])


async def test_the_latest_state_holds_and_every_one_is_on_the_list(store: ExperimentStore) -> None:
    rolled_back = ExperimentState("rag", "v1", "rolled_back", 5.0, "errors: 3 % more", ("half", "third"))
    running = ExperimentState("rag", "v1", "running", 6.0, "reset")
    other = ExperimentState("chat", "v9", "shipped", 7.0, "x" * 5_000)
    for state in (rolled_back, running, other):
        await store.set_state(state)
    cut = ExperimentState("chat", "v9", "shipped", 7.0, "x" * 1_000)
    assert await store.states() == [cut, running]
    assert await store.changes() == [cut, running, rolled_back]
    assert await store.changes("rag") == [running, rolled_back]


async def test_verdicts_come_in_their_order(store: ExperimentStore, url: str) -> None:
    said = [
        JudgeVerdict("pith-2", "rag", "v1", "u", 1.0, "half", "tie", 0.5),
        JudgeVerdict("pith-1", "rag", "v1", "u", 2.0, "half", "control", 0.25, "longer"),
    ]
    with open_database(url).open_writer() as writer:
        for one in (*said, JudgeVerdict("pith-3", "rag", "v2", "u", 1.0, "half", "half")):
            row = {name: getattr(one, name) for name in verdicts.columns.keys() if name != "created_at"}  # noqa: SIM118
            writer.execute(verdicts.insert(), [{**row, "created_at": one.at}])
        writer.commit()
    assert await store.verdicts("rag", "v1") == said


async def test_a_ledger_that_is_not_there_is_named(tmp_path: Path) -> None:
    store = open_experiments(f"sqlite:///{tmp_path}/none/pith.db")
    with pytest.raises(ConfigError, match="no such file"):
        await store.states()
    with pytest.raises(ConfigError, match="does not exist"):
        await store.set_state(ExperimentState("rag", "v1", "running", 0.0))
    with pytest.raises(ConfigError, match="names no file"):
        open_experiments("sqlite://")
