"""Experiments on record: outcomes of units, the judge's verdicts, and what was decided.

It opens the ledger's database for each question, beside the one thread that writes requests, so it serves the
command line as well as the gateway. Whatever cannot be read or written is a ConfigError with the remedy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final, TypeVar

import numpy as np
import orjson
from sqlalchemy import Connection, Insert, RowMapping, Table, func, select

from gateway.errors import ConfigError
from gateway.experiments.records import ExperimentState, JudgeVerdict, Seen
from gateway.ledger.conflicts import inserting
from gateway.ledger.database import STORE_ERRORS
from gateway.ledger.experiment_sums import Sums, read_sums
from gateway.ledger.experiment_tables import changes, states, units, verdicts
from gateway.ledger.opening import Database, open_database
from policies.outcomes import COLUMNS, Metric, Outcomes

T = TypeVar("T")

_CHUNK_ROWS: Final = 20_000


def open_experiments(url: str) -> ExperimentStore:
    """Nothing is opened yet. Raises ConfigError for a URL that names no ledger."""
    return ExperimentStore(open_database(url))


class ExperimentStore:
    """Every method raises ConfigError when the ledger cannot be read or written."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def outcomes(self, experiment: str, version: str, since: float = 0.0) -> Outcomes:
        """Of every unit of one version that began at `since` or later; of none there are empty columns."""
        return await self._read(lambda store: read_outcomes(store, experiment, version, since))

    async def sums(
        self, experiment: str, version: str, metrics: Sequence[Metric], since: float = 0.0
    ) -> dict[str, Sums]:
        """By arm, of the units that began at `since` or later: what guardrails need, in little memory."""
        return await self._read(lambda store: read_sums(store, (experiment, version), metrics, since))

    async def seen(self) -> list[Seen]:
        """Every version of which there are units, the latest used first."""
        return await self._read(read_seen)

    async def verdicts(self, experiment: str, version: str) -> list[JudgeVerdict]:
        """In the order in which they came."""
        return await self._read(lambda store: read_verdicts(store, experiment, version))

    async def mirror_usd(self, since: float) -> dict[str, float]:
        """What mirrored requests and their judges have cost since then, by experiment."""
        return await self._read(lambda store: read_mirror_usd(store, since))

    async def states(self) -> list[ExperimentState]:
        """What holds; a version that nobody decided anything about is not there, and runs."""
        return await self._read(lambda store: _states(store, states))

    async def changes(self, experiment: str | None = None) -> list[ExperimentState]:
        """Every state there was, the latest first."""
        return await self._read(lambda store: _states(store, changes, experiment))

    async def set_state(self, state: ExperimentState) -> None:
        """Put it in force, and on the list of changes."""
        await asyncio.to_thread(self._write, lambda store: write_state(store, state))

    async def _read(self, query: Callable[[Connection], T]) -> T:
        return await asyncio.to_thread(self._with, self._database.open_reader, query)

    def _write(self, work: Callable[[Connection], None]) -> None:
        def committed(connection: Connection) -> None:
            work(connection)
            connection.commit()

        self._with(self._database.open_writer, committed)

    def _with(self, open_one: Callable[[], Connection], work: Callable[[Connection], T]) -> T:
        try:
            with open_one() as connection:
                return work(connection)
        except STORE_ERRORS as error:
            raise ConfigError(self._database.explain(error)) from error


def read_outcomes(connection: Connection, experiment: str, version: str, since: float = 0.0) -> Outcomes:
    """A million units take some seconds and 0.3 GB."""
    query = (
        select(units.c.arm, units.c.first_at, units.c.last_at, *(units.c[name] for name in COLUMNS))
        .where(units.c.experiment == experiment, units.c.version == version, units.c.first_at >= since)
        .execution_options(yield_per=_CHUNK_ROWS)
    )
    arms: dict[str, int] = {}
    dealt: list[np.ndarray[Any, Any]] = [np.empty(0, dtype=np.intp)]
    parts: list[np.ndarray[Any, Any]] = [np.empty((0, 2 + len(COLUMNS)))]
    for chunk in connection.execute(query).partitions():
        dealt.append(np.array([arms.setdefault(row[0], len(arms)) for row in chunk], dtype=np.intp))
        parts.append(np.array([row[1:] for row in chunk], dtype=np.float64))
    table = np.concatenate(parts).T
    has_units = table.shape[1] > 0
    return Outcomes(
        arms=tuple(arms),
        arm=np.concatenate(dealt),
        columns=dict(zip(COLUMNS, np.ascontiguousarray(table[2:]), strict=True)),
        first_at=float(table[0].min()) if has_units else 0.0,
        last_at=float(table[1].max()) if has_units else 0.0,
    )


def read_seen(connection: Connection) -> list[Seen]:
    """Every version of which there are units, the latest used first."""
    last_at = func.max(units.c.last_at)
    query = (
        select(units.c.experiment, units.c.version, func.count(), func.min(units.c.first_at), last_at)
        .group_by(units.c.experiment, units.c.version)
        .order_by(last_at.desc())
    )
    return [Seen(*row) for row in connection.execute(query)]


def read_verdicts(connection: Connection, experiment: str, version: str) -> list[JudgeVerdict]:
    """In the order in which they came."""
    query = (
        select(verdicts)
        .where(verdicts.c.experiment == experiment, verdicts.c.version == version)
        .order_by(verdicts.c.created_at, verdicts.c.id)
    )
    return [_verdict(row) for row in connection.execute(query).mappings()]


def read_mirror_usd(connection: Connection, since: float) -> dict[str, float]:
    """What mirrored requests and their judges have cost since then, by experiment."""
    query = (
        select(verdicts.c.experiment, func.sum(verdicts.c.cost_usd))
        .where(verdicts.c.created_at >= since)
        .group_by(verdicts.c.experiment)
    )
    return {experiment: float(usd) for experiment, usd in connection.execute(query)}


def write_state(connection: Connection, state: ExperimentState) -> None:
    """Put a state in force, and on the list of changes; not committed."""
    row = {
        "experiment": state.experiment,
        "version": state.version,
        "state": state.state,
        "at": state.at,
        "reason": _cut(states, "reason", state.reason),
        "arms": orjson.dumps(state.arms).decode(),
    }
    connection.execute(_replacing(connection.dialect.name), row)
    connection.execute(changes.insert(), row)


def _states(connection: Connection, table: Table, experiment: str | None = None) -> list[ExperimentState]:
    query = select(table).order_by(table.c.at.desc(), table.c.version)
    if table is changes:
        query = select(table).order_by(changes.c.number.desc())
    if experiment is not None:
        query = query.where(table.c.experiment == experiment)
    return [_state(row) for row in connection.execute(query).mappings()]


def _state(row: RowMapping) -> ExperimentState:
    return ExperimentState(
        row["experiment"],
        row["version"],
        row["state"],
        row["at"],
        row["reason"],
        tuple(orjson.loads(row["arms"])),
    )


def _verdict(row: RowMapping) -> JudgeVerdict:
    return JudgeVerdict(
        id=row["id"],
        experiment=row["experiment"],
        version=row["version"],
        unit=row["unit"],
        at=row["created_at"],
        arm=row["arm"],
        winner=row["winner"],
        cost_usd=row["cost_usd"],
        reason=row["reason"],
    )


@cache
def _replacing(dialect: str) -> Insert:
    insert = inserting(dialect, states)
    keys = ("experiment", "version")
    rest = {name: insert.excluded[name] for name in ("state", "at", "reason", "arms")}
    return insert.on_conflict_do_update(index_elements=keys, set_=rest)


def _cut(table: Table, name: str, text: str) -> str:
    length: int = table.c[name].type.length  # type: ignore[attr-defined]  # such columns are strings
    return text[:length]
