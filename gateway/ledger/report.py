"""Sums over the ledger: of whole days from the sums that are kept, of a day cut by `since` from its rows.

Rows may be deleted after a while, the sums never. A day whose rows are gone counts whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

import orjson
from sqlalchemy import ColumnElement, Connection, Select, func, select

from gateway.ledger.rollup import is_unpriced, row_sums
from gateway.ledger.schema import GROUPS, MONEY, SUMS, as_text, daily, day_of, entries
from gateway.types import ReportRow

NO_GROUP: Final = "(none)"
"""Shown for entries without a value in the grouping column."""

__all__ = ["GROUPS", "NO_GROUP", "entry_row", "report_rows", "unpriced_models"]

_DAY_S: Final = 86_400
_column = entries.columns


def report_rows(connection: Connection, group_by: str, since: float | None = None) -> list[ReportRow]:
    """One row a group: days in order, other groups by requests, most first."""
    if group_by not in GROUPS:
        raise ValueError(f"group_by: {group_by!r} is not one of {', '.join(GROUPS)}")
    whole, cut = _parts(connection, since)
    sums = [func.coalesce(func.sum(daily.c[name]), 0).label(name) for name in SUMS]
    queries: list[Select[Any]] = [_grouped(daily.c[group_by], sums).where(*whole)]
    if cut:
        queries.append(_grouped(_column[group_by], row_sums()).where(*cut))
    totals: dict[str | None, dict[str, float]] = defaultdict(lambda: dict.fromkeys(SUMS, 0))
    for query in queries:
        for row in connection.execute(query).mappings():
            total = totals[row["group"]]
            for name in SUMS:
                total[name] += (float if name in MONEY else int)(row[name])
    rows = [_to_report_row(group, total) for group, total in totals.items()]
    if group_by == "day":
        return sorted(rows, key=lambda row: row.group)
    return sorted(rows, key=lambda row: (-row.requests, row.group))


def unpriced_models(connection: Connection, since: float | None = None) -> list[str]:
    """Models with usage and no known price, by name."""
    whole, cut = _parts(connection, since)
    found = set(
        connection.scalars(select(daily.c.model).where(daily.c.unpriced_requests > 0, *whole).distinct())
    )
    if cut:
        found |= set(connection.scalars(select(_column.model).where(is_unpriced(), *cut).distinct()))
    return sorted(NO_GROUP if model is None else model for model in found)


def entry_row(connection: Connection, request_id: str) -> dict[str, object] | None:
    """One request's row, its stages as a mapping; None when there is none."""
    row = connection.execute(select(entries).where(_column.id == as_text(request_id))).mappings().first()
    return None if row is None else {**row, "timing_ms": orjson.loads(row["timing_ms"])}


def _parts(
    connection: Connection, since: float | None
) -> tuple[list[ColumnElement[bool]], list[ColumnElement[bool]]]:
    """The days to take whole, and the rows to take besides, if any."""
    if since is None:
        return [], []
    day = day_of(since)
    if since % _DAY_S == 0 or _is_before_all_rows(connection, since):
        return [daily.c.day >= day], []
    return [daily.c.day > day], [_column.created_at >= since, _column.day == day]


def _is_before_all_rows(connection: Connection, since: float) -> bool:
    oldest = connection.scalar(select(func.min(_column.created_at)))
    return oldest is None or since <= oldest


def _grouped(group: ColumnElement[Any], sums: Sequence[ColumnElement[Any]]) -> Select[Any]:
    return select(group.label("group"), *sums).group_by(group)


def _to_report_row(group: str | None, total: dict[str, float]) -> ReportRow:
    sums: dict[str, Any] = {name: (float if name in MONEY else int)(total[name]) for name in SUMS}
    return ReportRow(group=NO_GROUP if group is None else group, **sums)
