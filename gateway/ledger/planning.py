"""Conversations on record as if they were one arm's units: to plan an experiment with, before it begins."""

from __future__ import annotations

from typing import Final

import numpy as np
from sqlalchemy import Connection, func, select

from gateway.ledger.schema import entries
from policies.outcomes import COLUMNS, FIRST, Outcomes

MOST_UNITS: Final = 200_000
"""The latest: enough to know how they differ."""

_SUMS: Final = ("cost_usd", "compression_usd", "origin_tokens", "output_tokens")
_FROM: Final = {"output_tokens": "completion_tokens"}


def read_conversations(connection: Connection, policy: str | None, since: float) -> Outcomes:
    """Those with a price begun since then, of one policy or of all. Only what the ledger's rows know is
    there: cost, requests, tokens; the other columns are noughts.
    """
    row = entries.c
    sums = [func.coalesce(func.sum(row[_FROM.get(name, name)]), 0).label(name) for name in _SUMS]
    query = (
        select(
            func.min(row.created_at).label("first_at"),
            func.max(row.created_at).label("last_at"),
            func.count().label("requests"),
            func.min(row.origin_tokens).label(FIRST),
            *sums,
        )
        .where(row.created_at >= since, row.cost_usd.is_not(None), row.conversation.is_not(None))
        .group_by(row.conversation)
        .order_by(func.min(row.created_at).desc())
        .limit(MOST_UNITS)
    )
    if policy is not None:
        query = query.where(row.policy == policy)
    rows = [tuple(float(value or 0) for value in one) for one in connection.execute(query)]
    table = np.array(rows, dtype=np.float64).reshape(len(rows), 4 + len(_SUMS))
    known = dict(zip(("requests", FIRST, *_SUMS), table.T[2:], strict=True))
    nought = np.zeros(len(rows))
    return Outcomes(
        arms=("all",),
        arm=np.zeros(len(rows), dtype=np.intp),
        columns={name: known.get(name, nought) for name in COLUMNS},
        first_at=float(table[:, 0].min()) if rows else 0.0,
        last_at=float(table[:, 1].max()) if rows else 0.0,
    )
