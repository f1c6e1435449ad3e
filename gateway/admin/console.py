"""What the admin listener's pages are about: this process's parts, and the workers beside it."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Final

from gateway.draining import Draining
from gateway.fleet import EXCHANGE_S, Fleet
from gateway.log_writer import LineWriter
from gateway.metrics import LOOP_LAG_SECONDS, Snapshot
from gateway.services import Services
from gateway.state import observe
from gateway.trouble import Trouble
from policies.schema import Mode

logger = logging.getLogger(__name__)

LAG_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class Console:
    """One process's view of all."""

    services: Services
    fleet: Fleet
    draining: Draining
    log: LineWriter | None = None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Or what was heard a moment ago would undo what is set now."""

    async def total(self) -> Snapshot:
        """The counts of all workers; this one's of this moment, which it tells the others first: whoever is
        asked next knows of them, so no counter is ever seen to fall.
        """
        await self.exchange()
        return await asyncio.to_thread(self.fleet.total)

    async def restrict(self, mode: Mode) -> None:
        """No worker treats a request more strongly: here at once, elsewhere at the next exchange.

        Raises OSError when it holds here only.
        """
        async with self.turn:
            self.services.switch.restrict(mode)
            await asyncio.to_thread(self.fleet.restrict, mode)

    async def exchange(self) -> None:
        """Tell the others, and hear what mode was set. Raises OSError."""
        async with self.turn:
            self.services.switch.restrict(await asyncio.to_thread(self._exchange, len(asyncio.all_tasks())))

    def _exchange(self, n_tasks: int) -> Mode:
        return self.fleet.exchange(observe(self.services, self.log, n_tasks))

    async def keep_in_touch(self, interval_s: float = EXCHANGE_S) -> None:
        """Exchange for ever; trouble is said when it begins and when it ends. Ends when cancelled."""
        trouble = Trouble(
            logger, "the workers cannot tell each other anything: %s", "the workers hear of each other again"
        )
        while True:
            try:
                await self.exchange()
            except OSError as error:
                trouble.see(error.strerror or type(error).__name__)
            else:
                trouble.see(None)
            await asyncio.sleep(interval_s)

    async def measure_lag(self, interval_s: float = LAG_S) -> None:
        """Observe how late a timer comes, for ever. Ends when cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + interval_s
            await asyncio.sleep(interval_s)
            self.services.metrics.observe(LOOP_LAG_SECONDS, max(0.0, loop.time() - due))
