"""What a run may spend: nothing is asked that could take it beyond.

A request counts at the worst it can cost while it is under way, and at what it did cost afterwards; so the
limit holds for any number of requests at once, as far as the worst is known.
"""

from __future__ import annotations

import asyncio

from gateway.accounting import Price, cost
from gateway.types import Usage


class Spent(Exception):
    """The next request could cost more than is left, and nothing is under way that would give some back."""


class Budget:
    """USD, for the requests of one event loop."""

    def __init__(self, most_usd: float) -> None:
        self.most_usd = most_usd
        self.spent_usd = 0.0
        self._reserved_usd = 0.0
        self._n_reserved = 0
        self._changed = asyncio.Event()

    async def reserve(self, usd: float) -> None:
        """Wait until a request of this cost fits. Raises Spent where it never will."""
        while not self.spent_usd + self._reserved_usd + usd <= self.most_usd:  # so that NaN allows nothing
            if not self._n_reserved:
                raise Spent
            self._changed.clear()
            await self._changed.wait()
        self._reserved_usd += usd
        self._n_reserved += 1

    def settle(self, reserved_usd: float, spent_usd: float) -> None:
        """A request has ended, and cost this."""
        self._n_reserved -= 1
        self._reserved_usd = self._reserved_usd - reserved_usd if self._n_reserved else 0.0
        self.spent_usd += spent_usd
        self._changed.set()


def usd(usage: Usage, price: Price) -> float:
    """What a request costs. Cached tokens whose price nobody names cost what others do."""
    known = cost(usage, price)
    if known is not None:
        return known
    rate = price.at(usage.prompt_tokens)
    return usage.prompt_tokens * (rate.input or 0.0) + usage.completion_tokens * (rate.output or 0.0)
