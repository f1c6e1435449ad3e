"""The sums by day that are kept for ever: every new row is added to its group as it is stored.

So they are exact at any moment, whatever comes late, twice or from several replicas, and a report reads some
thousand groups in place of all rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from typing import Any, Final

import orjson
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Insert,
    RowMapping,
    bindparam,
    case,
    func,
    select,
)

from gateway.ledger.conflicts import inserting
from gateway.ledger.schema import GROUPS, SUMS, daily, entries

_column = entries.columns


def insert_rows(connection: Connection, rows: Sequence[dict[str, object]]) -> list[dict[str, object]]:
    """Store rows and add those that are new to their day; not committed. Returns the new ones.

    What is there already is looked for first: SQLite takes four times as long to say which rows it inserted.
    Should another process insert the same row in between, this fails as a whole, and succeeds when repeated.
    """
    by_id = {row["id"]: row for row in rows}
    if not by_id:
        return []
    for known in connection.scalars(_KNOWN, {"ids": list(by_id)}).all():
        del by_id[known]
    if not by_id:
        return []
    connection.execute(_INSERT, list(by_id.values()))
    groups = connection.execute(_GROUPED, {"ids": list(by_id)}).mappings()
    found = [{**_plain(row), "key": daily_key([row[name] for name in GROUPS])} for row in groups]
    # in one order everywhere: two replicas that add to the same groups wait for each other, never both
    connection.execute(_adding(connection.dialect.name), sorted(found, key=lambda row: str(row["key"])))
    return list(by_id.values())


def delete_before(connection: Connection, created_at: float, n_rows: int) -> int:
    """Delete the oldest rows of before then, so many at most; their sums stay. Not committed."""
    oldest = (
        select(_column.id).where(_column.created_at < created_at).order_by(_column.created_at).limit(n_rows)
    )
    return connection.execute(entries.delete().where(_column.id.in_(oldest.scalar_subquery()))).rowcount


def row_sums() -> list[ColumnElement[Any]]:
    """What is summed of rows, by the names of SUMS."""
    # Of failures and retries nothing was billed: their tokens would show as saved once an attempt.
    is_counted = (
        (_column.status < 400) & _column.origin_tokens.is_not(None) & _column.compressed_tokens.is_not(None)
    )
    is_shorter = _column.compressed_tokens < _column.origin_tokens
    is_negative = _column.saved_usd < 0
    special: dict[str, ColumnElement[Any]] = {
        "requests": func.count(),
        "compressed_requests": _count((_column.mode == "on") & is_shorter),
        "origin_tokens": _sum(case((is_counted, _column.origin_tokens))),
        "compressed_tokens": _sum(case((is_counted, _column.compressed_tokens))),
        "unpriced_requests": _count(is_unpriced()),
        "shadow_requests": _count(_column.mode == "shadow"),
        "negative_requests": _count(is_negative),
        "negative_usd": _sum(case((is_negative, _column.saved_usd))),
    }
    return [(special[name] if name in special else _sum(_column[name])).label(name) for name in SUMS]


def is_unpriced() -> ColumnElement[bool]:
    """Whether a row has usage and no money."""
    return _column.prompt_tokens.is_not(None) & _column.cost_usd.is_(None)


def daily_key(names: Sequence[str | None]) -> str:
    """The primary key of a group: together the names are too long for an index. Never to change."""
    return hashlib.sha256(orjson.dumps([None if name is None else str(name) for name in names])).hexdigest()


def _plain(row: RowMapping) -> dict[str, Any]:
    # PostgreSQL sums BIGINT to NUMERIC, which comes as Decimal
    return {name: int(value) if isinstance(value, Decimal) else value for name, value in row.items()}


def _sum(expression: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.coalesce(func.sum(expression), 0)


def _count(condition: ColumnElement[bool]) -> ColumnElement[Any]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


@cache
def _adding(dialect: str) -> Insert:
    insert = inserting(dialect, daily)
    return insert.on_conflict_do_update(
        index_elements=["key"], set_={name: daily.c[name] + insert.excluded[name] for name in SUMS}
    )


# Made once: a statement made anew each time takes longer than the database.
_IDS: Final[BindParameter[str]] = bindparam("ids", expanding=True)
_KNOWN: Final = select(_column.id).where(_column.id.in_(_IDS))
_INSERT: Final = entries.insert()
_GROUPED: Final = (
    select(*(_column[name] for name in GROUPS), *row_sums())
    .where(_column.id.in_(_IDS))
    .group_by(*(_column[name] for name in GROUPS))
)
