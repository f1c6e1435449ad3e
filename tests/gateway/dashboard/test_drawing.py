"""gateway.dashboard.drawing: every value is a bar of its height, and nothing brings a look of its own."""

from __future__ import annotations

import sys
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.dashboard.charts import Chart, Series, charts, days_between
from gateway.dashboard.drawing import svg
from gateway.dashboard.figures import usd
from gateway.overview import MAX_GROUPS, Sums

VALUES = st.lists(st.one_of(st.none(), st.just(0.0), st.floats(-1e9, 1e9)), min_size=1, max_size=8)


def chart_of(*series: Series, is_stacked: bool = False) -> Chart:
    days = tuple(f"2026-11-{n + 1:02}" for n in range(len(series[0].values)))
    return Chart("Saved", "", days, series, usd, is_stacked)


def bars_of(chart: Chart) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(str(svg(chart))).iter("rect"))


def tops(bar: ElementTree.Element) -> tuple[float, float]:
    top = float(bar.attrib["y"])
    return top, top + float(bar.attrib["height"])


@given(VALUES)
@settings(max_examples=25)
def test_bars_measure_their_values(values: list[float | None]) -> None:
    chart = chart_of(Series("net", "gain", tuple(values)))
    known = [(n, value) for n, value in enumerate(values) if value is not None]
    bars = bars_of(chart)
    reach = max([0.0, *(value for _, value in known)]) - min([0.0, *(value for _, value in known)])
    tallest = max([float(bar.attrib["height"]) for bar in bars], default=0.0)
    biggest = max([abs(value) for _, value in known], default=0.0)
    for bar, (n, value) in zip(bars, known, strict=True):
        assert bar.attrib["class"] == ("loss" if value < 0 else "gain")
        assert bar.findtext("title") == f"{chart.days[n]}, net: {usd(value)}"
        if reach > 1e-6:
            share = float(bar.attrib["height"]) / tallest
            assert share == pytest.approx(abs(value) / biggest, abs=1e-3)


def test_losses_hang_below_nought() -> None:
    gain, loss = bars_of(chart_of(Series("net", "gain", (2.0, -1.0))))
    assert tops(gain)[1] == pytest.approx(tops(loss)[0])
    assert float(loss.attrib["x"]) > float(gain.attrib["x"])


def test_stacked_bars_stand_on_each_other() -> None:
    below, above = bars_of(
        chart_of(Series("sent", "calm", (30.0,)), Series("removed", "gain", (10.0,)), is_stacked=True)
    )
    assert tops(above)[1] == pytest.approx(tops(below)[0])
    assert [below.attrib["class"], above.attrib["class"]] == ["calm", "gain"]


@pytest.mark.parametrize(
    "days",
    [
        [],
        [Sums("2026-11-20")],
        [Sums("")],
        [Sums("1970-01-01", 1), Sums("2026-11-20", 9, saved_usd=float("inf"), origin_tokens=10**15)],
        [Sums("2026-11-01", 5, saved_usd=-1e-7, added_ms=1e9, timed=1), Sums("2026-11-03", 1)],
    ],
)
def test_a_picture_is_safe_under_the_pages_policy_and_says_itself_in_words(days: list[Sums]) -> None:
    for chart in charts(days_between(days)):
        root = ElementTree.fromstring(str(svg(chart)))
        assert root.attrib["role"] == "img"
        assert root.attrib["aria-label"] == chart.summary
        assert not [one for one in root.iter() if one.tag in ("style", "script", "defs", "image", "a")]
        assert not [one for one in root.iter() if {"style", "href", "id"} & one.attrib.keys()]


def test_what_a_name_holds_is_text() -> None:
    chart = Chart("<b>", "", ("2026-11-01",), (Series("<script>", "gain", (1.0,)),), usd)
    assert "<script>" not in svg(chart)
    assert bars_of(chart)[0].findtext("title") == "2026-11-01, <script>: $1.00"


def test_the_axis_names_a_few_days() -> None:
    chart = chart_of(Series("net", "gain", tuple(float(n) for n in range(28))))
    root = ElementTree.fromstring(str(svg(chart)))
    said = [text.text for text in root.iter("text")]
    assert "11-01" in said
    assert 4 <= sum(text is not None and text.startswith("11-") for text in said) <= 6


def test_as_many_days_as_there_may_be_are_drawn() -> None:
    chart = chart_of(Series("net", "gain", tuple([1.0] * MAX_GROUPS)))
    assert len(bars_of(chart)) == MAX_GROUPS


def test_other_imports_do_not_ask_pygal() -> None:
    assert not [finder for finder in sys.meta_path if not hasattr(finder, "find_spec")]
