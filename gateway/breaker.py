"""When to stop trying a place that does not answer, and when to try again (pure; the clock is passed in).

    closed ──`failures` in a row within `window_s`──▶ open ──after `open_s`──▶ half_open
      ▲                                                ▲                          │
      └──────────────────── succeeded ─────────────────┴───────── failed ─────────┘

Laws: a success closes it from any state; while open nothing is allowed; half open lets one caller through
every `open_s`, so that a probe whose caller was cancelled and never reports cannot wedge it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Literal

State = Literal["closed", "open", "half_open"]


class Breaker:
    """Asked before each attempt, told of its end. For one event loop: not safe across threads."""

    def __init__(
        self, clock: Callable[[], float], failures: int = 5, window_s: float = 10.0, open_s: float = 5.0
    ) -> None:
        self._clock = clock
        self._window_s = window_s
        self._open_s = open_s
        self._failed_at: deque[float] = deque(maxlen=failures)
        self._shut_until: float | None = None
        """No attempt before this; None while closed."""

    @property
    def state(self) -> State:
        """As it is now; reading it changes nothing."""
        if self._shut_until is None:
            return "closed"
        return "open" if self._clock() < self._shut_until else "half_open"

    @property
    def wait_s(self) -> float:
        """Seconds until the next attempt is allowed; 0 when one is."""
        return 0.0 if self._shut_until is None else max(0.0, self._shut_until - self._clock())

    def allows(self) -> bool:
        """Whether to attempt now. In `half_open` a True is the one probe: the next comes `open_s` later."""
        state = self.state
        if state == "half_open":
            self._shut_until = self._clock() + self._open_s
        return state != "open"

    def succeeded(self) -> None:
        """An attempt got through."""
        self._failed_at.clear()
        self._shut_until = None

    def failed(self) -> None:
        """An attempt did not get through; those that began before it opened change nothing."""
        now = self._clock()
        if self._shut_until is not None:
            return  # the probe's own `allows` has shut it for another `open_s`
        self._failed_at.append(now)
        is_full = len(self._failed_at) == self._failed_at.maxlen
        if is_full and now - self._failed_at[0] <= self._window_s:
            self._shut_until = now + self._open_s
