"""The same ledger on a real PostgreSQL: rows, reports, upgrades, replicas, a server that goes and comes."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from gateway.errors import ConfigError
from gateway.ledger.database import STORE_ERRORS
from gateway.ledger.opening import open_database
from gateway.ledger.postgres import PostgresDatabase
from gateway.ledger.report import GROUPS, report_rows
from gateway.ledger.schema import entries, metadata, to_row
from gateway.ledger.store import LedgerSettings, SqlLedger
from gateway.ledger.versions import REVISIONS
from gateway.overview import Selection
from gateway.types import Entry, Usage
from tests.postgres_server import PASSWORD, PostgresServer, postgres_server
from tests.redis_server import PATIENCE_S

QUICK = LedgerSettings(flush_s=0.001, retry_s=0.01, retry_max_s=0.02)


def entry(n: int, **more: Any) -> Entry:
    return Entry(**{"id": f"id-{n}", "created_at": 1_000.0 + n, "path": "/v1/x", "status": 200, **more})


@pytest.fixture(scope="module")
def started() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture
def server(started: PostgresServer, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> PostgresServer:
    """Without tables; what is spooled lies in the working directory."""
    monkeypatch.chdir(tmp_path)
    started.change("drop schema public cascade")
    started.change("create schema public")
    return started


def stored(server: PostgresServer) -> list[object]:
    return [row[0] for row in server.ask("select id from entries order by created_at")]


async def test_what_is_recorded_is_stored_and_reported(server: PostgresServer) -> None:
    ledger = SqlLedger(server.url, QUICK)
    ledger.start()
    usage = Usage(100, 7, cached_tokens=64)
    for n in range(450):
        ledger.record(
            entry(n, model="gpt-4o\x00<b>", usage=usage, mode="on", origin_tokens=200, compressed_tokens=100)
        )
    ledger.record(entry(3))  # once more: stored once
    await ledger.aclose()
    assert stored(server) == [f"id-{n}" for n in range(450)]
    for group_by in GROUPS:
        [row] = await ledger.report(group_by=group_by)
        assert (row.requests, row.cached_tokens, row.origin_tokens) == (450, 64 * 450, 200 * 450)
    assert await ledger.unpriced() == ["gpt-4o\N{REPLACEMENT CHARACTER}<b>"]
    found = await ledger.find("id-7")
    assert found is not None
    assert (found["timing_ms"], found["is_streamed"]) == ({}, False)


async def test_a_database_of_fewer_letters_takes_every_row(server: PostgresServer) -> None:
    """A model may be called anything; not every database knows every letter."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("drop database if exists latin")
        connection.execute("create database latin encoding 'LATIN1' template template0 locale 'C'")
    url = f"{server.url.rpartition('/')[0]}/latin"
    ledger = SqlLedger(url, QUICK)
    ledger.start()
    names = {2: "日本", 5: "naïve", 6: "\N{SNOWMAN}"}
    for n in range(8):
        ledger.record(entry(n, model=names.get(n, "gpt-4o")))
    await ledger.aclose()
    with psycopg.connect(url) as connection:
        found = connection.execute("select id, model from entries order by created_at").fetchall()
    expected = {2: "??", 5: "naïve", 6: "?"}
    assert [row[0] for row in found] == [f"id-{n}" for n in range(8)]
    assert {n: found[n][1] for n in expected} == expected
    assert (ledger.dropped, ledger.degraded) == (0, None)


async def test_a_row_that_is_taken_in_no_form_is_counted_and_no_other_is_lost(server: PostgresServer) -> None:
    ledger = SqlLedger(server.url, QUICK)
    ledger.start()
    server.change("alter table entries alter column status type smallint")
    for n in range(5):
        ledger.record(entry(n, status=10**6 if n == 3 else 200))
    await ledger.aclose()
    assert stored(server) == [f"id-{n}" for n in (0, 1, 2, 4)]
    assert (ledger.dropped, ledger.degraded) == (1, None)


async def test_what_no_name_can_be_is_found_nowhere(server: PostgresServer) -> None:
    ledger = SqlLedger(server.url, QUICK)
    ledger.start()
    ledger.record(entry(1))
    await ledger.aclose()
    assert await ledger.find("id-1\x00") is None
    assert (await ledger.overview("model", Selection(None, "model", "a\x00\ud800"))).total.requests == 0


async def test_replicas_start_and_write_at_once(server: PostgresServer) -> None:
    ledgers = [SqlLedger(server.url, QUICK) for _ in range(3)]
    await asyncio.gather(*(asyncio.to_thread(ledger.start) for ledger in ledgers))
    for offset, ledger in enumerate(ledgers):
        for n in range(300):
            ledger.record(entry(1000 * offset + n, policy="rag"))
    await asyncio.gather(*(ledger.aclose() for ledger in ledgers))
    assert len(stored(server)) == 900
    [row] = await ledgers[0].report(group_by="policy")
    assert row.requests == 900


async def test_rows_wait_while_the_server_is_away(server: PostgresServer) -> None:
    states: queue.Queue[str | None] = queue.Queue()
    ledger = SqlLedger(server.url, QUICK, on_change=states.put)
    ledger.start()
    ledger.record(entry(0))
    server.stop()
    for n in range(1, 500):
        ledger.record(entry(n))
    reason = await asyncio.to_thread(states.get, timeout=PATIENCE_S)
    assert reason is not None
    assert reason.startswith("ledger in PostgreSQL: ")
    assert PASSWORD not in reason
    assert str(server.port) not in reason
    with pytest.raises(ConfigError, match="check that it runs"):
        await ledger.report(group_by="day")
    server.start()
    while await asyncio.to_thread(states.get, timeout=PATIENCE_S) is not None:
        pass
    await ledger.aclose()
    assert (ledger.dropped, ledger.degraded) == (0, None)
    assert stored(server) == [f"id-{n}" for n in range(500)]


def test_an_older_schema_is_brought_up_and_keeps_its_rows(server: PostgresServer) -> None:
    database = open_database(server.url)
    with database.open_writer() as writer:
        writer.execute(entries.insert(), [to_row(entry(1))])
        writer.execute(text("alter table entries drop column added_ms, drop column cached_error"))
        for name in ("cache_write_1h_tokens", "service_tier", "usage_problem", "counterfactual_usd",
                     "counterfactual_cached_tokens", "counterfactual_basis", "compression_usd", "token_error",
                     "device_ms", "route", "unit", "is_eligible", "finish", "is_broken", "is_retry",
                     "is_repeat", "is_slow"):  # fmt: skip
            writer.execute(text(f"alter table entries drop column {name}"))
        for table in metadata.sorted_tables:
            if table is not entries:
                writer.execute(text(f"drop table {table.name}"))
        writer.execute(text("update ledger_version set version_num = '1'"))
        writer.commit()
    with pytest.raises(ConfigError, match="version 1"):
        database.open_reader()
    database.open_writer().close()
    with database.open_reader() as reader:
        assert reader.scalars(entries.select()).all() == ["id-1"]
        [summed] = report_rows(reader, "mode")
    assert (summed.group, summed.requests) == ("off", 1)
    assert server.ask("select version_num from ledger_version") == [(REVISIONS[-1],)]


def test_others_tables_are_left_alone_and_ones_of_our_name_are_refused(server: PostgresServer) -> None:
    server.change("create table users (name text)")
    database = PostgresDatabase(server.url)
    database.open_writer().close()
    database.open_reader().close()
    server.change("drop table ledger_version")
    with pytest.raises(ConfigError, match="another program"):
        database.open_writer()


def test_a_reader_cannot_write(server: PostgresServer) -> None:
    database = open_database(server.url)
    database.open_writer().close()
    with database.open_reader() as reader, pytest.raises(SQLAlchemyError) as caught:
        reader.execute(entries.insert(), [to_row(entry(1))])
    assert "read-only" in database.explain(caught.value)


@pytest.mark.parametrize(
    ("change", "mark"),
    [
        ((f":{PASSWORD}@", ":wrong@"), "refuses the user or the password|OperationalError"),
        (("/postgres", "/nowhere"), "there is no such database|OperationalError"),
    ],
)
def test_what_is_wrong_is_said_without_names(
    server: PostgresServer, change: tuple[str, str], mark: str
) -> None:
    database = PostgresDatabase(server.url.replace(*change))
    with pytest.raises(STORE_ERRORS) as caught:
        database.open_writer()
    said = database.explain(caught.value)
    assert any(part in said for part in mark.split("|"))
    assert not [word for word in ("wrong", "nowhere", "127.0.0.1", PASSWORD) if word in said]
    with pytest.raises(ConfigError, match="ledger in PostgreSQL"):
        SqlLedger(database.url).start()
