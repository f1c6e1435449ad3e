"""What the rest of Pith knows of tracing, where it is configured. No OpenTelemetry here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from gateway.tracing.spans import Traced


@dataclass(slots=True)
class Counts:
    """Traces by what became of them."""

    sent: int = 0
    failed: int = 0
    """The collector did not take them."""
    dropped: int = 0
    """Too many were waiting."""


class Tracer(Protocol):
    """Is told of every request that ended."""

    @property
    def counts(self) -> Counts:
        """So far."""

    def record(self, traced: Traced) -> None:
        """Have one request told. Never waits, never raises."""

    async def aclose(self) -> None:
        """Send what waits, but not for long."""
