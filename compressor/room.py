"""How large a batch the device's memory takes: learned from batches that did not fit. Pure.

A bound that was learned holds for a while, for what else is in that memory may be there to stay; then it
doubles as often as that while passes again, so a trouble that is over does not cost for ever. A device that
is simply smaller than the configured batch fails one pass a minute.
"""

from __future__ import annotations

from dataclasses import dataclass

HOLD_S = 60.0
"""How long a learned bound holds before it doubles, each time."""


@dataclass(slots=True)
class Room:
    """A bound on the tokens of a batch, padding included."""

    most: int
    """The configured bound."""
    learned: int | None = None
    learned_at: float = 0.0

    def bound(self, now: float) -> int:
        """What may be tried now."""
        if self.learned is None:
            return self.most
        doublings = min(int(max(0.0, now - self.learned_at) / HOLD_S), self.most.bit_length())
        return min(self.most, self.learned << doublings)

    def failed(self, n_tokens: int, now: float) -> None:
        """A batch of so many tokens did not fit: half of it may."""
        self.learned, self.learned_at = max(1, n_tokens // 2), now
