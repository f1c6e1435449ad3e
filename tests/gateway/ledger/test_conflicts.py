"""INSERT with ON CONFLICT for either database."""

from __future__ import annotations

import subprocess
import sys

import pytest
from sqlalchemy.engine import make_url

from gateway.ledger.conflicts import inserting
from gateway.ledger.schema import daily


@pytest.mark.parametrize("name", ["sqlite", "postgresql"])
def test_a_row_that_is_there_is_left(name: str) -> None:
    insert = inserting(name, daily).values(key="k").on_conflict_do_nothing(index_elements=["key"])
    compiled = str(insert.compile(dialect=make_url(f"{name}://").get_dialect()())).replace('"', "")
    assert compiled.endswith("ON CONFLICT (key) DO NOTHING")


def test_a_worker_with_sqlite_does_not_load_postgresql() -> None:
    code = "import sys, gateway.serving; print('sqlalchemy.dialects.postgresql' in sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "False"
