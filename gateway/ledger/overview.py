"""What the dashboard asks of the ledger, as statements any SQL database runs."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Label, Select, case, func, literal, select

from gateway.ledger.schema import entries
from gateway.overview import DIMENSIONS, MAX_GROUPS, NO_GROUP, Listed, Overview, Selection, Sums

LISTED: Final = 20
"""Requests of one list."""

_column = entries.columns
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
_MONEY: Final = ("cost_usd", "saved_usd", "added_ms")


def read_overview(connection: Connection, dimension: str, selection: Selection) -> Overview:
    """All that one view shows. Raises ValueError for what is no dimension."""
    total = connection.execute(_sums_query(None, selection)).mappings().one()
    return Overview(
        groups=_sums(connection, dimension, selection),
        days=_sums(connection, "day", selection),
        skips=_sums(connection, "skip", selection),
        total=_to_sums(total),
        negative=_requests(connection, selection, only_negative=True),
        latest=_requests(connection, selection, only_negative=False),
    )


def _sums(connection: Connection, dimension: str, selection: Selection) -> list[Sums]:
    rows = [_to_sums(row) for row in connection.execute(_sums_query(dimension, selection)).mappings()]
    return sorted(rows, key=lambda row: row.group) if dimension == "day" else rows


def _requests(connection: Connection, selection: Selection, *, only_negative: bool) -> list[Listed]:
    columns = [_column[name] for name in (*_FACTS, *_MONEY)]
    query = select(*columns).where(*_conditions(selection)).limit(LISTED)
    if only_negative:
        query = query.where(_column.saved_usd < 0).order_by(_column.saved_usd)
    else:
        query = query.order_by(_column.created_at.desc())
    return [Listed(**row) for row in connection.execute(query).mappings()]


def _sums_query(dimension: str | None, selection: Selection) -> Select[Any]:
    group = literal("") if dimension is None else _column[_known(dimension)]
    # Of failures and retries nothing was billed: their tokens would show as saved once an attempt.
    is_counted = (
        (_column.status < 400) & _column.origin_tokens.is_not(None) & _column.compressed_tokens.is_not(None)
    )
    n_requests = func.count().label("requests")
    query = select(
        group.label("group"),
        n_requests,
        func.count(_column.conversation.distinct()).label("conversations"),
        _sum("origin_tokens", case((is_counted, _column.origin_tokens))),
        _sum("compressed_tokens", case((is_counted, _column.compressed_tokens))),
        *(_sum(name, _column[name]) for name in ("prompt_tokens", "cached_tokens", *_MONEY)),
        _count("lookups", _column.cache.is_not(None)),
        _count("hits", _column.cache.in_(("hit", "response"))),
        _count("timed", _column.added_ms.is_not(None)),
        _count("negative", _column.saved_usd < 0),
        _count("unpriced", _column.prompt_tokens.is_not(None) & _column.cost_usd.is_(None)),
    ).where(*_conditions(selection))
    if dimension is None:
        return query
    # Of days the latest: a chart has room for so many.
    is_later = group.desc() if dimension == "day" else n_requests.desc()
    return query.group_by(group).order_by(is_later, group).limit(MAX_GROUPS)


def _to_sums(row: Any) -> Sums:
    money = {name: float(row[name]) for name in _MONEY}
    return Sums(**{**row, **money, "group": NO_GROUP if row["group"] is None else row["group"]})


def _conditions(selection: Selection) -> list[ColumnElement[bool]]:
    found = [] if selection.since is None else [_column.created_at >= selection.since]
    if selection.dimension is not None:
        column = _column[_known(selection.dimension)]
        found.append(column.is_(None) if selection.value == NO_GROUP else column == selection.value)
    return found


def _known(dimension: str) -> str:
    if dimension not in DIMENSIONS:
        raise ValueError(f"group_by: {dimension!r} is not one of {', '.join(DIMENSIONS)}")
    return dimension


def _sum(name: str, expression: ColumnElement[Any]) -> Label[Any]:
    return func.coalesce(func.sum(expression), 0).label(name)


def _count(name: str, condition: ColumnElement[bool]) -> Label[Any]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0).label(name)
