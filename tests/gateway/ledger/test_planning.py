"""gateway.ledger.planning: conversations as an experiment's units, in SQLite and in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection

from gateway.ledger.opening import open_database
from gateway.ledger.planning import read_conversations
from gateway.ledger.rollup import insert_rows
from gateway.ledger.schema import to_row
from gateway.types import Entry, Usage
from policies.outcomes import COLUMNS
from tests.postgres_server import postgres_server


def entry(number: int, **said: Any) -> Entry:
    known: dict[str, Any] = {
        "path": "/v1/chat/completions",
        "status": 200,
        "policy": "rag",
        "conversation": "c1",
        "origin_tokens": 1000 + number,
        "usage": Usage(600, 20),
        "cost_usd": 0.5,
        "compression_usd": 0.125,
    }
    return Entry(id=f"pith-{number}", created_at=1_000.0 + number, **{**known, **said})


ENTRIES = (
    entry(1),
    entry(2),
    entry(3, conversation="c2", policy="other"),
    entry(4, cost_usd=None),
    entry(5, conversation=None),
    entry(6, conversation="c0"),
)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def connection(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Connection]:
    if request.param == "sqlite":
        yield from _filled(f"sqlite:///{tmp_path_factory.mktemp('ledger') / 'pith.db'}")
    else:
        with postgres_server() as server:
            yield from _filled(server.url)


def _filled(url: str) -> Iterator[Connection]:
    with open_database(url).open_writer() as connection:
        insert_rows(connection, [to_row(one) for one in ENTRIES])
        connection.commit()
        yield connection


def test_a_conversation_is_a_unit_with_what_its_rows_know(connection: Connection) -> None:
    found = read_conversations(connection, "rag", 0.0)
    assert set(found.columns) == set(COLUMNS)
    assert len(found.arm) == 2
    of_c1 = {name: float(column[1]) for name, column in found.columns.items() if column[1]}
    assert of_c1 == {
        "requests": 2,
        "origin_tokens": 2003,
        "output_tokens": 40,
        "cost_usd": 1.0,
        "compression_usd": 0.25,
        "first_tokens": 1001,
    }
    assert (found.arms, found.first_at, found.last_at) == (("all",), 1_001.0, 1_006.0)


def test_of_all_policies_and_of_the_time_asked_for(connection: Connection) -> None:
    assert len(read_conversations(connection, None, 0.0).arm) == 3
    assert len(read_conversations(connection, None, 1_006.0).arm) == 1


def test_of_none_there_are_empty_columns(connection: Connection) -> None:
    nobody = read_conversations(connection, "nobody", 0.0)
    assert (len(nobody.arm), nobody.first_at, nobody.last_at) == (0, 0.0, 0.0)
    assert {len(column) for column in nobody.columns.values()} == {0}
