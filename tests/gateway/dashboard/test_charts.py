"""gateway.dashboard.charts: every value is a rectangle of its height, below nought where it is negative."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dashboard.charts import DAY_WIDTH, HEIGHT, Series, charts, days_between, draw
from gateway.dashboard.figures import usd
from gateway.overview import MAX_GROUPS, Sums

VALUES = st.lists(st.one_of(st.none(), st.floats(-1e9, 1e9)), min_size=1, max_size=20)


@given(VALUES)
def test_bars_stay_inside_and_measure_their_values(values: list[float | None]) -> None:
    days = [f"day {n}" for n in range(len(values))]
    chart = draw("Saved", "", days, [Series("saved", "gain", tuple(values))], usd)
    known = [value or 0.0 for value in values]
    reach = max([0.0, *known]) - min([0.0, *known])
    assert chart.width == DAY_WIDTH * len(values)
    for bar, value in zip(chart.bars, known, strict=True):
        assert -1e-6 <= bar.y <= bar.y + bar.height <= HEIGHT + 1e-6
        assert 0 <= bar.x <= bar.x + bar.width <= chart.width
        assert bar.height == pytest.approx(HEIGHT * abs(value) / reach if reach else 0.0)
        assert bar.look == ("loss" if value < 0 else "gain")
        assert (bar.y >= chart.zero - 1e-6) if value < 0 else (bar.y + bar.height <= chart.zero + 1e-6)
    assert (chart.bottom == "") == (min([0.0, *known]) == 0)


def test_stacked_bars_stand_on_each_other() -> None:
    chart = draw(
        "Tokens",
        "",
        ["day"],
        [Series("sent", "calm", (30.0,)), Series("removed", "gain", (10.0,))],
        usd,
        is_stacked=True,
    )
    below, above = chart.bars
    assert (below.height, above.height) == (75.0, 25.0)
    assert above.y + above.height == below.y
    assert below.label == "day, sent: $30.00"
    assert chart.top == "$40.00"


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
    if days and days[0].saved_usd:
        assert "from −$1.00 to −$1.00" in drawn[0].summary
        assert drawn[0].bottom == "−$1.00"
