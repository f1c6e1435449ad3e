"""The writer: nothing recorded is lost to a signal, a failing store or concurrency; `record` never raises."""

from __future__ import annotations

import asyncio
import os
import queue
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import orjson
import pytest

from gateway.errors import ConfigError
from gateway.ledger.schema import to_row
from gateway.ledger.steady import SteadyClock
from gateway.ledger.store import LedgerSettings, SqlLedger, log_state
from gateway.tap import UsageTap
from gateway.types import Entry, Ledger, ReportRow

QUICK = LedgerSettings(flush_s=0.001, retry_s=0.01, retry_max_s=0.02, close_s=0.05)
TIMEOUT_S = 30.0


def entry(n: int, **more: Any) -> Entry:
    return Entry(**{"id": f"id-{n}", "created_at": 1_000.0 + n, "path": "/v1/x", "status": 200, **more})


def stored(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as raw:
        return [row[0] for row in raw.execute("select id from entries order by created_at")]


async def first_report(ledger: SqlLedger) -> list[ReportRow]:
    """Asks until something was written."""
    async with asyncio.timeout(TIMEOUT_S):
        while not (rows := await ledger.report(group_by="policy")):
            pass
    return rows


class Watched:
    """A ledger on a path, and the states it went through."""

    def __init__(self, path: Path, settings: LedgerSettings = QUICK) -> None:
        self._states: queue.Queue[str | None] = queue.Queue()
        self.ledger = SqlLedger(f"sqlite:///{path}", settings, on_change=self._states.put)

    def next_state(self) -> str | None:
        return self._states.get(timeout=TIMEOUT_S)


class Unforeseen:
    """What the writer's thread was not written for."""

    @property
    def created_at(self) -> float:
        raise RuntimeError("unforeseen")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_writer_that_has_ended_by_a_fault_is_told_of(tmp_path: Path) -> None:
    ledger = SqlLedger(f"sqlite:///{tmp_path / 'pith.db'}", QUICK)
    assert ledger.degraded is None, "it has not begun"
    ledger.start()
    [writer] = [thread for thread in threading.enumerate() if thread.name == "ledger"]
    ledger.record(cast(Entry, Unforeseen()))
    await asyncio.to_thread(writer.join, TIMEOUT_S)
    assert ledger.degraded == "ledger: its writer has ended by a fault; restart Pith"
    await ledger.aclose()
    assert ledger.degraded is None


async def test_writes_everything_before_it_is_closed(tmp_path: Path) -> None:
    ledger: Ledger
    ledger = sql_ledger = SqlLedger(f"sqlite:///{tmp_path / 'pith.db'}")
    sql_ledger.start()
    for n in range(1234):
        ledger.record(entry(n))
    await ledger.aclose()
    await ledger.aclose()
    assert stored(tmp_path / "pith.db") == [f"id-{n}" for n in range(1234)]
    assert (ledger.degraded, sql_ledger.dropped) == (None, 0)


async def test_flushes_without_being_closed_or_full(tmp_path: Path) -> None:
    ledger = SqlLedger(f"sqlite:///{tmp_path / 'pith.db'}", QUICK)
    ledger.start()
    ledger.record(entry(1))
    rows = await first_report(ledger)
    assert rows[0].requests == 1
    await ledger.aclose()


async def test_one_row_a_request_even_when_recorded_twice(tmp_path: Path) -> None:
    ledger = SqlLedger(f"sqlite:///{tmp_path / 'pith.db'}", QUICK)
    ledger.start()
    for _ in range(3):
        ledger.record(entry(1))
    await ledger.aclose()
    assert stored(tmp_path / "pith.db") == ["id-1"]


async def test_many_threads_record_while_reports_run(tmp_path: Path) -> None:
    ledger = SqlLedger(f"sqlite:///{tmp_path / 'pith.db'}")
    ledger.start()

    def record(offset: int) -> None:
        for n in range(500):
            ledger.record(entry(offset + n))

    threads = [threading.Thread(target=record, args=(1000 * n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    reports = await asyncio.gather(*(ledger.report(group_by="day") for _ in range(10)))
    for thread in threads:
        thread.join()
    assert all(sum(row.requests for row in rows) <= 4000 for rows in reports)
    await ledger.aclose()
    assert len(stored(tmp_path / "pith.db")) == 4000


async def test_two_ledgers_share_a_file(tmp_path: Path) -> None:
    ledgers = [SqlLedger(f"sqlite:///{tmp_path / 'pith.db'}") for _ in range(2)]
    for offset, ledger in enumerate(ledgers):
        ledger.start()
        for n in range(700):
            ledger.record(entry(1000 * offset + n))
    await asyncio.gather(*(ledger.aclose() for ledger in ledgers))
    assert len(stored(tmp_path / "pith.db")) == 1400


async def test_record_never_raises(tmp_path: Path) -> None:
    ledger = SqlLedger(f"sqlite:///{tmp_path / 'pith.db'}", LedgerSettings(queue_rows=3))
    for n in range(5):  # not started yet: nobody empties the queue
        ledger.record(entry(n))
    assert ledger.dropped == 2
    ledger.start()
    await ledger.aclose()
    ledger.record(entry(9))
    assert (stored(tmp_path / "pith.db"), ledger.dropped) == (["id-0", "id-1", "id-2"], 3)


@pytest.mark.parametrize("odd", [None, "text", entry(2, timing_ms={"a": "soon"})])
async def test_a_batch_of_nothing_but_odd_entries_is_dropped(tmp_path: Path, odd: Any) -> None:
    ledger = SqlLedger(f"sqlite:///{tmp_path / 'pith.db'}")
    ledger.start()
    ledger.record(odd or cast(Entry, b""))
    await ledger.aclose()
    assert (stored(tmp_path / "pith.db"), ledger.dropped, ledger.degraded) == ([], 1, None)


async def test_odd_entries_are_dropped_alone(tmp_path: Path) -> None:
    ledger = SqlLedger(f"sqlite:///{tmp_path / 'pith.db'}")
    ledger.start()
    for odd in (
        entry(1),
        cast(Entry, None),
        cast(Entry, "text"),
        entry(2, timing_ms={"a": "soon"}),
        entry(3),
    ):
        ledger.record(odd)
    await ledger.aclose()
    assert (stored(tmp_path / "pith.db"), ledger.dropped) == (["id-1", "id-3"], 3)


async def test_closing_a_ledger_that_was_never_started_counts_what_it_held(tmp_path: Path) -> None:
    ledger = SqlLedger(f"sqlite:///{tmp_path / 'pith.db'}")
    for n in range(5):
        ledger.record(entry(n))
    await ledger.aclose()
    assert ledger.dropped == 5
    assert not (tmp_path / "pith.db").exists()


PROGRAM = """
import asyncio, signal, sys
from gateway.ledger.store import SqlLedger
from gateway.types import Entry, Usage

async def main() -> None:
    ledger = SqlLedger("sqlite:///" + sys.argv[1])
    ledger.start()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    for n in range(5000):
        ledger.record(Entry(id=str(n), created_at=float(n), path="/v1/x", status=200, usage=Usage(n, 1)))
    print("recorded", flush=True)
    await stop.wait()
    await ledger.aclose()

asyncio.run(main())
"""


def test_nothing_is_lost_on_sigterm(tmp_path: Path) -> None:
    path = tmp_path / "pith.db"
    with subprocess.Popen([sys.executable, "-c", PROGRAM, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"recorded\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT_S) == 0
    assert stored(path) == [str(n) for n in range(5000)]


async def test_a_folder_that_vanishes_and_comes_back_loses_nothing_queued(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    watched = Watched(folder / "pith.db")
    ledger = watched.ledger
    ledger.start()
    folder.rename(tmp_path / "elsewhere")
    for n in range(450):
        ledger.record(entry(n))
    reason = watched.next_state()
    assert reason == ledger.degraded
    assert reason is not None
    assert f"the folder {folder} does not exist; create it" in reason
    for n in range(450, 500):
        ledger.record(entry(n))
    (tmp_path / "elsewhere").rename(folder)
    assert watched.next_state() is None
    await ledger.aclose()
    assert (ledger.degraded, ledger.dropped) == (None, 0)
    assert stored(folder / "pith.db") == [f"id-{n}" for n in range(500)]


async def test_a_file_moved_away_while_open_is_noticed(tmp_path: Path) -> None:
    path, moved = tmp_path / "pith.db", tmp_path / "moved.db"
    ledger = SqlLedger(f"sqlite:///{path}", QUICK)
    ledger.start()
    ledger.record(entry(1))
    await first_report(ledger)
    path.rename(moved)
    ledger.record(entry(2))
    await ledger.aclose()
    assert (stored(path), path.stat().st_mode & 0o777) == (["id-2"], 0o600)


async def test_the_queue_is_bounded_while_the_store_is_down_and_overflow_is_counted(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    settings = LedgerSettings(queue_rows=100, batch_rows=10, flush_s=0.001, retry_s=0.01, retry_max_s=0.02)
    watched = Watched(folder / "pith.db", settings)
    ledger = watched.ledger
    ledger.start()
    folder.rename(tmp_path / "elsewhere")
    ledger.record(entry(0))
    assert watched.next_state() is not None  # the writer now holds one row and takes no more
    for n in range(1, 151):
        ledger.record(entry(n))
    assert ledger.dropped == 50
    (tmp_path / "elsewhere").rename(folder)
    await ledger.aclose()
    assert stored(folder / "pith.db") == [f"id-{n}" for n in range(101)]


async def test_closing_gives_up_on_a_store_that_stays_down_and_counts_the_loss(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    watched = Watched(folder / "pith.db")
    watched.ledger.start()
    folder.rename(tmp_path / "elsewhere")
    for n in range(450):
        watched.ledger.record(entry(n))
    await watched.ledger.aclose()
    assert watched.ledger.dropped == 450
    assert watched.ledger.degraded is not None
    assert "entries lost" in caplog.text


DISK_FULL = """
import asyncio, queue, resource, sys
from gateway.ledger.store import LedgerSettings, SqlLedger
from gateway.types import Entry

async def main() -> None:
    states = queue.Queue()
    settings = LedgerSettings(flush_s=0.001, retry_s=0.01, retry_max_s=0.02)
    ledger = SqlLedger("sqlite:///" + sys.argv[1], settings, on_change=states.put)
    ledger.start()
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    for n in range(2000):
        ledger.record(Entry(id=str(n), created_at=float(n), path="/v1/x", status=200))
    reason = states.get(timeout=30)
    assert reason and sys.argv[1] in reason, reason
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    while states.get(timeout=30) is not None:
        pass
    await ledger.aclose()
    assert (ledger.degraded, ledger.dropped) == (None, 0)

asyncio.run(main())
"""


def test_a_full_disk_degrades_and_recovers_without_loss(tmp_path: Path) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    path = tmp_path / "pith.db"
    subprocess.run([sys.executable, "-c", DISK_FULL, str(path)], check=True, timeout=TIMEOUT_S)
    assert stored(path) == [str(n) for n in range(2000)]


async def test_a_locked_store_degrades_and_recovers(tmp_path: Path) -> None:
    path = tmp_path / "pith.db"
    watched = Watched(path)
    watched.ledger.start()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        watched.ledger.record(entry(1))
        reason = watched.next_state()
        assert reason is not None
        assert "another process is writing" in reason
        other.execute("ROLLBACK")
    assert watched.next_state() is None
    await watched.ledger.aclose()
    assert stored(path) == ["id-1"]


async def test_another_schema_put_in_its_place_is_not_written_to(tmp_path: Path) -> None:
    path = tmp_path / "pith.db"
    watched = Watched(path)
    watched.ledger.start()
    path.unlink()
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("create table users (name text)")
    before = path.read_bytes()
    watched.ledger.record(entry(1))
    reason = watched.next_state()
    assert reason is not None
    assert "another program" in reason
    await watched.ledger.aclose()
    assert (path.read_bytes(), watched.ledger.dropped) == (before, 0)
    path.unlink()  # its place is ours again: what waited on disk is stored
    ledger = SqlLedger(f"sqlite:///{path}", QUICK)
    ledger.start()
    await ledger.aclose()
    assert stored(path) == ["id-1"]


async def test_old_rows_are_deleted_and_their_sums_kept(tmp_path: Path) -> None:
    path, now = tmp_path / "pith.db", time.time()
    settings = LedgerSettings(flush_s=0.001, retention_days=30, tidy_rows=10)
    ledger = SqlLedger(f"sqlite:///{path}", settings)
    for n in range(45):  # more than go at once
        ledger.record(entry(n, created_at=now - 31 * 86400 - n))
    ledger.record(entry(50, created_at=now - 29 * 86400))
    ledger.start()
    async with asyncio.timeout(TIMEOUT_S):
        while len(await first_report(ledger)) < 1 or stored(path) != ["id-50"]:
            pass
    assert sum(row.requests for row in await ledger.report(group_by="day")) == 46
    await ledger.aclose()


class Doubtful(SteadyClock):
    """Has leapt ahead."""

    n_asked = 0

    def now(self) -> float | None:
        self.n_asked += 1
        return None


async def test_nothing_is_deleted_by_a_clock_in_doubt(tmp_path: Path) -> None:
    path, clock = tmp_path / "pith.db", Doubtful()
    ledger = SqlLedger(
        f"sqlite:///{path}", LedgerSettings(flush_s=0.001, retention_days=30, tidy_s=0.001), clock=clock
    )
    ledger.record(entry(1, created_at=1.0))
    ledger.start()
    async with asyncio.timeout(TIMEOUT_S):
        while clock.n_asked < 3:  # noqa: ASYNC110  # the writer's thread asks
            await asyncio.sleep(0)
    await ledger.aclose()
    assert stored(path) == ["id-1"]


KILLED = """
import os, signal, sqlite3, sys, time
from pathlib import Path
from gateway.ledger.store import SqlLedger
from gateway.types import Entry

path = sys.argv[1]
ledger = SqlLedger("sqlite:///" + path)
ledger.start()
other = sqlite3.connect(path, isolation_level=None)
other.execute("BEGIN IMMEDIATE")
for n in range(1000):
    ledger.record(Entry(id=str(n), created_at=float(n), path="/v1/x", status=200))
spool = Path(path + ".spool")
while sum(file.read_bytes().count(b"\\n") for file in spool.glob("*")) < 1000:
    time.sleep(0.01)
for n in range(1000, 1005):  # less than a flush interval before it is killed
    ledger.record(Entry(id=str(n), created_at=float(n), path="/v1/x", status=200))
os.kill(os.getpid(), signal.SIGKILL)
"""


async def test_killed_while_the_store_is_down_only_the_latest_rows_are_lost(tmp_path: Path) -> None:
    path = tmp_path / "pith.db"
    program = [sys.executable, "-c", KILLED, str(path)]
    killed = await asyncio.to_thread(subprocess.run, program, timeout=TIMEOUT_S)
    assert killed.returncode == -signal.SIGKILL
    assert stored(path) == []
    ledger = SqlLedger(f"sqlite:///{path}", QUICK)
    ledger.start()
    rows = await first_report(ledger)  # taken up without a new entry
    assert rows[0].requests > 0
    await ledger.aclose()
    assert stored(path) == [str(n) for n in range(1000)]
    assert list((tmp_path / "pith.db.spool").iterdir()) == []


async def test_what_neither_spool_nor_queue_holds_is_counted_loudly(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "pith.db"
    row = len(orjson.dumps(to_row(entry(100)), option=orjson.OPT_NON_STR_KEYS))
    settings = LedgerSettings(
        queue_rows=20, batch_rows=10, flush_s=0.001, retry_s=0.01, retry_max_s=0.02, spool_bytes=55 * row
    )
    watched = Watched(path, settings)
    watched.ledger.start()
    moved = path.rename(tmp_path / "moved.db")
    path.mkdir()
    n_recorded = 0
    while watched.ledger.dropped < 5:
        watched.ledger.record(entry(n_recorded))
        n_recorded += 1
    path.rmdir()
    moved.rename(path)
    await watched.ledger.aclose()
    assert len(stored(path)) == n_recorded - watched.ledger.dropped
    assert "ledger entries lost so far: 4" in caplog.text


@pytest.mark.parametrize(
    ("prepare", "mark"),
    [
        (lambda path: None, "does not exist; create it or set another ledger"),
        (lambda path: path.mkdir(parents=True), "check the file and its folder"),
        (
            lambda path: (path.parent.mkdir(), path.write_bytes(b"notes" * 500)),
            "not a database; move the file away",
        ),
    ],
)
def test_start_is_refused_with_the_file_and_the_remedy(tmp_path: Path, prepare: Any, mark: str) -> None:
    path = tmp_path / "folder" / "pith.db"
    prepare(path)
    with pytest.raises(ConfigError, match=mark) as caught:
        SqlLedger(f"sqlite:///{path}").start()
    assert str(path) in str(caught.value)


async def test_report_says_what_is_wrong(tmp_path: Path) -> None:
    ledger = SqlLedger(f"sqlite:///{tmp_path / 'pith.db'}")
    with pytest.raises(ConfigError, match="no such file"):
        await ledger.report(group_by="model")
    ledger.start()
    with pytest.raises(ValueError, match="'colour' is not one of day, route"):
        await ledger.report(group_by="colour")
    await ledger.aclose()


def test_states_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    log_state("ledger /x: database or disk is full; free some space")
    log_state(None)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "disk is full" in caplog.text


async def test_no_text_of_prompt_or_answer_reaches_the_files(tmp_path: Path) -> None:
    """A canary goes by in the answer the tap watches; of it only counts are recorded."""
    tap = UsageTap(is_hiding=True)
    tap.head(200, [(b"content-type", b"text/event-stream")])
    tap.feed(b'data: {"choices":[{"delta":{"content":"canary-answer"}}]}\n\n')
    tap.feed(b'data: {"choices":[],"usage":{"prompt_tokens":7,"note":"canary-usage"}}\n\n')
    tap.end()
    ledger = SqlLedger(f"sqlite:///{tmp_path / 'pith.db'}", QUICK)
    ledger.start()
    ledger.record(entry(1, usage=tap.usage, path="/v1/x?prompt=canary-query"))
    rows = await first_report(ledger)
    files = {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)}
    assert set(files) == {"pith.db", "pith.db-wal", "pith.db-shm"}
    assert rows[0].prompt_tokens == 7
    assert b"id-1" in files["pith.db-wal"]
    await ledger.aclose()
    files["after"] = (tmp_path / "pith.db").read_bytes()
    assert b"id-1" in files["after"]
    assert not [name for name, data in files.items() if b"canary" in data]
