"""Intervals as pictures: a bar from one end to the other, a mark at the estimate, lines at nought and at the
margin (pure). All arms of a metric are drawn to one scale; a bar that would leave it is cut at the edge.

Everything is a rectangle or a line in a box that is stretched to its place, so that no style is needed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 200.0
HEIGHT: Final = 20.0
_MARK: Final = 2.0
_ROOM: Final = 1.1
"""How much more than what is drawn the scale holds."""
_MOST_MARGINS: Final = 8.0
_MOST_ESTIMATES: Final = 4.0
_LEAST_SPAN: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Span:
    """What is to be drawn, in any unit."""

    low: float
    high: float
    estimate: float
    margin: float | None = None


@dataclass(frozen=True, slots=True)
class Drawing:
    """One picture, in a box of WIDTH by HEIGHT."""

    bar_x: float
    bar_width: float
    mark_x: float
    zero_x: float
    margin_x: float | None
    is_cut: bool
    """An end lies beyond the edge."""


def draw(spans: Sequence[Span | None]) -> list[Drawing | None]:
    """One picture a span, to one scale; None for what has no ends or no estimate."""
    known = [span for span in spans if span is not None and _is_drawable(span)]
    reach = _reach(known)
    return [None if span is None or not _is_drawable(span) else _draw(span, reach) for span in spans]


def _is_drawable(span: Span) -> bool:
    return math.isfinite(span.estimate) and not (math.isnan(span.low) or math.isnan(span.high))


def _reach(spans: Sequence[Span]) -> float:
    """How far the scale goes to both sides: as far as the ends, unless that hides all else."""
    ends = [abs(end) for span in spans for end in (span.low, span.high) if math.isfinite(end)]
    margins = [abs(span.margin) for span in spans if span.margin is not None]
    estimates = [abs(span.estimate) for span in spans]
    wanted = max([*ends, *margins, *estimates, _LEAST_SPAN])
    seen = max(
        [_MOST_MARGINS * margin for margin in margins] + [_MOST_ESTIMATES * one for one in estimates] or [0.0]
    )
    return _ROOM * (min(wanted, seen) if seen > 0 else wanted)


def _draw(span: Span, reach: float) -> Drawing:
    low, high = sorted((span.low, span.high))
    start, end = _place(low, reach), _place(high, reach)
    return Drawing(
        bar_x=start,
        bar_width=max(0.5, end - start),
        mark_x=min(max(_place(span.estimate, reach) - _MARK / 2, 0.0), WIDTH - _MARK),
        zero_x=WIDTH / 2,
        margin_x=None if span.margin is None else _place(span.margin, reach),
        is_cut=low < -reach or high > reach,
    )


def _place(value: float, reach: float) -> float:
    return WIDTH * (min(max(value / reach, -1.0), 1.0) + 1) / 2
