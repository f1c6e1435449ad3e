"""Where the surfaces ask about experiments, and what a person may do there."""

from __future__ import annotations

from typing import Protocol

from gateway.experiments.known import Census


class Desk(Protocol):
    """Both raise ConfigError when the ledger cannot be read or written."""

    async def census(self) -> Census:
        """All experiments as they stand, at most some seconds old."""

    async def reset(self, name: str) -> None:
        """Let all arms of a rolled back experiment run again. Raises Refusal where there is nothing to."""
