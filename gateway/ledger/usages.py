"""What requests used, by their ids: for whoever works out what they would have cost otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, select

from gateway.ledger.schema import entries
from gateway.types import Usage

_column = entries.columns


@dataclass(frozen=True, slots=True)
class Used:
    """Of one request's row."""

    status: int
    policy: str | None
    usage: Usage | None


def used_by(connection: Connection, ids: Sequence[str]) -> dict[str, Used]:
    """By id; those without a row are not there."""
    query = select(entries).where(_column.id.in_(ids))
    return {row["id"]: _used(row) for row in connection.execute(query).mappings()}


def _used(row: RowMapping) -> Used:
    if row["prompt_tokens"] is None:
        return Used(row["status"], row["policy"], None)
    usage = Usage(
        prompt_tokens=row["prompt_tokens"],
        completion_tokens=row["completion_tokens"] or 0,
        cached_tokens=row["cached_tokens"] or 0,
        cache_write_tokens=row["cache_write_tokens"] or 0,
        cache_write_1h_tokens=row["cache_write_1h_tokens"] or 0,
        reasoning_tokens=row["reasoning_tokens"] or 0,
        estimated=bool(row["is_estimated"]),
        service_tier=row["service_tier"],
    )
    return Used(row["status"], row["policy"], usage)
