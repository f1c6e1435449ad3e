"""Guardrails read from the database's sums say what they say of every unit, in either database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gateway.ledger.experiment_sums import SummedFigures
from gateway.ledger.experiment_tables import units
from gateway.ledger.experiments import ExperimentStore, open_experiments
from gateway.ledger.opening import open_database
from policies.outcomes import COUNTS, METRICS, Outcomes
from policies.readings import UnitFigures, guardrails
from policies.verdict import harms_of
from tests.policies.made_outcomes import experiment, outcomes
from tests.postgres_server import PostgresServer, postgres_server

DESIGN = experiment(guardrails={"errors": 0.01, "truncated": 0.01, "feedback": 0.1})
RAILS = [METRICS[name] for name in DESIGN.guardrails]


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server() as started:
        yield started


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ExperimentStore:
    url = f"sqlite:///{tmp_path}/pith.db"
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("server")
        server.change("drop schema public cascade")
        server.change("create schema public")
        url = server.url
    with open_database(url).open_writer() as writer:
        writer.execute(units.insert(), rows(MADE))
        writer.commit()
    return open_experiments(url)


def with_feedback(made: Outcomes) -> Outcomes:
    n, rng = len(made.arm), np.random.default_rng(1)
    said = (rng.random(n) < 0.5).astype(float)
    columns = {**made.columns, "feedback_n": said, "feedback_sum": said * rng.random(n)}
    return Outcomes(made.arms, made.arm, columns, made.first_at, made.last_at)


MADE = with_feedback(outcomes(1500, errors={"control": 0.02, "half": 0.08}))


def rows(made: Outcomes) -> list[dict[str, object]]:
    """The first half began at 100, the rest at 200."""
    return [
        {
            "experiment": "rag",
            "version": "v1",
            "unit": f"unit {i}",
            "arm": made.arms[arm],
            "first_at": 100.0 if i < len(made.arm) / 2 else 200.0,
            "last_at": 300.0,
            **{
                name: int(column[i]) if name in COUNTS or name == "first_tokens" else float(column[i])
                for name, column in made.columns.items()
            },
        }
        for i, arm in enumerate(made.arm)
    ]


async def test_guardrails_are_the_same_as_of_every_unit(store: ExperimentStore) -> None:
    summed = SummedFigures(DESIGN, await store.sums("rag", "v1", RAILS))
    whole = UnitFigures(await store.outcomes("rag", "v1"), DESIGN)
    assert summed.n_units("control") == whole.n_units("control") > 700
    for mine, theirs in zip(guardrails(summed, "half"), guardrails(whole, "half"), strict=True):
        assert (mine.low, mine.high, mine.value) == pytest.approx((theirs.low, theirs.high, theirs.value))
        assert (mine.is_breached, mine.is_proven, mine.note) == (
            theirs.is_breached,
            theirs.is_proven,
            theirs.note,
        )
    assert harms_of(summed) == harms_of(whole) != ()


async def test_only_units_that_began_since_then_count(store: ExperimentStore) -> None:
    later = await store.sums("rag", "v1", RAILS, since=150.0)
    assert sum(sums.n_units for sums in later.values()) == 750
    assert await store.sums("rag", "v1", RAILS, since=250.0) == {}
    assert len((await store.outcomes("rag", "v1", since=150.0)).arm) == 750
    assert harms_of(SummedFigures(DESIGN, {})) == ()


async def test_a_metric_by_unit_counts_each_as_one(store: ExperimentStore) -> None:
    turns = METRICS["turns"]
    summed = SummedFigures(DESIGN, await store.sums("rag", "v1", [turns]))
    whole = UnitFigures(await store.outcomes("rag", "v1"), DESIGN)
    mine, theirs = summed.summary(turns, "half"), whole.summary(turns, "half")
    assert mine.mean[:2] == pytest.approx(theirs.mean[:2])
    assert mine.covariance[:2, :2] == pytest.approx(theirs.covariance[:2, :2])
    assert summed.n_with(turns, "half") == whole.n_with(turns, "half") == summed.n_units("half")


async def test_what_is_not_summed_is_not_told(store: ExperimentStore) -> None:
    with pytest.raises(KeyError, match="only metrics are summed"):
        SummedFigures(DESIGN, {}).total("requests", "half")
