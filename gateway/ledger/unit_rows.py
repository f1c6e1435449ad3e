"""The sums of experiments' units, kept as the sums by day are: in the transaction that stores the rows.

A unit begins with its first request that any arm would act on: that one tells its arm and its first tokens
for good. Requests before it are not counted. A unit that meets its arm again stays as it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Final

from sqlalchemy import Connection, Insert, bindparam, case, select, tuple_

from gateway.experiments.records import Exposure
from gateway.ledger.conflicts import inserting
from gateway.ledger.experiment_tables import KEY, units
from gateway.ledger.unit_sums import Addition, Contribution, Key
from policies.outcomes import SUMS


def add_to_units(
    connection: Connection, exposures: Iterable[Exposure], contributions: Sequence[Contribution]
) -> None:
    """Each contribution once; not committed."""
    additions: dict[Key, Addition] = {}
    for met in exposures:
        key = (met.experiment, met.version, met.unit)
        additions.setdefault(key, Addition(met.arm, met.at, met.at, met.first_tokens or 0))
    for one in contributions:
        if one.is_eligible:  # it was exposed as well, unless that was lost
            additions.setdefault(one.key, _begin(one))
    begun = _begun(connection, {one.key for one in contributions if not one.is_eligible})
    for one in contributions:
        here = additions.get(one.key)
        first_at = min(begun.get(one.key, math.inf), here.first_at if here else math.inf)
        if one.is_eligible or one.at >= first_at:
            additions.setdefault(one.key, _begin(one)).add(one.at, one.sums)
    if additions:  # in one order everywhere: two replicas that add to the same units wait, never both
        rows = [additions[key].as_row(key) for key in sorted(additions)]
        connection.execute(_adding(connection.dialect.name), rows)


def _begin(one: Contribution) -> Addition:
    return Addition(one.arm, one.at, one.at, one.first_tokens)


def _begun(connection: Connection, keys: set[Key]) -> dict[Key, float]:
    """When those of `keys` began that are on record."""
    if not keys:
        return {}
    found = connection.execute(_BEGUN, {"keys": sorted(keys)})
    return {(row.experiment, row.version, row.unit): row.first_at for row in found}


@cache
def _adding(dialect: str) -> Insert:
    insert = inserting(dialect, units)
    new, old = insert.excluded, units.c
    return insert.on_conflict_do_update(
        index_elements=KEY,
        set_={
            "first_at": case((new.first_at < old.first_at, new.first_at), else_=old.first_at),
            "last_at": case((new.last_at > old.last_at, new.last_at), else_=old.last_at),
            **{name: old[name] + new[name] for name in SUMS},
        },
    )


# Made once: a statement made anew each time takes longer than the database.
_COLUMNS: Final = [units.c[name] for name in KEY]
_BEGUN: Final = select(*_COLUMNS, units.c.first_at).where(
    tuple_(*_COLUMNS).in_(bindparam("keys", expanding=True))
)
