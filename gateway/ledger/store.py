"""The ledger: `record` is a put on a bounded queue, one thread writes, awake a few times a second.

Promises (law 6 of the design):
  - `record` never blocks and never raises; what does not fit the queue is counted in `dropped`.
  - Rows leave the queue only into a transaction that commits, or into the spool on disk, from which they
    are taken up when the store answers again or at the next start. Where both fail they wait in the queue.
    `degraded` says why; it recovers by itself. A repeated row is stored once.
  - `aclose` writes everything queued; what store and spool still refuse after `close_s` is dropped.
  - A process that is killed loses what came in its last `flush_s`, whether the store answered or not.

A file that was moved away or replaced under the gateway is noticed before the next write; what was
committed to the old file is where the file is now.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeVar

from sqlalchemy import Connection

from gateway.errors import ConfigError
from gateway.experiments.records import Note
from gateway.ledger.database import ROW_ERRORS, STORE_ERRORS
from gateway.ledger.notes import Row, to_note_row
from gateway.ledger.opening import Database, open_database
from gateway.ledger.overview import read_overview
from gateway.ledger.report import entry_row, report_rows, unpriced_models
from gateway.ledger.rollup import delete_before
from gateway.ledger.schema import to_row
from gateway.ledger.spool import Spool
from gateway.ledger.spooled import SpoolCount
from gateway.ledger.steady import SteadyClock
from gateway.ledger.storing import forget_words, store_rows
from gateway.overview import Overview, Selection
from gateway.types import Entry, ReportRow, Spooled

T = TypeVar("T")

_log: Final = logging.getLogger(__name__)

DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class LedgerSettings:
    """How the writer works; the defaults suit production."""

    queue_rows: int = 50_000
    """Most entries waiting to be written, about 1 kB each."""
    batch_rows: int = 200
    """Most rows of one transaction."""
    flush_s: float = 0.2
    """Longest time the first row of a batch waits for company."""
    retry_s: float = 0.1
    """Pause after the first failed write; doubled up to `retry_max_s`."""
    retry_max_s: float = 5.0
    close_s: float = 5.0
    """How long closing goes on trying a store that fails."""
    spool_bytes: int = 256 << 20
    """Most that waits on disk for a store that fails, about 1 kB a row."""
    retention_days: int | None = None
    """Rows older than this are deleted; their sums by day stay."""
    tidy_s: float = 600.0
    """How often it is looked whether there are any."""
    tidy_rows: int = 1_000
    """Most rows deleted at once: new ones are written in between."""


def log_state(reason: str | None) -> None:
    """The default for `on_change`: one line when the ledger degrades, changes its reason or recovers."""
    if reason is None:
        _log.info("ledger writes again")
    else:
        _log.warning("ledger degraded: %s", reason)


class SqlLedger:
    """A `Ledger` in an SQLite file or in PostgreSQL."""

    def __init__(
        self,
        url: str,
        settings: LedgerSettings | None = None,
        on_change: Callable[[str | None], None] = log_state,
        clock: SteadyClock | None = None,
    ) -> None:
        self._settings = settings or LedgerSettings()
        self._clock = clock or SteadyClock()
        database = open_database(url)
        self._store = _Store(database)
        self._spool = Spool(database.spool, self._settings.spool_bytes)
        self._spooled = SpoolCount(database.spool)
        self._has_spooled = True  # perhaps: what an earlier process left
        self._retry_at = self._tidy_at = -math.inf
        self._pause_s = self._settings.retry_s
        self._queue: deque[Entry | Note] = deque()
        self._is_wanted = threading.Event()
        self._on_change = on_change
        self._degraded: str | None = None
        self._dropped = 0
        self._dropped_lock = threading.Lock()
        self._is_closing = threading.Event()
        self._is_given_up = threading.Event()
        self._give_up_at = math.inf
        self._writer = threading.Thread(target=self._run, name="ledger", daemon=True)

    def start(self) -> None:
        """Open the store once to see that it can be written, then start the writer.

        Raises ConfigError naming the file and the remedy.
        """
        reason = self._store.try_open()
        self._store.close()
        if reason is not None:
            raise ConfigError(reason)
        self._writer.start()

    def record(self, entry: Entry) -> None:
        """Queue one entry. From any thread."""
        self._put(entry)

    def note(self, note: Note) -> None:
        """Queue what is not an entry; in its turn among them. From any thread."""
        self._put(note)

    def _put(self, entry: Entry | Note) -> None:
        if self._is_closing.is_set() or len(self._queue) >= self._settings.queue_rows:
            self._drop(1)
            return
        self._queue.append(entry)
        if not self._is_wanted.is_set():  # a thread woken for each entry costs the request a tenth
            self._is_wanted.set()

    async def report(self, *, group_by: str, since: float | None = None) -> list[ReportRow]:
        """Sums by group, of what is written: up to `flush_s` behind. Raises ConfigError, ValueError."""
        return await asyncio.to_thread(self._read, lambda store: report_rows(store, group_by, since))

    async def unpriced(self, *, since: float | None = None) -> list[str]:
        """Models with usage and no known price. Raises ConfigError."""
        return await asyncio.to_thread(self._read, lambda store: unpriced_models(store, since))

    async def overview(self, dimension: str, selection: Selection) -> Overview:
        """What the dashboard shows of the selected entries. Raises ConfigError, ValueError."""
        return await asyncio.to_thread(self._read, lambda store: read_overview(store, dimension, selection))

    async def find(self, request_id: str) -> dict[str, object] | None:
        """One request's row, once it is written; None when there is none. Raises ConfigError."""
        return await asyncio.to_thread(self._read, lambda store: entry_row(store, request_id))

    @property
    def degraded(self) -> str | None:
        """Why entries are not reaching the store, or None."""
        has_begun, is_over = self._writer.ident is not None, self._is_closing.is_set()
        if has_begun and not is_over and not self._writer.is_alive():
            return "ledger: its writer has ended by a fault; restart Pith"
        return self._degraded

    @property
    def waiting(self) -> int:
        """Entries not yet taken up by the writer."""
        return len(self._queue)

    @property
    def dropped(self) -> int:
        """Entries lost: over the queue's bound, after closing, or to a store that never came back."""
        return self._dropped

    @property
    def spooled(self) -> Spooled:
        """What waits on disk, of all processes that share the folder."""
        return self._spooled.look()

    @property
    def repeated(self) -> int:
        """Feedback that was left out, since there was some on that request."""
        return self._store.n_repeated

    async def aclose(self) -> None:
        """Write everything queued, then close; may be called again."""
        await asyncio.to_thread(self._close)

    def _read(self, query: Callable[[Connection], T]) -> T:
        try:
            with self._store.database.open_reader() as connection:
                return query(connection)
        except STORE_ERRORS as error:
            raise ConfigError(self._store.database.explain(error)) from error

    def _close(self) -> None:
        if not self._is_closing.is_set():
            self._give_up_at = time.monotonic() + self._settings.close_s
            self._is_closing.set()
        self._is_wanted.set()
        if self._writer.ident is None:
            self._is_given_up.set()
            self._run()  # never started: whatever was recorded is counted as dropped
        else:
            self._writer.join()

    def _drop(self, n_entries: int) -> None:
        with self._dropped_lock:
            self._dropped += n_entries
            dropped = self._dropped
        if dropped & (dropped - 1) == 0:  # loud, and bounded: at 1, 2, 4, 8…
            _log.error("ledger entries lost so far: %d; %s", dropped, self._degraded or "the queue is full")

    # The writer thread

    def _run(self) -> None:
        is_last = False
        while not is_last:
            self._is_wanted.wait(self._idle_s())
            self._is_closing.wait(self._settings.flush_s)  # for company
            self._is_wanted.clear()
            is_last = self._is_closing.is_set()  # asked before looking: nothing is queued once it is set
            while batch := self._take():
                self._write(self._to_rows(batch))
            if not is_last:
                self._tidy()
            while self._take_up() and (is_last and time.monotonic() < self._give_up_at):
                pass  # what is not reached now is taken up at the next start
        self._spool.close()
        self._store.close()

    def _idle_s(self) -> float | None:
        """How long to wait for entries: rows on disk wait for the store, and old ones to be deleted."""
        wanted_at = [self._retry_at] if self._has_spooled else []
        if self._settings.retention_days is not None:
            wanted_at.append(max(self._tidy_at, self._retry_at))
        return max(0.0, min(wanted_at) - time.monotonic()) if wanted_at else None

    def _tidy(self) -> None:
        """Delete some of the rows that are too old, and come back at once while there are more."""
        days, now = self._settings.retention_days, time.monotonic()
        if days is None or now < max(self._tidy_at, self._retry_at):
            return
        today, most = self._clock.now(), self._settings.tidy_rows
        n_deleted = 0 if today is None else self._store.delete_before(today - days * DAY_S, most)
        if n_deleted < most:
            self._tidy_at = now + self._settings.tidy_s

    def _take(self) -> list[Entry | Note]:
        """The next batch; empty when nothing waits."""
        return [self._queue.popleft() for _ in range(min(len(self._queue), self._settings.batch_rows))]

    def _to_rows(self, batch: list[Entry | Note]) -> list[Row]:
        rows = []
        for one in batch:
            try:
                rows.append(to_note_row(one) if isinstance(one, Note) else to_row(one))
            except (
                AttributeError,
                KeyError,
                TypeError,
                ValueError,
            ) as error:  # no Entry at all: the writer must live on
                _log.error("ledger entry dropped: %s", type(error).__name__)
                self._drop(1)
        return rows

    def _write(self, rows: list[Row]) -> None:
        """Until the rows are stored or on disk, or closing gave up."""
        while rows and not self._is_given_up.is_set():
            if self._try_store(rows):
                return
            if self._spool.add(rows):
                self._has_spooled = True
                return
            self._pause(self._retry_at - time.monotonic())
        if rows:
            self._drop(len(rows))
            _log.error("ledger closed with %d entries lost: %s", len(rows), self._degraded)

    def _try_store(self, rows: list[Row]) -> bool:
        """One attempt; none before it is time for the next."""
        if time.monotonic() < self._retry_at:
            return False
        n_refused = self._store.n_refused
        reason = self._store.try_insert(rows)
        if n_lost := self._store.n_refused - n_refused:
            self._drop(n_lost)
        self._set_degraded(reason)
        if reason is None:
            self._pause_s = self._settings.retry_s
            return True
        self._retry_at = time.monotonic() + self._pause_s
        self._pause_s = min(2 * self._pause_s, self._settings.retry_max_s)
        return False

    def _take_up(self) -> bool:
        """Store one file of the spool; False when there is none or the store does not take it."""
        if not self._has_spooled or time.monotonic() < self._retry_at:
            return False
        segment = self._spool.claim()
        self._has_spooled = segment is not None
        if segment is None:  # another process has taken it up: is the store well again?
            self._has_spooled = self._degraded is not None and not self._try_store([])
            return False
        try:
            if not all(map(self._try_store, segment.batches(self._settings.batch_rows))):
                return False
            segment.remove()
        except OSError as error:  # it cannot be read: it stays for somebody who can see to it
            _log.error("ledger spool %s: %s; it is left for the next start", segment.path, error.strerror)
            self._has_spooled = False
            return False
        finally:
            segment.release()
        return True

    def _pause(self, pause_s: float) -> None:
        """Wait before the next attempt; closing ends the wait, and after `close_s` the attempts."""
        if not self._is_closing.wait(max(0.0, pause_s)):
            return
        self._retry_at = -math.inf
        left_s = self._give_up_at - time.monotonic()
        if left_s <= 0:
            self._is_given_up.set()
        else:
            self._is_given_up.wait(min(self._settings.retry_s, left_s))

    def _set_degraded(self, reason: str | None) -> None:
        if reason != self._degraded:
            self._degraded = reason
            self._on_change(reason)


class _Store:
    """The database and the writer's connection; trouble is a reason, not an exception."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.n_repeated = 0
        self.n_refused = 0
        """Rows that the store takes in no form."""
        self._connection: Connection | None = None
        self._identity: object = None

    def try_open(self) -> str | None:
        """Open when not open; returns why that failed."""
        try:
            self._open()
        except STORE_ERRORS as error:
            return self.database.explain(error)
        return None

    def try_insert(self, rows: list[Row]) -> str | None:
        """All rows in one transaction; returns why that failed.

        A row that is at fault itself keeps no other one from being stored: the rows are halved until it is
        alone, and then its text goes as ASCII.
        """
        try:
            self._insert(rows)
        except ROW_ERRORS as error:
            self.close()
            if len(rows) > 1:
                half = len(rows) // 2
                return self.try_insert(rows[:half]) or self.try_insert(rows[half:])
            if (plain := [_in_ascii(row) for row in rows]) != rows:
                return self.try_insert(plain)
            self.n_refused += len(rows)
            _log.error("a row that the ledger cannot take: %s", type(error).__name__)
        except STORE_ERRORS as error:
            self.close()
            return self.database.explain(error)
        return None

    def _insert(self, rows: list[Row]) -> None:
        connection = self._open()
        n_repeated = store_rows(connection, rows) if rows else 0
        connection.commit()
        self.n_repeated += n_repeated

    def delete_before(self, created_at: float, n_rows: int) -> int:
        """How many rows went, so many at most; none when that failed: the next write says why."""
        try:
            connection = self._open()
            n_deleted = delete_before(connection, created_at, n_rows)
            forget_words(connection, created_at)
            connection.commit()
        except STORE_ERRORS:
            self.close()
            return 0
        return n_deleted

    def close(self) -> None:
        """Close the connection; trouble in closing changes nothing about what was committed."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*STORE_ERRORS):
                connection.close()

    def _open(self) -> Connection:
        if self._connection is not None and self.database.identity() != self._identity:
            self.close()  # moved away or replaced: writes would go to a file nobody reads
        if self._connection is None:
            self._connection = self.database.open_writer()
            self._identity = self.database.identity()
        return self._connection


def _in_ascii(row: Row) -> Row:
    """The row in letters that every encoding knows."""
    return {
        name: value.encode("ascii", "replace").decode() if isinstance(value, str) else value
        for name, value in row.items()
    }
