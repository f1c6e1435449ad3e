"""What the dashboard asks of the ledger, as statements any SQL database runs.

Sums are those of whole days that are kept for ever. What these do not hold (our cache, added time,
conversations) is of the latest RECENT rows of the selection, so that a page takes as long whatever there is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Label, Subquery, Table, case, func, literal, select

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


def read_overview(connection: Connection, dimension: str, selection: Selection) -> Overview:
    """All that one view shows. Raises ValueError for what is no dimension."""
    [total] = _sums(connection, None, selection)
    return Overview(
        groups=_sums(connection, dimension, selection),
        days=sorted(_sums(connection, "day", selection), key=lambda row: row.group),
        skips=_sums(connection, "skip", selection),
        total=total,
        turns=_turns(connection, selection),
        negative=_requests(connection, selection, only_negative=True),
        latest=_requests(connection, selection, only_negative=False),
    )


def _sums(connection: Connection, dimension: str | None, selection: Selection) -> list[Sums]:
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
    recent = _recent(connection, dimension, selection)
    rows = [_to_sums(row) for row in connection.execute(query).mappings()]
    return [replace(row, **recent.get(row.group, {})) for row in rows]


def _recent(connection: Connection, dimension: str | None, selection: Selection) -> dict[str, dict[str, Any]]:
    """By group, what the latest rows know."""
    row = _latest(selection)
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


def _turns(connection: Connection, selection: Selection) -> Turns:
    """Conversations where policies are applied, beside those where they are not."""
    row = _latest(selection)
    is_on = case((row.c.mode == "on", 1), else_=0).label("is_on")
    query = (
        select(is_on, func.count(row.c.conversation), func.count(row.c.conversation.distinct()))
        .where(row.c.conversation.is_not(None), row.c.policy.is_not(None), row.c.status < 400)
        .group_by(is_on)
    )
    found = {is_on: (turns, conversations) for is_on, turns, conversations in connection.execute(query)}
    return Turns(*found.get(1, (0, 0)), *found.get(0, (0, 0)))


def _latest(selection: Selection) -> Subquery:
    """The latest RECENT rows of the selection."""
    latest = select(entries).where(*_of(entries, selection)).order_by(entries.c.created_at.desc())
    if selection.since is not None:
        latest = latest.where(entries.c.created_at >= selection.since)
    return latest.limit(RECENT).subquery()


def _requests(connection: Connection, selection: Selection, *, only_negative: bool) -> list[Listed]:
    """The worst savings, or the latest requests, in that order."""
    columns = [entries.c[name] for name in (*_FACTS, *_MONEY, "added_ms")]
    query = select(*columns).where(*_of(entries, selection)).limit(LISTED)
    if selection.since is not None:
        query = query.where(entries.c.created_at >= selection.since)
    if only_negative:
        query = query.where(entries.c.saved_usd < 0).order_by(entries.c.saved_usd)
    else:
        query = query.order_by(entries.c.created_at.desc())
    return [Listed(**row) for row in connection.execute(query).mappings()]


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


def _of(table: Table, selection: Selection) -> list[ColumnElement[bool]]:
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
