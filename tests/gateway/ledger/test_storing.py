"""Outcomes of units are stored with the rows they come from: once, in any order, in either database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select

from gateway.experiments.records import Exposure, Feedback, JudgeVerdict, Note
from gateway.ledger.database import open_writer
from gateway.ledger.experiment_tables import feedback, units, verdicts
from gateway.ledger.experiments import open_experiments, read_verdicts
from gateway.ledger.notes import to_note_row
from gateway.ledger.opening import open_database
from gateway.ledger.schema import to_row
from gateway.ledger.store import LedgerSettings, SqlLedger
from gateway.ledger.storing import forget_words, store_rows
from gateway.types import Entry
from tests.postgres_server import PostgresServer, postgres_server

TIMEOUT_S = 20.0
UNIT = "a" * 64


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server() as started:
        yield started


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/pith.db"
    server: PostgresServer = request.getfixturevalue("server")
    server.change("drop schema public cascade")
    server.change("create schema public")
    return server.url


@pytest.fixture
def connection(url: str) -> Iterator[Connection]:
    with open_database(url).open_writer() as writer:
        yield writer


def entry(n: int, **said: Any) -> Entry:
    plain = {"id": f"pith-{n}", "created_at": 100.0 + n, "path": "/v1/chat/completions", "status": 200}
    dealt = {"policy": "rag", "policy_version": "v1", "variant": "half", "unit": UNIT, "is_eligible": True}
    return Entry(**{**plain, **dealt, "origin_tokens": 10 * n, **said})


def exposure(at: float = 100.0, **said: Any) -> Exposure:
    return Exposure(**{"experiment": "rag", "version": "v1", "unit": UNIT, "arm": "half", "at": at, **said})


def store(connection: Connection, *records: Entry | Note) -> int:
    return store_rows(
        connection, [to_row(one) if isinstance(one, Entry) else to_note_row(one) for one in records]
    )


def unit(connection: Connection, name: str = UNIT) -> dict[str, Any] | None:
    row = connection.execute(select(units).where(units.c.unit == name)).mappings().first()
    return None if row is None else dict(row)


def test_an_exposure_is_there_before_any_outcome(connection: Connection) -> None:
    store(connection, exposure(100.0, first_tokens=7))
    found = unit(connection)
    assert found is not None
    assert (found["arm"], found["first_at"], found["first_tokens"], found["requests"]) == (
        "half",
        100.0,
        7,
        0,
    )


def test_requests_are_added_once(connection: Connection) -> None:
    store(connection, exposure(101.0), entry(1, cost_usd=0.5), entry(2, cost_usd=0.25))
    store(connection, entry(2, cost_usd=0.25), entry(3, cost_usd=0.125), entry(3, cost_usd=0.125))
    found = unit(connection)
    assert found is not None
    assert (found["requests"], found["cost_usd"], found["origin_tokens"]) == (3, 0.875, 60)
    assert (found["first_at"], found["last_at"], found["arm"]) == (101.0, 103.0, "half")


def test_a_unit_keeps_its_arm_and_its_first_tokens(connection: Connection) -> None:
    store(connection, exposure(101.0, first_tokens=7), entry(1))
    store(connection, exposure(105.0, arm="control", first_tokens=9), entry(5, variant="control"))
    found = unit(connection)
    assert found is not None
    assert (found["arm"], found["first_tokens"], found["requests"], found["first_at"]) == (
        "half",
        7,
        2,
        101.0,
    )


def test_requests_count_from_the_first_on_that_an_arm_would_act_on(connection: Connection) -> None:
    store(connection, entry(1, is_eligible=False))
    assert unit(connection) is None
    store(connection, entry(2, is_eligible=None), exposure(103.0), entry(3), entry(4, is_eligible=False))
    store(connection, entry(5, is_eligible=False))
    found = unit(connection)
    assert found is not None
    assert (found["requests"], found["eligible"], found["first_at"], found["last_at"]) == (3, 1, 103.0, 105.0)


def test_a_lost_exposure_is_made_up_for(connection: Connection) -> None:
    store(connection, entry(1))
    found = unit(connection)
    assert found is not None
    assert (found["arm"], found["requests"], found["first_at"], found["first_tokens"]) == (
        "half",
        1,
        101.0,
        10,
    )


def test_rows_outside_experiments_have_no_unit(connection: Connection) -> None:
    store(connection, entry(1, variant=None), entry(2, unit=None))
    assert unit(connection) is None


@pytest.mark.parametrize("order", ["before", "together", "after"])
def test_feedback_is_added_once_whenever_it_comes(connection: Connection, order: str) -> None:
    said = Feedback("pith-1", 200.0, 0.75, "good")
    batches: dict[str, list[list[Entry | Note]]] = {
        "before": [[said], [exposure(), entry(1)]],
        "together": [[exposure(), said, entry(1)]],
        "after": [[exposure(), entry(1)], [said]],
    }
    assert [store(connection, *batch) for batch in batches[order]] == [0] * len(batches[order])
    repeated = Feedback("pith-1", 201.0, 0.0)
    assert store(connection, repeated, repeated) == 2
    found = unit(connection)
    assert found is not None
    assert (found["feedback_n"], found["feedback_sum"], found["requests"]) == (1, 0.75, 1)
    [row] = connection.execute(select(feedback)).mappings()
    assert (row["score"], row["reason"], row["is_counted"]) == (0.75, "good", True)


def test_feedback_on_what_is_in_no_experiment_is_kept(connection: Connection) -> None:
    assert (
        store(connection, entry(1, unit=None), Feedback("pith-1", 1.0, 1.0), Feedback("pith-2", 1.0, 0.5))
        == 0
    )
    rows = connection.execute(select(feedback.c.id, feedback.c.is_counted).order_by(feedback.c.id)).all()
    assert [tuple(row) for row in rows] == [("pith-1", True), ("pith-2", False)]
    assert unit(connection) is None


def test_there_is_one_verdict_a_request(connection: Connection) -> None:
    first = JudgeVerdict("pith-1", "rag", "v1", UNIT, 5.0, "half", "tie", 0.25, "both say so")
    store(connection, first)
    store(connection, JudgeVerdict("pith-1", "rag", "v1", UNIT, 6.0, "half", "half"))
    assert read_verdicts(connection, "rag", "v1") == [first]


def test_words_are_forgotten_and_what_they_were_about_stays(connection: Connection) -> None:
    for n, at in ((1, 5.0), (2, 15.0)):
        store(connection, JudgeVerdict(f"pith-{n}", "rag", "v1", UNIT, at, "half", "tie", 0.0, "why"))
        store(connection, Feedback(f"pith-{n}", at, 1.0, "why"))
    forget_words(connection, 10.0)
    for table in (feedback, verdicts):
        rows = connection.execute(select(table.c.id, table.c.reason).order_by(table.c.id)).all()
        assert [tuple(row) for row in rows] == [("pith-1", None), ("pith-2", "why")]


step = st.tuples(st.integers(0, 9), st.sampled_from([True, False, None]), st.sampled_from(["u1", "u2"]))


@settings(max_examples=25)
@given(st.lists(st.lists(step, max_size=4), max_size=5))
def test_units_are_the_sums_of_their_rows(tmp_path_factory: Any, batches: list[list[Any]]) -> None:
    """Requests come in their order here; whatever the batches are, sums are those of the rows."""
    path = tmp_path_factory.mktemp("units") / "pith.db"
    with open_writer(path) as writer:
        n, reference, began, seen = 0, {"u1": 0, "u2": 0}, set(), set()
        for batch in batches:
            said = []
            for number, is_eligible, name in batch:
                n += 1
                said.append(entry(number, created_at=float(n), is_eligible=is_eligible, unit=name))
                if number in seen:
                    continue
                seen.add(number)
                began |= {name} if is_eligible else set()
                reference[name] += name in began
            unique = {one.id: one for one in reversed(said)}
            store(writer, *(one for one in said if unique[one.id] is one))
        for name, requests in reference.items():
            found = unit(writer, name)
            assert (found["requests"] if found else 0) == requests


async def test_a_ledger_that_is_away_gets_the_outcomes_when_it_is_back(tmp_path: Path) -> None:
    path = tmp_path / "pith.db"
    url = f"sqlite:///{path}"
    ledger = SqlLedger(url, LedgerSettings(flush_s=0.001, retry_s=0.01, retry_max_s=0.02))
    ledger.start()
    path.rename(tmp_path / "moved.db")
    path.write_bytes(b"no database" * 1_000)
    ledger.note(exposure(101.0, first_tokens=7))
    ledger.record(entry(1, cost_usd=0.5))
    ledger.note(Feedback("pith-1", 200.0, 0.5))
    ledger.note(JudgeVerdict("pith-1", "rag", "v1", UNIT, 6.0, "half", "half"))
    await ledger.aclose()
    assert (ledger.dropped, len(list((tmp_path / "pith.db.spool").iterdir()))) == (0, 1)
    path.unlink()
    again = SqlLedger(url)
    again.start()
    found = open_experiments(url)
    async with asyncio.timeout(TIMEOUT_S):
        while not (outcomes := await found.outcomes("rag", "v1")).columns["feedback_n"].any():
            pass
    await again.aclose()
    said = {name: float(column[0]) for name, column in outcomes.columns.items() if column[0]}
    assert said == {
        "requests": 1,
        "eligible": 1,
        "origin_tokens": 10,
        "cost_usd": 0.5,
        "first_tokens": 7,
        "feedback_n": 1,
        "feedback_sum": 0.5,
    }
    assert outcomes.arms == ("half",)
    [verdict] = await found.verdicts("rag", "v1")
    assert verdict.winner == "half"


async def test_odd_notes_are_dropped_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/pith.db"
    ledger = SqlLedger(url)
    ledger.note(exposure(unit="\ud800\x00" * 99, experiment="x" * 999, first_tokens=10**30))
    ledger.note(None)  # type: ignore[arg-type]  # the writer lives on
    ledger.note(Feedback("y" * 99, float("nan"), float("inf"), "z" * 9_999))
    ledger.start()
    await ledger.aclose()
    assert ledger.dropped == 1
    [seen] = await open_experiments(url).seen()
    assert seen.experiment == "x" * 128
    with open_database(url).open_reader() as reader:
        [row] = reader.execute(select(feedback)).mappings()
    assert (len(row["id"]), row["created_at"], row["score"], len(row["reason"])) == (64, 0.0, 0.0, 1_000)


async def test_replicas_add_to_the_same_units(url: str) -> None:
    quick = LedgerSettings(flush_s=0.001, batch_rows=7, retry_s=0.01, retry_max_s=0.02)
    replicas = [SqlLedger(url, quick), SqlLedger(url, quick)]
    for replica in replicas:
        replica.start()
    for n in range(120):
        name = f"unit-{n % 5}"
        replica = replicas[n % 2]
        replica.note(exposure(100.0 + n, unit=name))
        replica.record(entry(n, unit=name, is_eligible=n % 3 > 0, cost_usd=0.5))
        replica.note(Feedback(f"pith-{n}", 300.0, 1.0))
    for replica in replicas:
        await replica.aclose()
    assert [replica.dropped for replica in replicas] == [0, 0]
    outcomes = await open_experiments(url).outcomes("rag", "v1")
    assert outcomes.columns["requests"].tolist() == [24] * 5
    assert outcomes.columns["feedback_n"].tolist() == [24] * 5
    assert outcomes.columns["cost_usd"].tolist() == [12.0] * 5
    assert (outcomes.first_at, outcomes.last_at) == (100.0, 219.0)
