"""The time of day, as far as rows may be deleted by it.

A clock that is set ahead by mistake makes every row look old, and a row deleted does not come back when the
clock does. So after a leap ahead nothing is deleted for a day, or until the clock leaps back. A machine that
has slept looks the same, and loses nothing by waiting.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

LEAP_S: Final = 60.0
"""Between two looks; less is an adjustment."""
SETTLED_S: Final = 86_400.0


class SteadyClock:
    """For one thread."""

    def __init__(
        self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic
    ) -> None:
        self._wall, self._steady = wall, steady
        self._offset = wall() - steady()
        self._settled_at = -float("inf")

    def now(self) -> float | None:
        """Seconds since the epoch; None while that is doubtful."""
        wall, steady = self._wall(), self._steady()
        leap = wall - steady - self._offset
        self._offset += leap
        if leap > LEAP_S:
            self._settled_at = steady + SETTLED_S
        elif leap < -LEAP_S:
            self._settled_at = steady
        return wall if steady >= self._settled_at else None
