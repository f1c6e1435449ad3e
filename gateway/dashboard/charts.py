"""Bars over days, as geometry (pure): the template draws them as SVG that a strict CSP lets pass.

Ours because of that policy: pygal, which draws SVG on the server, puts a `<style>` and a script from a CDN in
each chart (17 kB for three bars); plotly and bokeh want 1 to 4 MB of script that writes styles into the page.
What is needed here is a rectangle.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from gateway.dashboard.figures import count, mean, milliseconds, usd
from gateway.overview import MAX_GROUPS, Sums

HEIGHT: Final = 100.0
"""Of the drawing, which is stretched to its place; its width is 10 a day."""
DAY_WIDTH: Final = 10.0
_GAP: Final = 0.16
"""Of a day's width, left free."""

Format = Callable[[float | None], str]


@dataclass(frozen=True, slots=True)
class Series:
    """One value a day; None where there is none."""

    name: str
    look: str
    """A class of the style sheet."""
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """One rectangle."""

    x: float
    y: float
    width: float
    height: float
    look: str
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """All that is drawn."""

    title: str
    note: str
    series: tuple[Series, ...]
    bars: tuple[Bar, ...]
    width: float
    zero: float
    """Where the line of nought is."""
    top: str
    bottom: str
    """Empty where that is nought."""
    summary: str
    """For those who do not see it."""


def days_between(days: Sequence[Sums]) -> list[Sums]:
    """Without gaps: a day on which nothing came is one of noughts. At most the last MAX_GROUPS."""
    try:
        known = {date.fromisoformat(day.group): day for day in days}
    except ValueError:  # a clock was set to a year that dates do not have
        return list(days)
    if not known:
        return []
    first, last = max(min(known), max(known) - timedelta(days=MAX_GROUPS - 1)), max(known)
    all_days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return [replace(known.get(day, Sums()), group=day.isoformat()) for day in all_days]


def charts(days: Sequence[Sums]) -> list[Chart]:
    """The dashboard's four."""
    names = [day.group for day in days]

    def series(name: str, look: str, value: Callable[[Sums], float | None]) -> Series:
        return Series(name, look, tuple(map(value, days)))

    return [
        draw(
            "Net saved",
            "USD a day, net of the provider's cache and of compressing",
            names,
            [series("net saved", "gain", lambda day: day.saved_usd)],
            usd,
        ),
        draw(
            "Prompt tokens",
            "sent, and removed",
            names,
            [
                series("sent", "calm", lambda day: day.compressed_tokens),
                series("removed", "gain", lambda day: max(0, day.removed_tokens)),
            ],
            count,
            is_stacked=True,
        ),
        draw(
            "Caches",
            "our hits of our look-ups; tokens read from the provider's cache of the prompt's",
            names,
            [
                series("ours", "calm", lambda day: _percent(day.hits, day.lookups)),
                series("the provider's", "other", lambda day: _percent(day.cached_tokens, day.prompt_tokens)),
            ],
            lambda value: "–" if value is None else f"{value:.0f} %",
        ),
        draw(
            "Latency added",
            "mean of a day's requests",
            names,
            [series("added", "calm", lambda day: mean(day.added_ms, day.timed))],
            milliseconds,
        ),
    ]


def draw(
    title: str,
    note: str,
    days: Sequence[str],
    series: Sequence[Series],
    show: Format,
    *,
    is_stacked: bool = False,
) -> Chart:
    """Side by side, or one upon the other. Stacked values are not negative."""
    columns = [[one.values[n] or 0.0 for one in series] for n in range(len(days))]
    ends = (
        [sum(column) for column in columns] if is_stacked else [end for column in columns for end in column]
    )
    high, low = max([0.0, *ends]), min([0.0, *ends])
    scale = HEIGHT / (high - low) if high > low else 0.0
    width = DAY_WIDTH * (1 - _GAP) / (1 if is_stacked else max(1, len(series)))
    bars = []
    for n, day in enumerate(days):
        base = 0.0
        for place, one in enumerate(series):
            value, known = columns[n][place], one.values[n]
            start = DAY_WIDTH * (n + _GAP / 2) + (0 if is_stacked else place * width)
            top = max(base + value, base)
            look = "loss" if value < 0 else one.look
            label = f"{day}, {one.name}: {show(known)}"
            bars.append(Bar(start, (high - top) * scale, width, abs(value) * scale, look, label))
            base += value if is_stacked else 0.0
    return Chart(
        title=title,
        note=note,
        series=tuple(series),
        bars=tuple(bars),
        width=DAY_WIDTH * max(1, len(days)),
        zero=high * scale if scale else HEIGHT,
        top=show(high),
        bottom=show(low) if low < 0 else "",
        summary=_summary(title, days, series, show),
    )


def _summary(title: str, days: Sequence[str], series: Sequence[Series], show: Format) -> str:
    said = []
    for one in series:
        known = [value for value in one.values if value is not None and math.isfinite(value)]
        if known:
            said.append(f"{one.name} from {show(min(known))} to {show(max(known))}")
    period = f"{days[0]} to {days[-1]}" if days else "no days"
    return f"{title}, {period}: {'; '.join(said) or 'nothing known'}. The table by day has all values."


def _percent(part: float, whole: float) -> float | None:
    return 100 * part / whole if whole else None
