"""Commands to a store that may be slow, dead or lying, and callers who must not notice.

Each command runs in a task of its own, which nobody cancels: a caller that leaves, or has waited enough, lets
the command come to its own end, so that no connection is left with an answer nobody has read. What has not
ended after ABANDON_S is given up, and its connection with it.

Laws: a caller waits `command_s` at most, a request what it is given for all its commands together, and none
waits once several in a row have failed: from then on one probe at a time asks in the background.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NoReturn, TypeVar

from gateway.breaker import Breaker
from gateway.errors import CacheDown, CacheError, CacheRefused

COMMAND_S: Final = 0.05
"""Most a caller waits for one command, unless told otherwise."""
REQUEST_COMMANDS: Final = 2
"""Most a request waits for all of its commands together, in times of one."""
ABANDON_S: Final = 1.0
"""When a command is given up. Long enough to connect over TLS to another zone: the next command profits."""
SLOTS: Final = 16
"""Commands under way at the same time, and so connections."""
FAILURES: Final = 3
"""In a row; then the store counts as down."""
OPEN_S: Final = 2.0
"""Between two probes of a store that is down."""
LATE_SHARE: Final = 0.25
"""A timer that came later than this share of its time says that this process is slow, not the store."""

T = TypeVar("T")


class _Patience:
    """What is left of a request's time for the store; commands side by side count once."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._left_s = seconds
        self._clock = clock
        self._n_waiting = 0
        self._since = 0.0

    def left_s(self) -> float:
        waited = self._clock() - self._since if self._n_waiting else 0.0
        return self._left_s - waited

    @contextmanager
    def waiting(self) -> Iterator[None]:
        if not self._n_waiting:
            self._since = self._clock()
        self._n_waiting += 1
        try:
            yield
        finally:
            self._n_waiting -= 1
            if not self._n_waiting:
                self._left_s -= self._clock() - self._since


_patience: ContextVar[_Patience | None] = ContextVar("patience with the shared cache", default=None)


@contextmanager
def request_waits(seconds: float, clock: Callable[[], float] = time.monotonic) -> Iterator[None]:
    """What runs inside, tasks begun there included, waits for stores no longer than this in total."""
    token = _patience.set(_Patience(seconds, clock))
    try:
        yield
    finally:
        _patience.reset(token)


@dataclass(slots=True)
class Counts:
    """What became of commands."""

    answered: int = 0
    failed: int = 0
    refused: int = 0
    """Answered by an error, such as that there is no memory left."""
    skipped: int = 0
    """Not sent: the store is known to be down, or the request has waited enough."""
    outages: int = 0
    """How often it went down."""


class Guard:
    """For one store and one event loop."""

    def __init__(
        self,
        breaker: Breaker | None = None,
        clock: Callable[[], float] = time.monotonic,
        command_s: float = COMMAND_S,
        abandon_s: float = ABANDON_S,
    ) -> None:
        self._breaker = breaker or Breaker(clock, failures=FAILURES, open_s=OPEN_S)
        self._clock = clock
        self._command_s = command_s
        self._abandon_s = abandon_s
        self._silent = f"no answer within {command_s * 1e3:g} ms"
        self._slots = asyncio.Semaphore(SLOTS)
        self._running: set[asyncio.Task[Any]] = set()
        self._why_down = self._silent
        self._is_untried = True
        self._refusals: dict[str, str] = {}
        """By the name of the command: why the store answers it by an error."""
        self._given_up: set[asyncio.Task[Any]] = set()
        """Of those running, the ones whose failure is on the books."""
        self.counts = Counts()

    @property
    def is_down(self) -> bool:
        """Whether commands are not even sent."""
        return self._breaker.state != "closed"

    @property
    def degraded(self) -> str | None:
        """What is wrong with the store, or None."""
        if self.is_down:
            return self._why_down
        return next(iter(self._refusals.values()), None)

    async def run(self, name: str, command: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What the command answers. Raises `CacheError` when that is an error, or takes too long."""
        patience = _patience.get()
        limit = self._command_s if patience is None else min(self._command_s, patience.left_s())
        if self.is_down or limit <= 0:
            self.counts.skipped += 1
            raise CacheDown(self._why_down if self.is_down else "the request has waited enough")
        began = self._clock()
        task = self._begin(name, command, began)
        if patience is None:
            await asyncio.wait((task,), timeout=limit)
        else:
            with patience.waiting():
                await asyncio.wait((task,), timeout=limit)
        if not task.done():
            self._give_up_on(task, limit, self._clock() - began)
        return _result(task)

    async def probe(self, name: str, command: Callable[[], Awaitable[object]]) -> None:
        """Find out about a store that is untried or in trouble, if it is time to. No request waits."""
        if (self._is_untried or self.degraded is not None) and self._breaker.allows():
            task = self._begin(name, command, self._clock())
            await asyncio.wait((task,), timeout=2 * self._abandon_s)
            if task.done() and isinstance(_failure(task), CacheDown):
                self._trip()

    async def aclose(self) -> None:
        """Let commands end, for a moment; then give them up."""
        if self._running:
            await asyncio.wait(self._running, timeout=self._command_s)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _begin(self, name: str, command: Callable[[], Awaitable[T]], began: float) -> asyncio.Task[T]:
        task = asyncio.create_task(self._limited(command))
        self._running.add(task)
        task.add_done_callback(partial(self._ended, name, began))
        return task

    def _give_up_on(self, task: asyncio.Task[Any], limit: float, waited: float) -> NoReturn:
        is_on_time = waited - limit < LATE_SHARE * limit
        if limit >= self._command_s and is_on_time:
            self._given_up.add(task)
            self._fail(self._silent)
        raise CacheDown(self._silent)

    def _ended(self, name: str, began: float, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        is_booked = task in self._given_up
        self._given_up.discard(task)
        self._is_untried = False
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, CacheRefused):
            self.counts.refused += 1
            self._refusals[name] = str(error)
        elif error is None:
            self.counts.answered += 1
            self._refusals.pop(name, None)
        elif not is_booked:
            self._fail(_reason(error))
        if isinstance(error, CacheRefused | None) and self._clock() - began <= self._command_s:
            self._breaker.succeeded()

    def _trip(self) -> None:
        """One probe that fails is enough, where of requests it takes several."""
        for _ in range(FAILURES):
            self._count_failure()

    def _fail(self, why: str) -> None:
        self.counts.failed += 1
        self._why_down = why
        self._count_failure()

    def _count_failure(self) -> None:
        was_down = self.is_down
        self._breaker.failed()
        self.counts.outages += self.is_down and not was_down

    async def _limited(self, command: Callable[[], Awaitable[T]]) -> T:
        try:
            async with asyncio.timeout(self._abandon_s), self._slots:
                return await command()
        except TimeoutError:
            raise CacheDown(self._silent) from None


def _result(task: asyncio.Task[T]) -> T:
    """What the task came to. Raises `CacheError`."""
    if (failure := _failure(task)) is not None:
        raise failure
    return task.result()


def _failure(task: asyncio.Task[Any]) -> CacheError | None:
    """Why the task came to nothing; whatever went wrong in it is a `CacheError`."""
    if task.cancelled():
        return CacheDown("Pith is stopping")
    error = task.exception()
    return error if isinstance(error, CacheError | None) else CacheDown(_reason(error))


def _reason(error: BaseException) -> str:
    """Ours say why; of others only the type, for their words may hold anything."""
    return str(error) if isinstance(error, CacheError) else type(error).__name__
