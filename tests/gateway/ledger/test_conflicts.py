"""INSERT with ON CONFLICT for either database."""

from __future__ import annotations

import pytest
from sqlalchemy.dialects import postgresql, sqlite

from gateway.ledger.conflicts import inserting
from gateway.ledger.schema import daily


@pytest.mark.parametrize(
    ("name", "dialect"), [("sqlite", sqlite.dialect()), ("postgresql", postgresql.dialect())]
)
def test_a_row_that_is_there_is_left(name: str, dialect: sqlite.dialect | postgresql.dialect) -> None:
    insert = inserting(name, daily).values(key="k").on_conflict_do_nothing(index_elements=["key"])
    compiled = str(insert.compile(dialect=dialect)).replace('"', "")
    assert compiled.endswith("ON CONFLICT (key) DO NOTHING")
