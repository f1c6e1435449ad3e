"""Bounded admission: how many requests are served at once, and how many of those are compressed.

Laws: never more than a limit says; a place that was taken is given back once, however the request ends; those
who wait for one get it in the order they came, and nobody waits longer than told.

Over the first limit a request is refused, before any of its body is read. Over the second it goes on
uncompressed (`overloaded`), as it does unread when work waits for a thread for as long (`Offload.is_behind`):
the one place where law 4 gives way to law 6. A conversation's next turn goes on as it always did.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final

from gateway.refusal import Refusal
from gateway.settings import LimitsConfig
from gateway.stopwatch import Stopwatch

SPREAD_S: Final = 3
"""Those refused together are told to come back after 1, 2, … so many seconds: not together."""
WAIT_SHARE: Final = 0.25
"""Of the deadline for scores, how much a request may spend on waiting for its turn."""

logger = logging.getLogger(__name__)


def patience_s(queue_s: float, deadline_s: float) -> float:
    """How long a request may wait to be compressed: most of its deadline is left for the work."""
    return min(queue_s, WAIT_SHARE * deadline_s)


@dataclass(slots=True)
class Places:
    """So many, to be taken and given back."""

    limit: int
    taken: int = 0
    refused: int = 0
    """How often there was none."""

    def take(self) -> bool:
        """Whether there was one."""
        if self.taken >= self.limit:
            self.refused += 1
            return False
        self.taken += 1
        return True

    def give_back(self) -> None:
        """It is free again."""
        assert self.taken > 0, "nobody has it"
        self.taken -= 1

    def refusal(self) -> Refusal:
        """What the last one who got none is told."""
        message = (
            f"{self.limit} requests are being served, as many as limits.max_in_flight allows: try again later"
        )
        return Refusal(503, code="overloaded", message=message, retry_after_s=1 + self.refused % SPREAD_S)


class Admission:
    """Of one process; for one event loop."""

    def __init__(self, limits: LimitsConfig) -> None:
        self._places = Places(limits.max_in_flight)
        self._turns = asyncio.Semaphore(limits.max_compressing)
        self.compressing = 0
        """Requests that are being compressed."""

    @property
    def in_flight(self) -> int:
        """Requests that are being served: from here to the last byte of the answer."""
        return self._places.taken

    @property
    def refused(self) -> int:
        """How many were."""
        return self._places.refused

    @contextmanager
    def serve(self) -> Iterator[None]:
        """Surrounds a request while it is served. Raises Refusal when as many are as may be."""
        if not self._places.take():
            logger.warning("refused, %d requests are in flight", self._places.taken)
            raise self._places.refusal()
        try:
            yield
        finally:
            self._places.give_back()

    @asynccontextmanager
    async def compress(self, wait_s: float, watch: Stopwatch) -> AsyncIterator[bool]:
        """Surrounds a request while it is compressed; False when its turn did not come within `wait_s`."""
        if not await self._has_turn(wait_s, watch):
            yield False
            return
        self.compressing += 1
        try:
            yield True
        finally:
            self.compressing -= 1
            self._turns.release()

    async def _has_turn(self, wait_s: float, watch: Stopwatch) -> bool:
        if not self._turns.locked():
            return await self._turns.acquire()  # at once
        with watch.stage("queue"):
            try:
                async with asyncio.timeout(wait_s):
                    return await self._turns.acquire()
            except TimeoutError:
                return False
