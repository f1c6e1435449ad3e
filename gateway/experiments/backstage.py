"""What mirrored requests have to themselves, so that they touch nothing that is the clients'."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Final, TypeAlias

from gateway.access.counters import Counters
from gateway.errors import ConfigError
from gateway.experiments.jobs import Jobs
from gateway.experiments.spending import Allowance
from gateway.texts import Texts

PAUSE_S: Final = 60.0
"""After an upstream refused a mirrored request for too many: its limits are the clients' too."""

SpentSince: TypeAlias = Callable[[float], Awaitable[Mapping[str, float]]]
"""By a moment in Unix seconds: what mirrored requests have cost since, by experiment. Raises ConfigError."""

_log: Final = logging.getLogger(__name__)


class Backstage:
    """For one event loop."""

    def __init__(
        self,
        texts: Texts,
        counters: Counters,
        spent_since: SpentSince,
        *,
        n_sharing: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`n_sharing` processes count apart, and each may use its share."""
        self.texts = texts
        """With pins of their own."""
        self.jobs = Jobs()
        self.counters = counters
        self.n_sharing = n_sharing
        self._spent_since = spent_since
        self._clock = clock
        self._paused: dict[str, float] = {}
        """Until when, by upstream."""
        self._recalled: set[str] = set()
        self._recalling = asyncio.Lock()

    def pause(self, upstream: str) -> None:
        """It takes no more just now."""
        self._paused[upstream] = self._clock() + PAUSE_S

    def is_paused(self, upstream: str) -> bool:
        """Whether it is to be left alone."""
        return self._clock() < self._paused.get(upstream, -math.inf)

    async def recall(self, experiment: str, spending: Allowance) -> None:
        """Begin this process's count of the day with what the ledger holds, once."""
        async with self._recalling:
            if experiment in self._recalled:
                return
            self._recalled.add(experiment)
            midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
            try:
                spent = await self._spent_since(midnight.timestamp())
            except ConfigError as error:
                _log.error("what mirroring has cost today begins at nothing: %s", error)
                return
            await self.counters.recall(spending, "day", spent.get(experiment, 0.0) / self.n_sharing)

    async def aclose(self) -> None:
        """Drop what is under way."""
        await self.jobs.aclose()
