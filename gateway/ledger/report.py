"""Sums over the ledger: which groups there are, the query, and its rows."""

from __future__ import annotations

from typing import Any, Final

import orjson
from sqlalchemy import ColumnElement, Connection, Select, case, func, select

from gateway.ledger.schema import entries
from gateway.types import ReportRow

GROUPS: Final = ("policy", "model", "team", "key_id", "variant", "mode", "skip", "day")
"""What a report can be grouped by; each is a column."""

NO_GROUP: Final = "(none)"
"""Shown for entries without a value in the grouping column."""

_column = entries.columns


def report_rows(connection: Connection, group_by: str, since: float | None = None) -> list[ReportRow]:
    """One row a group: days in order, other groups by requests, most first."""
    rows = [_to_report_row(row) for row in connection.execute(report_query(group_by, since)).mappings()]
    if group_by == "day":
        return sorted(rows, key=lambda row: row.group)
    return sorted(rows, key=lambda row: (-row.requests, row.group))


def unpriced_models(connection: Connection, since: float | None = None) -> list[str]:
    """Models with usage and no known price, by name."""
    query = select(_column.model).where(_is_unpriced(), *_since(since)).distinct()
    return sorted(NO_GROUP if model is None else model for model in connection.scalars(query))


def entry_row(connection: Connection, request_id: str) -> dict[str, object] | None:
    """One request's row, its stages as a mapping; None when there is none."""
    row = connection.execute(select(entries).where(_column.id == request_id)).mappings().first()
    return None if row is None else {**row, "timing_ms": orjson.loads(row["timing_ms"])}


def report_query(group_by: str, since: float | None) -> Select[Any]:
    """The sums, as one statement any SQL database runs."""
    if group_by not in GROUPS:
        raise ValueError(f"group_by: {group_by!r} is not one of {', '.join(GROUPS)}")
    group = _column[group_by]
    # Of failures and retries nothing was billed: their tokens would show as saved once an attempt.
    is_counted = (
        (_column.status < 400) & _column.origin_tokens.is_not(None) & _column.compressed_tokens.is_not(None)
    )
    is_shorter = _column.compressed_tokens < _column.origin_tokens
    return (
        select(
            group.label("group"),
            func.count().label("requests"),
            _count((_column.mode == "on") & is_shorter).label("compressed_requests"),
            _sum(case((is_counted, _column.origin_tokens))).label("origin_tokens"),
            _sum(case((is_counted, _column.compressed_tokens))).label("compressed_tokens"),
            *(
                _sum(_column[name]).label(name)
                for name in ("prompt_tokens", "cached_tokens", "completion_tokens")
            ),
            *(_sum(_column[name]).label(name) for name in ("cost_usd", "saved_usd")),
            _count(_is_unpriced()).label("unpriced_requests"),
            _count(_column.mode == "shadow").label("shadow_requests"),
        )
        .where(*_since(since))
        .group_by(group)
    )


def _to_report_row(row: Any) -> ReportRow:
    money = {name: float(row[name]) for name in ("cost_usd", "saved_usd")}
    return ReportRow(**{**row, **money, "group": NO_GROUP if row["group"] is None else row["group"]})


def _is_unpriced() -> ColumnElement[bool]:
    return _column.prompt_tokens.is_not(None) & _column.cost_usd.is_(None)


def _since(since: float | None) -> list[ColumnElement[bool]]:
    return [] if since is None else [_column.created_at >= since]


def _sum(expression: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.coalesce(func.sum(expression), 0)


def _count(condition: ColumnElement[bool]) -> ColumnElement[Any]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)
