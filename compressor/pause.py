"""How long to wait before what keeps failing is tried again: ever twice as long, within bounds (pure)."""

from __future__ import annotations

from typing import Final

PAUSE_S: Final = 0.5
PAUSE_MAX_S: Final = 30.0
_MOST_DOUBLINGS: Final = 10
"""More than that would overflow in the end: one night of failures is a thousand."""


def pause_s(n_before: int) -> float:
    """Seconds to wait after a failure before which there were so many in a row."""
    return min(PAUSE_MAX_S, PAUSE_S * 2.0 ** min(max(0, n_before), _MOST_DOUBLINGS))
