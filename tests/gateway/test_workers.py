"""gateway.workers: who looks after workers, with real processes that do what a test wants."""

from __future__ import annotations

import os
import signal
import threading
import time
from functools import partial
from pathlib import Path
from queue import SimpleQueue

import pytest

from compressor.pause import PAUSE_S
from gateway.workers import Ready, Supervisor
from tests.redis_server import PATIENCE_S, until


def note(folder: Path, what: str) -> None:
    (folder / f"{what}-{os.getpid()}").touch()


def noted(folder: Path, what: str) -> int:
    return len(list(folder.glob(f"{what}-*")))


def serve(folder: Path, number: int, ready: Ready) -> None:
    """A worker that serves until it is told to stop."""
    stopped: SimpleQueue[int] = SimpleQueue()
    signal.signal(signal.SIGTERM, lambda number, frame: stopped.put(number))
    note(folder, f"serving{number}")
    ready()
    stopped.get()
    note(folder, "drained")


def stay() -> None:
    """Longer than a test takes."""
    threading.Event().wait(PATIENCE_S)


def deaf(folder: Path, number: int, ready: Ready) -> None:
    """A worker that stops for nothing."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    ready()
    stay()


def stop_parent(folder: Path, number: int, ready: Ready) -> None:
    """The first one asks the supervisor to stop once all serve."""
    if number == 1:
        threading.Thread(target=stop_when_greeted, args=(folder,)).start()
    serve(folder, number, ready)


def stop_when_greeted(folder: Path) -> None:
    until(lambda: noted(folder, "greeted") == 1, "the supervisor's greeting")
    stop_supervisor()


def stop_supervisor() -> None:
    os.kill(os.getppid(), signal.SIGTERM)


def die_once(folder: Path, number: int, ready: Ready) -> None:
    """The second one is killed while it serves; its successor, once it can be told to stop, ends the test."""
    if number == 1:
        serve(folder, number, ready)
        return
    if noted(folder, "serving2"):
        serve(folder, number, stop_supervisor)
        return
    note(folder, "serving2")
    ready()
    until(lambda: noted(folder, "greeted") == 1, "the supervisor's greeting")
    os.kill(os.getpid(), signal.SIGKILL)


def cannot_start(folder: Path, number: int, ready: Ready) -> None:
    note(folder, "tried")
    if number == 2:
        raise SystemExit(3)
    stay()


def fail_to_stop(folder: Path, number: int, ready: Ready) -> None:
    stop_parent(folder, number, ready)
    raise SystemExit(7 if number == 2 else 0)


def supervise(work: object, folder: Path, n: int = 2, drain_s: float = 20.0) -> int:
    assert callable(work)
    greet = partial(note, folder, "greeted")
    return Supervisor(partial(work, folder), n, drain_s=drain_s, on_ready=greet).run()


def test_a_stop_signal_is_passed_on_and_all_drain(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    assert supervise(stop_parent, tmp_path, n=3) == 0
    assert noted(tmp_path, "drained") == 3
    assert signal.getsignal(signal.SIGTERM) is before


def test_who_is_killed_is_replaced(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert supervise(die_once, tmp_path) == 0
    assert noted(tmp_path, "drained") == 2
    assert noted(tmp_path, "greeted") == 1
    assert caplog.messages == [f"worker 2 ended (SIGKILL): starting another in {PAUSE_S:g} s"]


def test_workers_that_cannot_start_end_everything(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    began = time.monotonic()
    assert supervise(cannot_start, tmp_path) == 1
    assert noted(tmp_path, "greeted") == 0
    assert caplog.messages == ["worker 2 cannot start (exit code 3): giving up"]
    assert time.monotonic() - began < PATIENCE_S, "the other one was stopped"


def test_a_worker_that_does_not_end_well_is_the_exit_code(tmp_path: Path) -> None:
    assert supervise(fail_to_stop, tmp_path) == 1


def stop_deaf(folder: Path, number: int, ready: Ready) -> None:
    deaf(folder, number, stop_supervisor if number == 1 else ready)


def test_a_worker_that_does_not_stop_is_killed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    killed = -14.0  # of the 15 s that it has besides its drain, one is left
    assert supervise(stop_deaf, tmp_path, drain_s=killed) == 1
    assert "does not stop: killed" in caplog.text


def orphan(folder: Path, number: int, ready: Ready) -> None:
    def kill_supervisor() -> None:
        until(lambda: noted(folder, "serving2") == 1, "the other worker")
        os.kill(os.getppid(), signal.SIGKILL)

    serve(folder, number, kill_supervisor if number == 1 else ready)


def test_workers_whose_supervisor_is_killed_stop_by_themselves(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        supervise(orphan, tmp_path)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    until(lambda: noted(tmp_path, "drained") == 2, "both workers' end")
