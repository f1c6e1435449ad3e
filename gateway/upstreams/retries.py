"""Whether a connection that failed is tried once more, and when (pure).

Law: no more than `share` of the last requests are tried again, whatever fails; an upstream that is down is
not asked more often for being down. Low traffic may spend FLOOR at once.
"""

from __future__ import annotations

FLOOR = 3.0
"""Retries that a quiet upstream, or one just begun, has in store."""
MEMORY = 100
"""Requests whose share can be saved up: what is meant by the last ones."""
FIRST_WAIT_S = 0.05


class RetryBudget:
    """Every request pays in its share of a retry; a retry takes out a whole one."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._most = max(FLOOR, share * MEMORY)
        self._saved = FLOOR if share else 0.0

    def pay_in(self) -> None:
        """One request was made."""
        self._saved = min(self._most, self._saved + self._share)

    def take(self) -> bool:
        """Whether there is a retry left; takes it."""
        if self._saved < 1:
            return False
        self._saved -= 1
        return True


def wait_s(n_failed: int, luck: float) -> float:
    """How long to wait after the n-th failure, n from 1; `luck` in [0, 1) keeps callers apart."""
    return float(FIRST_WAIT_S * 2 ** (n_failed - 1) * (0.5 + luck))
