"""A run: what it asks, writes, pays, and how it ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from compressor.errors import DataError
from compressor.tokens import counter
from compressor.train.distill import Chunk
from gateway.accounting import Price
from gateway.distill.budget import Budget
from gateway.distill.journal import Journal
from gateway.distill.run import Cost, Pace, Run, Tally
from gateway.distill.teacher import Busy, Lost, Refused, Reply, TeacherError
from gateway.types import Usage
from tests.e2e.scripted_upstream import until

GOOD = Reply(json.dumps({"light": "one two", "heavy": "two"}), True, Usage(1000, 100))
PRICE = Price(1e-6, 1e-6, 1e-6, 1e-5)
GOOD_USD = 0.002
CHUNKS = [Chunk(f"d#{i}", "d", "en", f"one two three {i}") for i in range(40)]
Answers = Callable[[str, int], Reply]


class FakeTeacher:
    """Answers by text and number of the attempt; counts how many are asked at once."""

    def __init__(self, answer: Answers = lambda text, attempt: GOOD) -> None:
        self._answer = answer
        self.asked: list[str] = []
        self.now = self.most = 0
        self.gate: asyncio.Event | None = None

    async def ask(self, text: str, most_tokens: int) -> Reply:
        self.asked.append(text)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await (self.gate.wait() if self.gate else asyncio.sleep(0))
            return self._answer(text, self.asked.count(text))
        finally:
            self.now -= 1


class Files:
    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.out = stack.enter_context(Journal(folder / "out"))
        self.rejects = stack.enter_context(Journal(folder / "rejects"))

    def run(self, most_usd: float = 100.0, **pace: Any) -> Run:
        cost = Cost(PRICE, counter("o200k_base"), 500)
        chosen = Pace(**{"concurrency": 4, "first_wait_s": 0.0, **pace})
        return Run("gpt-x", cost, Budget(most_usd), self.out, self.rejects, chosen)

    def ids(self, journal: Journal) -> list[str]:
        return [json.loads(line)["id"] for line in journal.path.read_bytes().splitlines()]


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Files]:
    with ExitStack() as stack:
        yield Files(tmp_path, stack)


def fail(error: Exception) -> Reply:
    raise error


async def test_every_chunk_is_asked_and_written_once(files: Files) -> None:
    teacher, told = FakeTeacher(), list[int]()
    run = files.run()
    run.told = lambda tally: told.append(tally.n_done)
    tally = await run.distil(CHUNKS, teacher)
    assert sorted(files.ids(files.out)) == sorted(chunk.id for chunk in CHUNKS)
    assert (tally.n_answered, tally.ended, teacher.most) == (40, None, 4)
    assert tally.spent_usd == pytest.approx(40 * GOOD_USD)
    assert (tally.prompt_tokens, tally.completion_tokens) == (40_000, 4_000)
    assert told == list(range(1, 41))


@pytest.mark.parametrize("error", [Busy("status 429", 0.0), Busy("status 500"), Lost("broke off")])
async def test_what_fails_is_asked_again(files: Files, error: Exception) -> None:
    teacher = FakeTeacher(lambda text, attempt: GOOD if attempt == 3 else fail(error))
    tally = await files.run().distil(CHUNKS[:5], teacher)
    assert (tally.n_answered, tally.n_retries, len(teacher.asked)) == (5, 10, 15)


async def test_an_answer_that_got_lost_counts_at_its_worst(files: Files) -> None:
    run = files.run()
    worst = run.cost.worst_usd(CHUNKS[0])
    teacher = FakeTeacher(lambda text, attempt: GOOD if attempt == 2 else fail(Lost("broke off")))
    tally = await run.distil(CHUNKS[:1], teacher)
    assert tally.spent_usd == pytest.approx(worst + GOOD_USD)
    assert worst > GOOD_USD


async def test_what_never_answers_is_left_for_the_next_run(files: Files) -> None:
    teacher = FakeTeacher(lambda text, attempt: GOOD if text != CHUNKS[1].text else fail(Busy("status 500")))
    tally = await files.run(attempts=3).distil(CHUNKS[:4], teacher)
    assert (tally.n_answered, tally.n_unanswered) == (3, 1)
    assert files.ids(files.rejects) == []
    assert not files.out.has(CHUNKS[1].id, CHUNKS[1].text)


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (Reply("I cannot do that", True, Usage(1, 1)), "no JSON"),
        (Reply(GOOD.content, False, Usage(1, 1)), "cut at its longest"),
        (Reply("", True, None), "no JSON"),
    ],
)
async def test_a_malformed_answer_is_kept_apart_and_paid_for(files: Files, reply: Reply, why: str) -> None:
    tally = await files.run().distil(CHUNKS, FakeTeacher(lambda text, attempt: reply))
    assert (tally.n_malformed, tally.n_answered, tally.ended) == (40, 0, None)
    assert tally.spent_usd > 0
    rejected = [json.loads(line) for line in files.rejects.path.read_bytes().splitlines()]
    assert all(why in record["why"] and record["answer"] == reply.content for record in rejected)
    assert len(rejected) == 40


async def test_a_refusal_is_kept_apart(files: Files) -> None:
    teacher = FakeTeacher(
        lambda text, attempt: GOOD if text != CHUNKS[1].text else fail(Refused("status 400: no"))
    )
    tally = await files.run().distil(CHUNKS[:4], teacher)
    assert (tally.n_answered, tally.n_refused, len(teacher.asked)) == (3, 1, 4)
    assert files.ids(files.rejects) == [CHUNKS[1].id]


@pytest.mark.parametrize("concurrency", [1, 4])
async def test_no_more_is_spent_than_allowed(files: Files, concurrency: int) -> None:
    run = files.run(most_usd=0.02, concurrency=concurrency)
    tally = await run.distil(CHUNKS, FakeTeacher())
    assert tally.ended == "the next request could cost more than --max-usd allows"
    assert 0 < tally.spent_usd <= 0.02
    assert tally.n_answered == len(files.ids(files.out)) < 10
    assert 0.02 - tally.spent_usd < run.cost.worst_usd(CHUNKS[0]), "and no sooner"


async def test_a_teacher_that_cannot_be_asked_ends_the_run(files: Files) -> None:
    teacher = FakeTeacher(lambda text, attempt: fail(TeacherError("status 401")))
    with pytest.raises(TeacherError, match="401"):
        await files.run().distil(CHUNKS, teacher)
    assert len(teacher.asked) <= 4


async def test_a_teacher_that_is_down_is_not_asked_for_ever(files: Files) -> None:
    teacher = FakeTeacher(lambda text, attempt: fail(Busy("status 503")))
    with pytest.raises(TeacherError, match="5 chunks in a row without an answer, the last for: status 503"):
        await files.run(attempts=2, most_in_a_row=5).distil(CHUNKS, teacher)
    assert len(teacher.asked) <= 2 * (5 + 3)


async def test_stopping_waits_for_what_is_under_way_and_loses_none_of_it(files: Files) -> None:
    teacher, run = FakeTeacher(), files.run()
    teacher.gate = asyncio.Event()
    task = asyncio.create_task(run.distil(CHUNKS, teacher))
    await until(lambda: teacher.now == 4)
    run.stop.set()
    teacher.gate.set()
    tally = await task
    assert (tally.n_answered, tally.ended, len(teacher.asked)) == (4, "stopped", 4)
    assert len(files.ids(files.out)) == 4


async def test_stopping_cuts_a_pause_short(files: Files) -> None:
    teacher = FakeTeacher(lambda text, attempt: fail(Busy("status 429", 50.0)))
    run = files.run()
    task = asyncio.create_task(run.distil(CHUNKS, teacher))
    await until(lambda: len(teacher.asked) == 4 and not teacher.now)
    run.stop.set()
    async with asyncio.timeout(20):
        tally = await task
    assert (tally.n_unanswered, tally.n_done, tally.ended) == (0, 0, "stopped")


async def test_a_run_that_is_cancelled_keeps_what_was_finished(files: Files) -> None:
    def answer(text: str, attempt: int) -> Reply:
        if text == CHUNKS[7].text:
            task.cancel()
        return GOOD

    run = files.run(concurrency=1)
    task: asyncio.Task[Tally] = asyncio.create_task(run.distil(CHUNKS, FakeTeacher(answer)))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert files.ids(files.out)[:7] == [chunk.id for chunk in CHUNKS[:7]]


async def test_a_file_that_cannot_be_written_ends_the_run(files: Files) -> None:
    class Full(Journal):
        def add(self, fields: Any) -> None:
            raise DataError("no room")

    run = files.run()
    run.out = Full(files.out.path)
    with pytest.raises(DataError, match="no room"):
        await run.distil(CHUNKS, FakeTeacher())
