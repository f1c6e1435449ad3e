"""What the dashboard's charts show (pure): bars over days, and in words. `drawing` draws them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TypeAlias

from gateway.dashboard.figures import count, mean, milliseconds, usd
from gateway.overview import MAX_GROUPS, Sums

Format: TypeAlias = Callable[[float | None], str]


@dataclass(frozen=True, slots=True)
class Series:
    """One value a day; None where there is none."""

    name: str
    look: str
    """A class of the style sheet."""
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """All that is drawn."""

    title: str
    note: str
    days: tuple[str, ...]
    series: tuple[Series, ...]
    show: Format
    """A value as it is written."""
    is_stacked: bool = False
    """One upon the other; else side by side. Stacked values are not negative."""

    def label(self, series: Series, n: int) -> str:
        """What one bar is."""
        return f"{self.days[n]}, {series.name}: {self.show(series.values[n])}"

    @property
    def summary(self) -> str:
        """For those who do not see it."""
        said = []
        for one in self.series:
            known = [value for value in one.values if value is not None and math.isfinite(value)]
            if known:
                said.append(f"{one.name} from {self.show(min(known))} to {self.show(max(known))}")
        period = f"{self.days[0]} to {self.days[-1]}" if self.days else "no days"
        return (
            f"{self.title}, {period}: {'; '.join(said) or 'nothing known'}. The table by day has all values."
        )


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
    names = tuple(day.group for day in days)

    def series(name: str, look: str, value: Callable[[Sums], float | None]) -> Series:
        return Series(name, look, tuple(map(value, days)))

    return [
        Chart(
            "Net saved",
            "USD a day, net of the provider's cache and of compressing",
            names,
            (series("net saved", "gain", lambda day: day.saved_usd),),
            usd,
        ),
        Chart(
            "Prompt tokens",
            "sent, and removed",
            names,
            (
                series("sent", "calm", lambda day: day.compressed_tokens),
                series("removed", "gain", lambda day: max(0, day.removed_tokens)),
            ),
            count,
            is_stacked=True,
        ),
        Chart(
            "Caches",
            "our hits of our look-ups; tokens read from the provider's cache of the prompt's",
            names,
            (
                series("ours", "calm", lambda day: _percent(day.hits, day.lookups)),
                series("the provider's", "other", lambda day: _percent(day.cached_tokens, day.prompt_tokens)),
            ),
            lambda value: "–" if value is None else f"{value:.0f} %",
        ),
        Chart(
            "Latency added",
            "mean of a day's requests",
            names,
            (series("added", "calm", lambda day: mean(day.added_ms, day.timed)),),
            milliseconds,
        ),
    ]


def _percent(part: float, whole: float) -> float | None:
    return 100 * part / whole if whole else None
