"""What the dashboard asks of the ledger, as statements any SQL database runs.

Sums are those of whole days that are kept for ever. What these do not hold (our cache, added time,
conversations) is of the latest RECENT rows of the selection, and lists are of those, too: of a group, and of
negative savings, no more than the latest SCANNED rows are looked through. So a page takes as long whatever
there is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Label, Select, Subquery, case, func, literal, select

from gateway.ledger.schema import as_text, daily, day_of, entries
from gateway.overview import (
    DIMENSIONS,
    MAX_GROUPS,
    NO_GROUP,
    RECENT,
    Listed,
    Overview,
    Selection,
    Sums,
    Turns,
)

LISTED: Final = 20
"""Requests of one list."""

SCANNED: Final = 200_000
"""Rows that are looked through for the few that are wanted: a third of a second in SQLite."""

_FACTS: Final = (
    "id",
    "created_at",
    "model",
    "policy",
    "skip",
    "status",
    "origin_tokens",
    "compressed_tokens",
)
_MONEY: Final = ("cost_usd", "saved_usd")
_SUMMED: Final[Mapping[str, str]] = {
    "requests": "requests",
    "origin_tokens": "origin_tokens",
    "compressed_tokens": "compressed_tokens",
    "prompt_tokens": "prompt_tokens",
    "cached_tokens": "cached_tokens",
    "cost_usd": "cost_usd",
    "saved_usd": "saved_usd",
    "negative": "negative_requests",
    "unpriced": "unpriced_requests",
}
"""Fields of `Sums`, and where the daily sums have them."""


def read_overview(
    connection: Connection, dimension: str, selection: Selection, scanned: int = SCANNED
) -> Overview:
    """All that one view shows. Raises ValueError for what is no dimension."""
    rows = _rows(selection, scanned)
    recent = rows.order_by(rows.selected_columns.created_at.desc()).limit(RECENT).subquery()
    [total] = _sums(connection, None, selection, recent)
    return Overview(
        groups=_sums(connection, dimension, selection, recent),
        days=sorted(_sums(connection, "day", selection, recent), key=lambda row: row.group),
        skips=_sums(connection, "skip", selection, recent),
        total=total,
        turns=_turns(connection, recent),
        negative=_worst(connection, _rows(selection, scanned, is_scan=True)),
        latest=_listed(connection, rows.order_by(rows.selected_columns.created_at.desc())),
    )


def _rows(selection: Selection, scanned: int, *, is_scan: bool = False) -> Select[Any]:
    """The rows of the selection: of a group, and where it `is_scan`, among the latest so many of the time."""
    since = selection.since
    latest = select(entries).where(*([] if since is None else [entries.c.created_at >= since]))
    if selection.dimension is None and not is_scan:
        return latest
    row = latest.order_by(entries.c.created_at.desc()).limit(scanned).subquery()
    return select(row).where(*_of(row, selection))


def _sums(
    connection: Connection, dimension: str | None, selection: Selection, recent_rows: Subquery
) -> list[Sums]:
    """A row a group, with what is known of its latest requests."""
    group = _group(daily, dimension)
    summed = [func.coalesce(func.sum(daily.c[column]), 0).label(name) for name, column in _SUMMED.items()]
    query = select(group, *summed).where(*_of(daily, selection))
    if selection.since is not None:
        query = query.where(daily.c.day >= day_of(selection.since))
    if dimension is not None:
        # Of days the latest: a chart has room for so many.
        is_later = daily.c.day.desc() if dimension == "day" else func.sum(daily.c.requests).desc()
        query = query.group_by(group).order_by(is_later, group).limit(MAX_GROUPS)
    recent = _recent(connection, dimension, recent_rows)
    rows = [_to_sums(row) for row in connection.execute(query).mappings()]
    return [replace(row, **recent.get(row.group, {})) for row in rows]


def _recent(connection: Connection, dimension: str | None, row: Subquery) -> dict[str, dict[str, Any]]:
    """By group, what the latest rows know."""
    group = _group(row, dimension)
    query = select(
        group,
        func.count(row.c.conversation).label("turns"),
        func.count(row.c.conversation.distinct()).label("conversations"),
        _count("lookups", row.c.cache.is_not(None)),
        _count("hits", row.c.cache.in_(("hit", "response"))),
        _count("timed", row.c.added_ms.is_not(None)),
        func.coalesce(func.sum(row.c.added_ms), 0.0).label("added_ms"),
    )
    if dimension is not None:
        query = query.group_by(group)
    found = {}
    for one in connection.execute(query).mappings():
        said = {name: float(value) if name == "added_ms" else int(value) for name, value in _but_group(one)}
        found[_name(one["group"])] = said
    return found


def _turns(connection: Connection, row: Subquery) -> Turns:
    """Conversations where policies are applied, beside those where they are not."""
    is_on = case((row.c.mode == "on", 1), else_=0).label("is_on")
    query = (
        select(is_on, func.count(row.c.conversation), func.count(row.c.conversation.distinct()))
        .where(row.c.conversation.is_not(None), row.c.policy.is_not(None), row.c.status < 400)
        .group_by(is_on)
    )
    found = {is_on: (turns, conversations) for is_on, turns, conversations in connection.execute(query)}
    return Turns(*found.get(1, (0, 0)), *found.get(0, (0, 0)))


def _worst(connection: Connection, rows: Select[Any]) -> list[Listed]:
    """The worst savings, worst first."""
    saved = rows.selected_columns.saved_usd
    return _listed(connection, rows.where(saved < 0).order_by(saved))


def _listed(connection: Connection, rows: Select[Any]) -> list[Listed]:
    """As many as a list has."""
    columns = [rows.selected_columns[name] for name in (*_FACTS, *_MONEY, "added_ms")]
    found = connection.execute(rows.with_only_columns(*columns).limit(LISTED)).mappings()
    return [Listed(**row) for row in found]


def _to_sums(row: Any) -> Sums:
    # A sum of PostgreSQL's is a Decimal.
    numbers = {name: float(value) if name in _MONEY else int(value) for name, value in _but_group(row)}
    return Sums(group=_name(row["group"]), **numbers)  # type: ignore[arg-type]  # money is float, the others int


def _but_group(row: Any) -> Sequence[tuple[str, Any]]:
    return [(name, value) for name, value in row.items() if name != "group"]


def _name(group: str | None) -> str:
    return NO_GROUP if group is None else group


def _group(table: Any, dimension: str | None) -> Label[Any]:
    column = literal("") if dimension is None else table.c[_known(dimension)]
    return column.label("group")


def _of(table: Any, selection: Selection) -> list[ColumnElement[bool]]:
    if selection.dimension is None:
        return []
    column = table.c[_known(selection.dimension)]
    return [column.is_(None) if selection.value == NO_GROUP else column == as_text(selection.value or "")]


def _known(dimension: str) -> str:
    if dimension not in DIMENSIONS:
        raise ValueError(f"group_by: {dimension!r} is not one of {', '.join(DIMENSIONS)}")
    return dimension


def _count(name: str, condition: ColumnElement[bool]) -> Label[Any]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0).label(name)
