"""How much a key has used: requests and tokens of the last minute, dollars of the UTC day and month.

Counted in this process always, and in Redis as well where there is one, so that replicas count together. A
process's own count is a part of the whole: what is over by it alone is over. It decides alone while Redis is
away, and no request waits for it longer than the guard lets it. Names in Redis are keyed hashes of key ids.

Requests are a sliding window. Tokens and dollars are known when an answer has ended: they are added then, and
looked at before the next request, so what is under way at once may go over.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, Protocol, TypeVar

from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from gateway.cache.guard import Guard
from gateway.errors import CacheError
from gateway.hashing import Secret
from gateway.refusal import Refusal

MICROS: Final = 1_000_000
"""Dollars are counted in whole millionths."""

Unit = Literal["requests", "tokens", "day", "month"]

_MINUTE_S: Final = 60
_NAME: Final = "limits"
"""Of commands, in what the guard says."""

_KEPT: Final[dict[Unit, RateLimitItem]] = {
    "tokens": RateLimitItemPerMinute(1),
    "day": RateLimitItemPerDay(1, 2),
    "month": RateLimitItemPerDay(1, 32),
}
"""How long a count is kept. What is allowed is no part of its name: a limit may change."""

_SAID: Final[dict[Unit, str]] = {
    "requests": "this key may send {most} requests a minute, and has: try again later",
    "tokens": "this key may use {most} tokens a minute, and has: try again later",
    "day": "this key has spent its budget of this day (UTC): wait for the next, or have it raised",
    "month": "this key has spent its budget of this month (UTC): wait for the next, or have it raised",
}

T = TypeVar("T")


class Limited(Protocol):
    """What uses something up, a virtual key above all; whatever is None is not limited."""

    @property
    def id(self) -> str: ...

    @property
    def requests_per_minute(self) -> int | None: ...

    @property
    def tokens_per_minute(self) -> int | None: ...

    @property
    def usd_per_day(self) -> float | None: ...

    @property
    def usd_per_month(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class _Ceiling:
    """How much of something a key may use, and under which name it is counted."""

    unit: Unit
    most: int
    name: str


@dataclass(frozen=True, slots=True)
class _Over:
    """A ceiling that is reached, and when trying again may help."""

    ceiling: _Ceiling
    wait_s: float | None = None

    def refusal(self) -> Refusal:
        unit, most = self.ceiling.unit, self.ceiling.most
        code = "budget_exceeded" if unit in ("day", "month") else "rate_limit_exceeded"
        wait_s = None if self.wait_s is None else min(max(1, math.ceil(self.wait_s)), _MINUTE_S)
        return Refusal(429, code, _SAID[unit].format(most=most), retry_after_s=wait_s)


class Counters:
    """What keys have used, and whether they may go on."""

    def __init__(
        self,
        secret: Secret,
        shared: Storage | None = None,
        *,
        guard: Guard | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._secret = secret
        self._local = _Place(MemoryStorage(), now)
        self._shared = None if shared is None else _Place(shared, now)
        self._guard = guard or Guard()
        self._now = now

    @property
    def degraded(self) -> str | None:
        """Why replicas do not count together, or None."""
        trouble = self._guard.degraded
        return trouble and f"Redis: {trouble}; each process counts alone"

    async def admit(self, key: Limited) -> None:
        """Count one request. Raises Refusal (429) where the key has used what it may."""
        ceilings = self._ceilings(key)
        if not ceilings:
            return
        over = await self._local.take(ceilings)
        if over is None:
            over = await self._ask(lambda place: place.take(ceilings), None)
        if over is not None:
            raise over.refusal()

    async def add(self, key: Limited, tokens: int, cost_usd: float) -> None:
        """Count what an answer has used."""
        micros = math.ceil(cost_usd * MICROS)
        amounts: dict[Unit, int] = {"tokens": tokens, "day": micros, "month": micros}
        used = [(ceiling, amounts.get(ceiling.unit, 0)) for ceiling in self._ceilings(key)]
        for ceiling, amount in used:
            await self._local.add(ceiling, amount)
        await self._ask(lambda place: place.add_all(used), None)

    async def recall(self, key: Limited, unit: Literal["day", "month"], cost_usd: float) -> None:
        """Begin this process's count of a period with what the ledger holds of it."""
        for ceiling in self._ceilings(key):
            if ceiling.unit == unit:
                await self._local.add(ceiling, math.ceil(cost_usd * MICROS))

    async def probe(self) -> None:
        """Ask a Redis that is away whether it is back."""
        if (shared := self._shared) is not None:
            await self._guard.probe(_NAME, shared.probe)

    async def aclose(self) -> None:
        """Let what is under way end."""
        await self._guard.aclose()

    async def _ask(self, work: Callable[[_Place], Coroutine[Any, Any, T]], otherwise: T) -> T:
        """Redis, where it answers in time."""
        if (shared := self._shared) is None:
            return otherwise
        try:
            return await self._guard.run(_NAME, lambda: work(shared))
        except CacheError:
            return otherwise

    def _ceilings(self, key: Limited) -> list[_Ceiling]:
        """Requests come last: one that is refused for another reason is not counted."""
        limits: tuple[tuple[Unit, float | None], ...] = (
            ("day", None if key.usd_per_day is None else key.usd_per_day * MICROS),
            ("month", None if key.usd_per_month is None else key.usd_per_month * MICROS),
            ("tokens", key.tokens_per_minute),
            ("requests", key.requests_per_minute),
        )
        return [
            _Ceiling(unit, int(most), self._name(key.id, unit)) for unit, most in limits if most is not None
        ]

    def _name(self, key_id: str, unit: Unit) -> str:
        parts = (key_id, unit, period(unit, self._now()))
        return self._secret.keyed(b"used", *(part.encode() for part in parts)).hex()


class _Place:
    """Counts in one storage."""

    def __init__(self, storage: Storage, now: Callable[[], float]) -> None:
        self._storage = storage
        self._window = SlidingWindowCounterRateLimiter(storage)
        self._now = now

    async def take(self, ceilings: list[_Ceiling]) -> _Over | None:
        """Count a request, unless it is over something."""
        for ceiling in ceilings:
            judge = self._take_request if ceiling.unit == "requests" else self._check_used
            if (over := await judge(ceiling)) is not None:
                return over
        return None

    async def probe(self) -> None:
        await self._storage.get("probe")

    async def add(self, ceiling: _Ceiling, amount: int) -> None:
        if amount > 0:
            item = _KEPT[ceiling.unit]
            await self._storage.incr(item.key_for(ceiling.name), item.get_expiry(), amount)

    async def add_all(self, used: list[tuple[_Ceiling, int]]) -> None:
        for ceiling, amount in used:
            await self.add(ceiling, amount)

    async def _check_used(self, ceiling: _Ceiling) -> _Over | None:
        name = _KEPT[ceiling.unit].key_for(ceiling.name)
        if await self._storage.get(name) < ceiling.most:
            return None
        is_short = ceiling.unit == "tokens"
        return _Over(ceiling, await self._storage.get_expiry(name) - self._now() if is_short else None)

    async def _take_request(self, ceiling: _Ceiling) -> _Over | None:
        limit = RateLimitItemPerMinute(ceiling.most)
        if await self._window.hit(limit, ceiling.name):
            return None
        stats = await self._window.get_window_stats(limit, ceiling.name)
        return _Over(ceiling, stats.reset_time - self._now())


def period(unit: Unit, at: float) -> str:
    """The day or month a moment belongs to, in UTC; empty where the window moves."""
    moment = datetime.fromtimestamp(at, UTC)
    return {"day": f"{moment:%Y-%m-%d}", "month": f"{moment:%Y-%m}"}.get(unit, "")
