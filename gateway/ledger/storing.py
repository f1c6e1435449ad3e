"""One batch into the tables: entries with their sums by day and by unit, and notes; in one transaction.

What is there already adds nothing, for entries and notes have ids. Nothing here commits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from sqlalchemy import BindParameter, Connection, Insert, bindparam, select

from gateway.experiments.records import Exposure, Feedback, JudgeVerdict
from gateway.ledger.conflicts import inserting
from gateway.ledger.experiment_tables import feedback, verdicts
from gateway.ledger.notes import KIND, Row, notes_of
from gateway.ledger.rollup import insert_rows
from gateway.ledger.schema import entries
from gateway.ledger.unit_rows import add_to_units
from gateway.ledger.unit_sums import Contribution, contribution


def store_rows(connection: Connection, rows: Sequence[Row]) -> int:
    """Store everything; returns how much feedback was repeated, and left out for that."""
    notes = notes_of(rows)
    new = insert_rows(connection, [row for row in rows if KIND not in row])
    contributions = [one for row in new if (one := contribution(row)) is not None]
    contributions += _counted(connection, [str(row["id"]) for row in new])
    given = [one for one in notes if isinstance(one, Feedback)]
    if fresh := _fresh(connection, given):
        connection.execute(feedback.insert(), [_feedback_row(one) for one in fresh])
        contributions += _counted(connection, [one.id for one in fresh])
    if judged := [one for one in notes if isinstance(one, JudgeVerdict)]:
        connection.execute(_judging(connection.dialect.name), [_verdict_row(one) for one in judged])
    add_to_units(connection, [one for one in notes if isinstance(one, Exposure)], contributions)
    return len(given) - len(fresh)


def forget_words(connection: Connection, before: float) -> None:
    """Take out what somebody wrote about requests of before then; scores and verdicts stay."""
    for table in (feedback, verdicts):
        is_old = (table.c.created_at < before) & table.c.reason.is_not(None)
        connection.execute(table.update().where(is_old).values(reason=None))


def _fresh(connection: Connection, given: Sequence[Feedback]) -> list[Feedback]:
    """The first on each request, unless there is some on record."""
    first = {one.id: one for one in reversed(given)}
    known = set(connection.scalars(_KNOWN, {"ids": list(first)})) if first else set()
    return [one for name, one in first.items() if name not in known]


def _counted(connection: Connection, ids: Sequence[str]) -> list[Contribution]:
    """Feedback on these requests whose row has come by now and that was in no sum yet; from now on it is."""
    if not ids:
        return []
    found = connection.execute(_WAITING, {"ids": ids}).mappings().all()
    if found:
        connection.execute(_COUNT, {"ids": [row["id"] for row in found]})
    scored = (contribution(dict(row), {"feedback_n": 1, "feedback_sum": row["score"]}) for row in found)
    return [one for one in scored if one is not None]


def _feedback_row(one: Feedback) -> dict[str, Any]:
    return {"id": one.id, "created_at": one.at, "score": one.score, "reason": one.reason, "is_counted": False}


def _verdict_row(one: JudgeVerdict) -> Mapping[str, Any]:
    names = ("id", "experiment", "version", "unit", "arm", "winner", "cost_usd", "reason")
    return {"created_at": one.at, **{name: getattr(one, name) for name in names}}


# Made once: a statement made anew each time takes longer than the database.
_IDS: Final[BindParameter[str]] = bindparam("ids", expanding=True)
_KNOWN: Final = select(feedback.c.id).where(feedback.c.id.in_(_IDS))
_WAITING: Final = (
    select(entries, feedback.c.score)
    .join_from(feedback, entries, feedback.c.id == entries.c.id)
    .where(feedback.c.id.in_(_IDS), feedback.c.is_counted.is_(False))
)
_COUNT: Final = feedback.update().where(feedback.c.id.in_(_IDS)).values(is_counted=True)


@cache
def _judging(dialect: str) -> Insert:
    return inserting(dialect, verdicts).on_conflict_do_nothing()


"""By dialect: both know ON CONFLICT, each by its own construct."""
