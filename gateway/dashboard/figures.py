"""Numbers as a page shows them (pure). What is unknown is a dash, never a nought."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

UNKNOWN: Final = "–"
_MINUS: Final = "\N{MINUS SIGN}"
_SMALL_USD: Final = 0.995
"""Below a dollar cents say too little: a request costs fractions of them."""


def usd(value: float | None) -> str:
    """In dollars: to the cent, and below a dollar to four significant digits."""
    if value is None:
        return UNKNOWN
    size = abs(value)
    if size >= _SMALL_USD:
        shown = f"{size:,.2f}"
    else:
        shown = f"{size:.4f}" if size >= 0.1 or not size else f"{size:.6f}"
    return _signed(f"${shown}", is_negative=value < 0 and shown.strip("0.,") != "")


def count(value: float | None) -> str:
    """A whole number, in groups of three."""
    return UNKNOWN if value is None else _signed(f"{abs(round(value)):,}", is_negative=round(value) < 0)


def share(part: float, whole: float) -> str:
    """In per cent; of nothing unknown."""
    if not whole:
        return UNKNOWN
    percent = 100 * part / whole
    return _signed(f"{abs(percent):.1f} %", is_negative=round(percent, 1) < 0)


def signed_percent(part: float) -> str:
    """A change, in per cent, with its sign."""
    percent = round(100 * part, 1)
    return f"{'+' if percent > 0 else ''}{_signed(f'{abs(percent):.1f} %', is_negative=percent < 0)}"


def decimal(value: float | None) -> str:
    """To a tenth."""
    return UNKNOWN if value is None else f"{value:.1f}"


def milliseconds(value: float | None) -> str:
    """To a tenth below a hundred."""
    if value is None:
        return UNKNOWN
    return f"{value:,.0f} ms" if value >= 100 else f"{value:.1f} ms"


def moment(created_at: float | None) -> str:
    """A UTC date and time, to the second."""
    if created_at is None:
        return UNKNOWN
    try:
        return f"{datetime.fromtimestamp(created_at, UTC):%Y-%m-%d %H:%M:%S}"
    except (OverflowError, ValueError, OSError):  # a clock may say anything
        return UNKNOWN


def mean(total: float, n: int) -> float | None:
    """None of nothing."""
    return total / n if n else None


def _signed(shown: str, *, is_negative: bool) -> str:
    return f"{_MINUS}{shown}" if is_negative else shown
