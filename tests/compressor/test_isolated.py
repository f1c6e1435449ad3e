"""A scorer in a process of its own: killed, hung and broken for real; whoever waits is answered."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compressor.engine import Engine
from compressor.errors import ModelError, OutOfMemory, ScorerDown, ScorerLost
from compressor.flow import ScoreRequest
from compressor.isolated import IsolatedScorer, Recipe
from compressor.params import CompressionParams
from compressor.types import Chunk, Scorer
from compressor.words import split
from tests.compressor import child_scorers as letters
from tests.compressor.fake_scorers import LengthScorer as OfLengths
from tests.fakes import LengthScorer

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0
"""What a test waits for what must happen; reached only where it fails."""

TEXT = "a text of words that are not all of the same length"
MODULE = letters.__name__


def text_with(n_letters: int) -> str:
    return f"some words and {'x' * n_letters} behind them"


def at_once(n_failed: int) -> float:
    return 0.0


def made(loader: str = "mortal", *arguments: str, watchdog_s: float = PATIENCE_S) -> IsolatedScorer:
    recipe = Recipe(f"{MODULE}:{loader}", arguments, letters.front)
    return IsolatedScorer(recipe, watchdog_s=watchdog_s, pause_s=at_once)


@contextmanager
def running(
    loader: str = "mortal", *arguments: str, watchdog_s: float = PATIENCE_S
) -> Iterator[IsolatedScorer]:
    scorer = made(loader, *arguments, watchdog_s=watchdog_s)
    scorer.start()
    try:
        yield scorer
    finally:
        scorer.close()


@pytest.fixture(scope="module")
def shared() -> Iterator[IsolatedScorer]:
    """One process for the tests after which another one runs, or the same."""
    with running() as scorer:
        yield scorer


def chunks_of(scorer: Scorer, text: str) -> list[Chunk]:
    return scorer.encode(text, split(text))


def scored(scorer: Scorer, text: str) -> list[int]:
    chunks = chunks_of(scorer, text)
    found: list[int] = scorer.merge(split(text), chunks, scorer.forward(chunks)).tolist()
    return found


def asked(text: str) -> ScoreRequest:
    return ScoreRequest(text, split(text))


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.005)


def is_well(scorer: IsolatedScorer) -> bool:
    return scorer.trouble is None


def pid_of(scorer: IsolatedScorer) -> int:
    until(lambda: is_well(scorer))
    assert scorer.pid is not None
    return scorer.pid


def is_there(pid: int) -> bool:
    """Running, or a zombie."""
    return Path(f"/proc/{pid}").exists()


def test_scores_are_those_of_this_process(shared: IsolatedScorer) -> None:
    until(lambda: is_well(shared))
    assert shared.fingerprint == LengthScorer.fingerprint
    assert scored(shared, TEXT) == scored(LengthScorer(), TEXT)
    batch = [chunk for text in (TEXT, "one", TEXT * 50) for chunk in chunks_of(shared, text)]
    both = zip(shared.forward(batch), LengthScorer().forward(batch), strict=True)
    assert all(np.array_equal(there, here) for there, here in both)
    assert shared.forward([]) == []


def test_a_failure_is_told_by_its_type_and_the_process_goes_on(shared: IsolatedScorer) -> None:
    pid = pid_of(shared)
    assert scored(shared, TEXT)
    with pytest.raises(ScorerDown, match=r"^RuntimeError in the scorer$") as caught:
        scored(shared, text_with(letters.RAISE))
    assert not isinstance(caught.value, ScorerLost)
    assert scored(shared, TEXT)
    assert shared.pid == pid


def test_what_are_no_scores_is_a_failure(shared: IsolatedScorer) -> None:
    pid = pid_of(shared)
    assert scored(shared, TEXT)
    with pytest.raises(ScorerDown, match="what are no scores"):
        scored(shared, text_with(letters.BABBLE))
    assert shared.pid == pid


def test_a_lost_device_ends_the_process_and_another_scores(shared: IsolatedScorer) -> None:
    pid = pid_of(shared)
    assert scored(shared, TEXT)
    with pytest.raises(ScorerLost, match=r"lost its device \(RuntimeError in the scorer\)"):
        scored(shared, text_with(letters.LOSE))
    assert pid_of(shared) != pid
    assert scored(shared, TEXT) == scored(LengthScorer(), TEXT)
    until(lambda: not is_there(pid))


def test_a_process_that_kills_itself_is_replaced(shared: IsolatedScorer) -> None:
    pid, n_restarts = pid_of(shared), shared.n_restarts
    with pytest.raises(ScorerLost, match="the scorer's process ended"):
        scored(shared, text_with(letters.KILL))
    assert pid_of(shared) != pid
    assert shared.n_restarts == n_restarts + 1
    assert scored(shared, TEXT)


def test_how_it_runs_and_ends_is_logged(shared: IsolatedScorer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "compressor.isolated")
    os.kill(pid_of(shared), signal.SIGKILL)
    until(lambda: not is_well(shared))
    pid_of(shared)
    ended = "the scorer's process ended: SIGKILL; another is started in 0 s"
    assert caplog.messages == [ended, "the scorer's process scores: cpu: as quick as can be"]


def test_killed_while_idle_is_noticed(shared: IsolatedScorer) -> None:
    pid = pid_of(shared)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not is_there(pid))
    until(lambda: shared.pid != pid)
    assert pid_of(shared) != pid
    assert scored(shared, TEXT)


def test_one_that_hangs_is_killed() -> None:
    with running(watchdog_s=0.3) as scorer:
        pid = pid_of(scorer)
        with pytest.raises(ScorerLost, match=r"gave no answer for 0\.3 s"):
            scored(scorer, text_with(letters.HANG))
        until(lambda: not is_there(pid))
        assert pid_of(scorer) != pid
        assert scored(scorer, TEXT)


def test_memory_is_told_apart_and_an_engine_halves_the_batch() -> None:
    with running("mortal", "3") as scorer:
        with pytest.raises(OutOfMemory):
            scorer.forward(chunks_of(scorer, TEXT) * 4)

        async def scores() -> list[object]:
            async with Engine(scorer, max_batch_tokens=10) as engine:
                return list(await engine.score([asked(TEXT)] * 10))

        found = asyncio.run(scores())
        assert all(np.asarray(one).tolist() == scored(LengthScorer(), TEXT) for one in found)


@pytest.mark.parametrize(
    ("loader", "message"),
    [
        ("refused", "^model 'x': there is none$"),
        ("broken", "^OSError while it was loaded$"),
        ("dying", "^the scorer's process ended while it was started: exit code 3$"),
        ("no_such_loader", "^AttributeError while it was loaded$"),
    ],
)
def test_what_does_not_load_is_said_at_the_start(loader: str, message: str) -> None:
    before = set(threading.enumerate())
    scorer = made(loader)
    with pytest.raises(ModelError, match=message):
        scorer.start()
    scorer.close()
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize(
    ("trouble", "message"),
    [(ModelError("model 'x': no half to stay"), "no half to stay"), (OSError("a path"), "OSError")],
)
def test_the_half_that_stays_may_not_load_either(trouble: Exception, message: str) -> None:
    def front(told: dict[str, Any]) -> LengthScorer:
        raise trouble

    scorer = IsolatedScorer(Recipe(f"{MODULE}:mortal", (), front))
    starting = threading.Thread(target=lambda: said.append(refused(scorer)), daemon=True)
    said: list[str] = []
    starting.start()
    starting.join(PATIENCE_S)
    scorer.close()
    [refusal] = said
    assert message in refusal
    assert "a path" not in refusal


def refused(scorer: IsolatedScorer) -> str:
    with pytest.raises(ModelError) as raised:
        scorer.start()
    return str(raised.value)


def test_where_no_process_can_be_started_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/there/is/none")
    scorer = made()
    assert "could not be started" in refused(scorer)
    scorer.close()


def test_it_is_tried_again_when_processes_can_be_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with running() as scorer:
        with monkeypatch.context() as without:
            without.setattr(sys, "executable", "/there/is/none")
            os.kill(pid_of(scorer), signal.SIGKILL)
            until(lambda: "could not be started" in (scorer.trouble or ""))
        until(lambda: is_well(scorer))
        assert scored(scorer, TEXT)


def test_a_signal_without_a_name_is_one_as_well() -> None:
    with running() as scorer:
        pid = pid_of(scorer)
        os.kill(pid, signal.SIGRTMIN + 2)
        until(lambda: is_well(scorer) and scorer.pid not in (None, pid))


def test_one_that_never_scored_was_never_well(tmp_path: Path) -> None:
    pauses: list[int] = []

    def pause_s(n_failed: int) -> float:
        pauses.append(n_failed)
        return 0.0

    recipe = Recipe(f"{MODULE}:other", (str(tmp_path / "loaded"),), letters.front)
    scorer = IsolatedScorer(recipe, pause_s=pause_s, well_s=0.0)
    scorer.start()
    os.kill(pid_of(scorer), signal.SIGKILL)
    until(lambda: len(pauses) > 3)
    scorer.close()
    assert pauses[:4] == [0, 0, 1, 2]


def test_another_model_is_not_used(tmp_path: Path) -> None:
    with running("other", str(tmp_path / "loaded")) as scorer:
        pid = pid_of(scorer)
        os.kill(pid, signal.SIGKILL)
        until(lambda: "the model has changed" in (scorer.trouble or ""))
        with pytest.raises(ScorerLost):
            scored(scorer, TEXT)
        assert scorer.fingerprint == LengthScorer.fingerprint


def test_before_the_start_and_after_the_end_nobody_hangs() -> None:
    scorer = made()
    words = split(TEXT)
    with pytest.raises(ScorerLost, match="was not started"):
        scorer.encode(TEXT, words)
    with pytest.raises(ScorerLost, match="is being started"):
        scorer.forward(chunks_of(LengthScorer(), TEXT))
    scorer.start()
    scorer.close()
    with pytest.raises(ScorerLost, match="it was closed"):
        scorer.forward(chunks_of(scorer, TEXT))
    assert scorer.trouble is not None


def test_a_scorer_whose_chunks_cannot_cross_is_refused_at_the_start() -> None:
    def front(told: dict[str, Any]) -> OfLengths:
        return OfLengths()

    scorer = IsolatedScorer(Recipe(f"{MODULE}:mortal", (), front))
    with pytest.raises(ModelError, match=r"a chunk holds ndarray.*use isolation: thread"):
        scorer.start()
    assert scorer.pid is None


def test_what_cannot_cross_is_the_callers_error(shared: IsolatedScorer) -> None:
    with pytest.raises(TypeError, match="a chunk holds str"):
        shared.forward([Chunk(1, "text")])


async def test_killed_amid_a_batch_every_waiter_is_answered_and_it_recovers() -> None:
    scorer = made()
    await asyncio.to_thread(scorer.start)
    pid = pid_of(scorer)
    params = CompressionParams(rate=0.5)
    async with Engine(scorer, max_batch_tokens=4) as engine:
        slow = [text_with(letters.SLOW) + f" number {at}" for at in range(20)]
        waiting = [asyncio.create_task(engine.compress([text], params)) for text in slow]
        while engine.vitals()["default"].n_tokens < len(slow):  # noqa: ASYNC110 - a thread's
            await asyncio.sleep(0.005)
        os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(PATIENCE_S):
            results = [result for [result] in await asyncio.gather(*waiting)]
        assert [result.text for result in results] == slow
        assert {result.skip for result in results} == {"scorer_down"}
        assert "the scorer's process" in (engine.degraded or "")
        await asyncio.to_thread(pid_of, scorer)
        assert engine.degraded is None
        [well] = await engine.compress([TEXT], params)
        assert well.skip is None
        assert engine.vitals()["default"].n_restarts == 1
    await asyncio.to_thread(scorer.close)


async def test_closing_amid_a_batch_answers() -> None:
    scorer = made()
    await asyncio.to_thread(scorer.start)
    pid = pid_of(scorer)
    waiting = asyncio.create_task(asyncio.to_thread(scored, scorer, text_with(letters.HANG)))
    while not scorer._asking.locked():  # noqa: ASYNC110 - a thread's
        await asyncio.sleep(0.005)
    await asyncio.to_thread(scorer.close)
    with pytest.raises(ScorerLost):
        await waiting
    assert not is_there(pid)


def test_restarts_leave_no_process_no_descriptor_and_no_thread() -> None:
    def open_files() -> int:
        return len(os.listdir("/proc/self/fd"))

    threads, files = set(threading.enumerate()), open_files()
    pids = []
    with running() as scorer:
        well = open_files()
        for _ in range(N_RESTARTS):
            pids.append(pid_of(scorer))
            with pytest.raises(ScorerLost):
                scored(scorer, text_with(letters.KILL))
        pids.append(pid_of(scorer))
        assert len(set(pids)) == N_RESTARTS + 1
        assert open_files() == well
        assert [pid for pid in pids[:-1] if is_there(pid)] == []
    assert not is_there(pids[-1])
    assert open_files() == files
    assert set(threading.enumerate()) <= threads


N_RESTARTS = int(os.environ.get("ISOLATED_RESTARTS", "5"))
"""Tried with 50."""

PARENT = f"""
from {__name__} import *
scorer = made()
scorer.start()
print(scorer.pid, flush=True)
scored(scorer, text_with(letters.HANG if "busy" in sys.argv else 1))
print("scored", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("how", ["busy", "idle"])
def test_it_ends_with_its_parent(how: str) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, how],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        if how == "idle":
            assert parent.stdout.readline() == "scored\n"
        assert is_there(pid)
        parent.kill()
    until(lambda: not is_running(pid))


def is_running(pid: int) -> bool:
    """Not a zombie: nobody may be there to take note of the end of somebody else's child."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_a_batch_of_chunks_is_in_order(shared: IsolatedScorer) -> None:
    until(lambda: is_well(shared))
    texts = ["a" * at for at in range(1, 12)]
    batch: Sequence[Chunk] = [chunk for text in texts for chunk in chunks_of(shared, text)]
    assert [round(float(scores[0]) * 16) for scores in shared.forward(batch)] == list(range(1, 12))
