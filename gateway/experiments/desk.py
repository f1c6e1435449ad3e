"""Where the surfaces ask about experiments, and what a person may do there."""

from __future__ import annotations

from typing import Protocol

from gateway.experiments.known import Census


class Desk(Protocol):
    """`census` and `reset` raise ConfigError when the ledger cannot be read or written."""

    async def census(self) -> Census:
        """All experiments as they stand, at most some seconds old."""

    def latest(self) -> Census | None:
        """As last read, for metrics: at once, and newer next time; None before the first reading."""

    async def reset(self, name: str) -> None:
        """Let all arms of a rolled back experiment run again. Raises Refusal where there is nothing to."""
