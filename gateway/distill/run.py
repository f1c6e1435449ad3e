"""A run of `pith train distill`: every chunk is asked until it is answered, refused or given up.

What is finished is written at once, in the order it comes. A run ends when all chunks are done, when the
budget cannot bear another request, when it is told to stop (what is under way is waited for), or when the
teacher cannot be asked; whichever it is, what is missing then is asked by the next run.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from compressor.errors import CompressorError, DataError
from compressor.tokens import TokenCounter
from compressor.train.distill import Chunk, Malformed, read_answer
from gateway.accounting import Price
from gateway.distill.budget import Budget, Spent, usd
from gateway.distill.journal import Journal
from gateway.distill.teacher import Asks, Busy, Lost, NoAnswer, Refused, Reply, TeacherError
from gateway.errors import GatewayError
from gateway.types import Usage

MARGIN = 1.25
"""Tokens of the teacher's own vocabulary to ours, at the worst."""
ANSWER_SHARE, ANSWER_EXTRA = 1.6, 256
"""Longest answer to a chunk: this share of its tokens, and some. Two strengths take about one."""
KEPT = 2000
"""Characters of a malformed answer that are kept."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How a run asks."""

    concurrency: int = 8
    attempts: int = 6
    first_wait_s: float = 1.0
    """Doubled after each attempt; a time the teacher names is taken instead."""
    longest_wait_s: float = 60.0
    most_in_a_row: int = 16
    """Chunks without an answer, none between them answered, before the run gives up."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a request takes, known before it is sent."""

    price: Price
    counter: TokenCounter
    instruction_tokens: int
    most_answer_tokens: int | None = None
    """Where the caller limits answers."""

    def usage(self, chunk: Chunk) -> Usage:
        """About what is to be expected."""
        n = self.counter.count(chunk.text)
        return Usage(self.instruction_tokens + n, n + 16, estimated=True)

    def answer_tokens(self, chunk: Chunk) -> int:
        longest = int(self.counter.count(chunk.text) * ANSWER_SHARE) + ANSWER_EXTRA
        return self.most_answer_tokens or longest

    def worst_usd(self, chunk: Chunk) -> float:
        prompt = int(self.usage(chunk).prompt_tokens * MARGIN)
        return usd(Usage(prompt, self.answer_tokens(chunk)), self.price)


@dataclass(slots=True)
class Tally:
    """How far a run is, and why it ended before its end."""

    n_chunks: int = 0
    n_answered: int = 0
    n_malformed: int = 0
    n_refused: int = 0
    n_unanswered: int = 0
    n_retries: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    n_estimated: int = 0
    """Answers that came without usage, or got lost."""
    spent_usd: float = 0.0
    ended: str | None = None

    @property
    def n_done(self) -> int:
        return self.n_answered + self.n_malformed + self.n_refused + self.n_unanswered


@dataclass(slots=True)
class Run:
    """One run. `stop` may be set at any time; `told` is called whenever the tally has changed."""

    teacher: str
    """Its name, for the record."""
    cost: Cost
    budget: Budget
    out: Journal
    rejects: Journal
    pace: Pace = field(default_factory=Pace)
    told: Callable[[Tally], None] = lambda tally: None
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    tally: Tally = field(default_factory=Tally)
    _n_in_a_row: int = 0
    _error: CompressorError | GatewayError | None = None

    async def distil(self, chunks: Sequence[Chunk], asks: Asks) -> Tally:
        """Ask them all.

        Once what was under way is done, it raises TeacherError if the teacher cannot be asked, DataError if a
        file cannot be written.
        """
        self.tally.n_chunks = len(chunks)
        waiting = iter(chunks)
        async with asyncio.TaskGroup() as group:
            for _ in range(min(self.pace.concurrency, len(chunks))):
                group.create_task(self._work(waiting, asks))
        if self._error is not None:
            raise self._error
        return self.tally

    async def _work(self, waiting: Iterator[Chunk], asks: Asks) -> None:
        for chunk in waiting:
            try:
                reply = await self._answer(chunk, asks)
            except NoAnswer as error:
                self._leave(chunk, error)
            except Spent:
                self._end("the next request could cost more than --max-usd allows")
            except TeacherError as error:
                self._fail(error)
            else:
                self._take(chunk, reply)
            self.tally.spent_usd = self.budget.spent_usd
            self.told(self.tally)
            if self.stop.is_set():
                self._end("stopped")
                return

    def _fail(self, error: CompressorError | GatewayError) -> None:
        self._error = self._error or error
        self._end("failed")

    def _end(self, reason: str) -> None:
        self.tally.ended = self.tally.ended or reason
        self.stop.set()

    async def _answer(self, chunk: Chunk, asks: Asks) -> Reply:
        """Ask until there is an answer. Raises the last NoAnswer, Spent or TeacherError."""
        wait_s, attempt = self.pace.first_wait_s, 1
        while True:
            try:
                return await self._ask(chunk, asks)
            except (Busy, Lost) as error:
                said_s = error.wait_s if isinstance(error, Busy) else None
                if attempt == self.pace.attempts or self.stop.is_set():
                    raise
            spread = random.uniform(0.5, 1.5)  # noqa: S311 - no secret: it spreads what failed together
            await self._pause(wait_s * spread if said_s is None else said_s)
            wait_s, attempt = wait_s * 2, attempt + 1
            self.tally.n_retries += 1

    async def _ask(self, chunk: Chunk, asks: Asks) -> Reply:
        """One request, paid for."""
        worst_usd = self.cost.worst_usd(chunk)
        await self.budget.reserve(worst_usd)
        spent_usd = 0.0
        try:
            if self.stop.is_set():
                raise Busy("stopped")
            reply = await asks.ask(chunk.text, self.cost.answer_tokens(chunk))
            spent_usd = self._count(reply.usage or self.cost.usage(chunk))
        except Lost:
            self.tally.n_estimated += 1
            spent_usd = worst_usd
            raise
        finally:
            self.budget.settle(worst_usd, spent_usd)
        return reply

    def _count(self, usage: Usage) -> float:
        self.tally.prompt_tokens += usage.prompt_tokens
        self.tally.completion_tokens += usage.completion_tokens
        self.tally.n_estimated += usage.estimated
        return usd(usage, self.cost.price)

    async def _pause(self, seconds: float) -> None:
        """Wait, unless told to stop."""
        with suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, self.pace.longest_wait_s)):
                await self.stop.wait()

    def _take(self, chunk: Chunk, reply: Reply) -> None:
        self._n_in_a_row = 0
        try:
            if not reply.is_whole:
                raise Malformed("cut at its longest: allow more by --body '{\"max_tokens\": …}'")
            answer = read_answer(reply.content)
        except Malformed as error:
            self.tally.n_malformed += 1
            self._reject(chunk, str(error), reply.content[:KEPT])
        else:
            self.tally.n_answered += 1
            self._write(self.out, chunk.answered(answer, self.teacher))

    def _leave(self, chunk: Chunk, error: NoAnswer) -> None:
        if isinstance(error, Refused):
            self.tally.n_refused += 1
            self._reject(chunk, str(error), None)
        elif self.stop.is_set():
            return  # it was not asked to the end
        else:
            self.tally.n_unanswered += 1
        self._n_in_a_row += 1
        if self._n_in_a_row >= self.pace.most_in_a_row:
            reason = f"{self._n_in_a_row} chunks in a row without an answer, the last for: {error}"
            self._fail(TeacherError(f"{reason}; run again when it answers"))

    def _reject(self, chunk: Chunk, why: str, answer: str | None) -> None:
        fields = {"id": chunk.id, "src": chunk.source, "lang": chunk.language, "text": chunk.text}
        self._write(self.rejects, {**fields, "why": why, "answer": answer})

    def _write(self, journal: Journal, fields: Mapping[str, Any]) -> None:
        try:
            journal.add(fields)
        except DataError as error:
            self._fail(error)
