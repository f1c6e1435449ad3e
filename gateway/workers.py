"""Several processes on one port, and the one that looks after them.

It serves nothing itself. A worker that ends is replaced, after a pause that doubles while it keeps ending;
one that cannot even start ends everything, unless others serve. A stop signal is passed on to every worker,
and a second one as well, which no longer waits; the exit code is 0 when all of them ended with 0.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Final

from compressor.pause import pause_s

logger = logging.getLogger(__name__)

WELL_S: Final = 10.0
"""A worker that served for so long starts anew without a pause that has grown."""
MAX_FAILED_STARTS: Final = 5
KILL_S: Final = 15.0
"""Longer than a worker needs besides its drain."""

STOPS: Final = (signal.SIGTERM, signal.SIGINT)

Ready = Callable[[], None]
Work = Callable[[int, Ready], None]
"""What a worker does: its number, and what to call once it serves. Pickled, so a function of a module."""


@dataclass(slots=True)
class _Slot:
    """One worker's place, and who is in it."""

    number: int
    process: SpawnProcess | None = None
    told: Connection | None = None
    ready_at: float | None = None
    due_at: float | None = 0.0
    """When to start somebody; None while somebody is there."""
    n_failed: int = 0

    @property
    def is_ready(self) -> bool:
        return self.process is not None and self.ready_at is not None


class Supervisor:
    """Looks after `n` workers until it is told to stop. To be run on the main thread."""

    def __init__(self, work: Work, n: int, *, drain_s: float, on_ready: Ready) -> None:
        """`on_ready` is called once, when all serve for the first time; `drain_s` they may take to stop."""
        self._work = work
        self._drain_s = drain_s
        self._on_ready = on_ready
        self._slots = [_Slot(number) for number in range(1, n + 1)]
        self._n_signals = 0
        self._n_passed_on = 0
        self._kill_at: float | None = None
        self._has_been_ready = False
        self._has_failed = False

    def run(self) -> int:
        """Until all workers have ended; the exit code."""
        with self._signals() as woken:
            while True:
                self._start_due()
                self._stop_if_asked()
                if self._is_stopping and not self._living():
                    return int(self._has_failed)
                self._wait(woken)

    @property
    def _is_stopping(self) -> bool:
        return self._n_signals > 0 or self._has_failed

    def _living(self) -> list[SpawnProcess]:
        return [slot.process for slot in self._slots if slot.process is not None]

    def _start_due(self) -> None:
        for slot in self._slots:
            if slot.due_at is not None and not self._is_stopping and slot.due_at <= time.monotonic():
                slot.due_at = None
                slot.process, slot.told = _start(self._work, slot.number)

    def _stop_if_asked(self) -> None:
        """Pass on every signal once, and kill what takes too long after the first."""
        if not self._is_stopping:
            return
        if self._kill_at is None:
            self._kill_at = time.monotonic() + self._drain_s + KILL_S
        n_wanted = max(1, self._n_signals)
        if n_wanted > self._n_passed_on:
            self._n_passed_on = n_wanted
            for process in self._living():
                process.terminate()
        if time.monotonic() >= self._kill_at:
            self._has_failed = True
            for process in self._living():
                logger.error("process %s does not stop: killed", process.pid)
                process.kill()

    def _wait(self, woken: socket.socket) -> None:
        """Until something happens, and take note of it."""
        happened = set(wait([woken, *self._sources()], self._patience_s()))
        if woken in happened:
            woken.recv(64)
        for slot in self._slots:
            if slot.told in happened:
                self._hear(slot)
            if slot.process is not None and slot.process.sentinel in happened:
                self._ended(slot)

    def _sources(self) -> Iterator[Connection | int]:
        for slot in self._slots:
            if slot.told is not None:
                yield slot.told
            if slot.process is not None:
                yield slot.process.sentinel

    def _patience_s(self) -> float | None:
        if self._is_stopping:
            return None if self._kill_at is None else max(0.0, self._kill_at - time.monotonic())
        due = [slot.due_at for slot in self._slots if slot.due_at is not None]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _hear(self, slot: _Slot) -> None:
        """A worker says that it serves, or has closed its end of the pipe."""
        assert slot.told is not None
        try:
            slot.told.recv()
        except EOFError:
            pass  # it ends before it serves
        else:
            slot.ready_at = time.monotonic()
        slot.told.close()
        slot.told = None
        if not self._has_been_ready and all(one.is_ready for one in self._slots):
            self._has_been_ready = True
            self._on_ready()

    def _ended(self, slot: _Slot) -> None:
        """Note the end, and when there shall be a successor, if ever."""
        assert slot.process is not None
        slot.process.join()
        code, slot.process = slot.process.exitcode, None
        ready_at, slot.ready_at = slot.ready_at, None
        if self._is_stopping:
            self._has_failed |= code not in (0, -signal.SIGTERM)  # by the signal: it was only starting
            return
        is_well = ready_at is not None and time.monotonic() - ready_at >= WELL_S
        slot.n_failed = 1 if is_well else slot.n_failed + 1
        if ready_at is None and self._is_hopeless(slot):
            logger.critical("worker %d cannot start (%s): giving up", slot.number, _how(code))
            self._has_failed = True
            return
        pause = pause_s(slot.n_failed - 1)
        slot.due_at = time.monotonic() + pause
        logger.error("worker %d ended (%s): starting another in %g s", slot.number, _how(code), pause)

    def _is_hopeless(self, slot: _Slot) -> bool:
        """Whether a start that failed is the end: nobody serves, and it is the first or was tried enough."""
        is_served = any(one.is_ready for one in self._slots)
        return not is_served and (not self._has_been_ready or slot.n_failed >= MAX_FAILED_STARTS)

    @contextmanager
    def _signals(self) -> Iterator[socket.socket]:
        """Count stop signals, and wake up for each."""
        woken, wakes = socket.socketpair()
        wakes.setblocking(False)

        def note(number: int, frame: object) -> None:
            self._n_signals += 1

        before = {stop: signal.signal(stop, note) for stop in STOPS}
        descriptor = signal.set_wakeup_fd(wakes.fileno(), warn_on_full_buffer=False)
        try:
            yield woken
        finally:
            signal.set_wakeup_fd(descriptor)
            for stop, handler in before.items():
                signal.signal(stop, handler)
            woken.close()
            wakes.close()


def _start(work: Work, number: int) -> tuple[SpawnProcess, Connection]:
    """A worker in a fresh interpreter: nothing of this one's threads or loops is in it."""
    context = multiprocessing.get_context("spawn")
    told, tells = context.Pipe(duplex=False)
    process = context.Process(target=_worker, args=(work, number, tells), name=f"worker {number}")
    process.start()
    tells.close()
    return process, told


def _worker(work: Work, number: int, tells: Connection) -> None:
    """In the worker's process."""
    os.setpgrp()  # Ctrl+C at a terminal goes to the supervisor alone, which passes it on once
    threading.Thread(target=_end_with_parent, name="orphan", daemon=True).start()

    def ready() -> None:
        tells.send(None)
        tells.close()

    work(number, ready)


def _end_with_parent() -> None:
    """A worker whose supervisor was killed stops by itself."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _how(code: int | None) -> str:
    """How a process ended."""
    if code is not None and code < 0:
        return signal.Signals(-code).name
    return f"exit code {code}"
