"""gateway.ledger.overview: what the dashboard's sums come to, and what is in its lists."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from gateway.ledger.database import open_writer
from gateway.ledger.overview import LISTED, read_overview
from gateway.ledger.rollup import insert_rows
from gateway.ledger.schema import to_row
from gateway.ledger.store import SqlLedger
from gateway.overview import DIMENSIONS, MAX_GROUPS, NO_GROUP, Overview, Selection, Sums, Turns
from gateway.types import Entry, Usage
from tests.postgres_server import postgres_server

DAY_S = 86_400.0


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    with open_writer(tmp_path / "pith.db") as connection:
        yield connection


def entry(number: int, day: int = 0, **said: Any) -> Entry:
    known = {"path": "/v1/chat/completions", "status": 200, "policy": "rag", "model": "gpt-4o", **said}
    return Entry(id=f"pith-{number}", created_at=day * DAY_S + number, **known)


def write(connection: Connection, *written: Entry) -> None:
    insert_rows(connection, [to_row(one) for one in written])


COMPRESSED: dict[str, Any] = {
    "origin_tokens": 1000,
    "compressed_tokens": 600,
    "usage": Usage(600, 20, cached_tokens=150),
    "cost_usd": 0.5,
    "saved_usd": 0.25,
    "added_ms": 10.0,
    "conversation": "c1",
}


def test_turns_where_policies_are_applied_stand_beside_those_where_they_are_not(
    connection: Connection,
) -> None:
    said: list[dict[str, Any]] = [
        *[{"conversation": "c1", "mode": "on"}] * 4,
        *[{"conversation": "c2", "mode": "on"}] * 2,
        {"conversation": "c2", "mode": "on", "status": 429},  # tried again
        *[{"conversation": "c3", "mode": "shadow"}] * 2,
        {"conversation": "c4", "mode": "off"},
        {"conversation": None, "mode": "on"},  # no conversation: relayed unread
        {"conversation": "c5", "mode": "off", "policy": None},  # thrown by the kill switch
    ]
    write(connection, *(entry(n, **one) for n, one in enumerate(said)))
    seen = read_overview(connection, "policy", Selection())
    assert seen.turns == Turns(applied=6, applied_conversations=2, untouched=3, untouched_conversations=2)
    assert seen.turns.inflation == pytest.approx(3.0 / 1.5 - 1)
    assert (seen.total.turns, seen.total.conversations) == (11, 5), "without the one of no conversation"
    assert read_overview(connection, "policy", Selection(None, "mode", "on")).turns.inflation is None
    assert Turns().inflation is None


def test_sums_by_group_by_day_and_together(connection: Connection) -> None:
    write(
        connection,
        entry(1, cache="hit", **COMPRESSED),
        entry(2, day=1, cache="miss", **{**COMPRESSED, "saved_usd": -0.05}),
        entry(3, day=1, policy=None, model=None, skip="short", usage=Usage(10, 1)),
        entry(4, day=1, status=500, origin_tokens=9, compressed_tokens=1),
    )
    seen = read_overview(connection, "policy", Selection())
    assert seen.total == Sums(
        requests=4,
        turns=2,
        conversations=1,
        origin_tokens=2000,
        compressed_tokens=1200,
        prompt_tokens=1210,
        cached_tokens=300,
        cost_usd=1.0,
        saved_usd=0.25 - 0.05,
        lookups=2,
        hits=1,
        added_ms=20.0,
        timed=2,
        negative=1,
        unpriced=1,
    )
    assert [(row.group, row.requests) for row in seen.groups] == [("rag", 3), (NO_GROUP, 1)]
    assert [(row.group, row.requests) for row in seen.days] == [("1970-01-01", 1), ("1970-01-02", 3)]
    assert {row.group: row.requests for row in seen.skips} == {NO_GROUP: 3, "short": 1}
    assert [row.id for row in seen.negative] == ["pith-2"]
    assert [row.id for row in seen.latest] == ["pith-4", "pith-3", "pith-2", "pith-1"]
    assert seen.total.removed_tokens == 800


def test_a_selection_is_of_a_time_and_a_group(connection: Connection) -> None:
    write(connection, entry(1), entry(2, day=1), entry(3, day=1, policy=None))
    since = read_overview(connection, "model", Selection(since=DAY_S))
    assert since.total.requests == 2
    of_rag = read_overview(connection, "model", Selection(DAY_S, "policy", "rag"))
    assert [row.id for row in of_rag.latest] == ["pith-2"]
    without = read_overview(connection, "model", Selection(dimension="policy", value=NO_GROUP))
    assert [row.id for row in without.latest] == ["pith-3"]
    assert without.days[0].requests == 1


def test_of_nothing_there_is_nothing(connection: Connection) -> None:
    seen = read_overview(connection, "skip", Selection())
    assert (seen.total, list(seen.groups), list(seen.latest)) == (Sums(), [], [])


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_every_dimension_can_be_grouped_by_and_selected(dimension: str, connection: Connection) -> None:
    write(connection, entry(1))
    [group] = read_overview(connection, dimension, Selection()).groups
    chosen = read_overview(connection, "policy", Selection(dimension=dimension, value=group.group))
    assert chosen.total.requests == 1


def test_what_is_no_dimension_is_named(connection: Connection) -> None:
    with pytest.raises(ValueError, match="'id' is not one of policy, route"):
        read_overview(connection, "id", Selection())
    with pytest.raises(ValueError, match="'1=1' is not one of"):
        read_overview(connection, "policy", Selection(dimension="1=1", value="x"))


def test_groups_and_lists_are_bounded(connection: Connection) -> None:
    many = range(MAX_GROUPS + 5)
    write(connection, *(entry(n, model=f"m{n}", saved_usd=-1.0 - n) for n in many), entry(900, model="m0"))
    seen = read_overview(connection, "model", Selection())
    assert (len(seen.groups), len(seen.latest), len(seen.negative)) == (MAX_GROUPS, LISTED, LISTED)
    assert (seen.groups[0].group, seen.groups[0].requests) == ("m0", 2)
    assert seen.negative[0].id == f"pith-{MAX_GROUPS + 4}"


async def test_postgresql_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # where rows are spooled
    rows = [entry(n, day=n // 5, team=None if n % 3 else "a", **COMPRESSED) for n in range(20)]
    selection = Selection(DAY_S, "policy", "rag")
    with postgres_server() as server:
        seen = [await overview_of(url, rows, selection) for url in (server.url, "sqlite:///pith.db")]
    assert seen[0] == seen[1]
    assert seen[0].total.requests == 15


async def overview_of(url: str, rows: list[Entry], selection: Selection) -> Overview:
    ledger = SqlLedger(url)
    ledger.start()
    for row in rows:
        ledger.record(row)
    await ledger.aclose()
    return await ledger.overview("team", selection)


def test_no_more_than_the_latest_rows_are_looked_through_for_a_group_and_for_losses(
    connection: Connection,
) -> None:
    said: dict[str, Any] = {"conversation": "c", "cache": "hit", "saved_usd": -1.0, "team": "a"}
    write(connection, *(entry(n, **{**said, "saved_usd": -1.0 - n / 10}) for n in range(6)))
    write(connection, *(entry(10 + n, **{**said, "saved_usd": 1.0, "team": "b"}) for n in range(3)))
    seen = read_overview(connection, "policy", Selection(None, "team", "a"), scanned=5)
    assert (seen.total.requests, seen.total.lookups) == (6, 2), "sums are of all that ever was"
    assert [row.id for row in seen.negative] == ["pith-5", "pith-4"]
    assert [row.id for row in seen.latest] == ["pith-5", "pith-4"]
    everything = read_overview(connection, "policy", Selection(), scanned=5)
    assert [row.id for row in everything.negative] == ["pith-5", "pith-4"]
    assert len(everything.latest) == everything.total.lookups == 9
    assert [row.id for row in read_overview(connection, "day", Selection(13.0), scanned=5).latest] == []
