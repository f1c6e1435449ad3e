"""gateway.dashboard.charts: which values are drawn over which days, and what is said of them."""

from __future__ import annotations

import pytest

from gateway.dashboard.charts import Chart, Series, charts, days_between
from gateway.dashboard.figures import usd
from gateway.overview import MAX_GROUPS, Sums


def test_days_without_requests_are_there() -> None:
    days = days_between([Sums("2026-02-27", 3), Sums("2026-03-02", 1)])
    assert [(day.group, day.requests) for day in days] == [
        ("2026-02-27", 3),
        ("2026-02-28", 0),
        ("2026-03-01", 0),
        ("2026-03-02", 1),
    ]


def test_a_clock_step_does_not_draw_years() -> None:
    days = days_between([Sums("1970-01-01", 1), Sums("2026-11-20", 1)])
    assert (len(days), days[-1].group) == (MAX_GROUPS, "2026-11-20")
    assert days_between([Sums("", 1)]) == [Sums("", 1)]


@pytest.mark.parametrize("days", [[], [Sums("2026-11-20")], [Sums("2026-11-20", 5, saved_usd=-1.0)]])
def test_the_four_charts_say_in_words_what_they_show(days: list[Sums]) -> None:
    drawn = charts(days_between(days))
    assert [chart.title for chart in drawn] == ["Net saved", "Prompt tokens", "Caches", "Latency added"]
    assert all(chart.summary.startswith(chart.title) for chart in drawn)
    assert [len(series.values) for chart in drawn for series in chart.series] == [len(days)] * 6
    if days and days[0].saved_usd:
        assert "from −$1.00 to −$1.00" in drawn[0].summary


def test_a_bar_is_named_and_what_is_unknown_is_not_in_the_summary() -> None:
    chart = Chart("Saved", "", ("a", "b"), (Series("net", "gain", (2.5, None)),), usd)
    assert chart.label(chart.series[0], 0) == "a, net: $2.50"
    assert chart.label(chart.series[0], 1) == "b, net: –"
    assert chart.summary == "Saved, a to b: net from $2.50 to $2.50. The table by day has all values."
