"""Charts as SVG in the page, by pygal: the one module that imports it.

pygal draws for a page that lets a picture bring its own style and script, which ours does not: of what it
draws, axes and bars are taken; looks come from the style sheet by class, and each bar says its value when
pointed at.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree

import pygal
from markupsafe import Markup
from pygal.style import Style

from gateway.dashboard.charts import Chart, Series

# pygal has every later import of the process ask a finder of its own, for maps, of a kind that Python 3.11
# warns of and 3.12 does not know.
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != pygal.__name__]

WIDTH: Final = 440
HEIGHT: Final = 160
FONT_SIZE: Final = 11
"""What room is left for; the style sheet says how large on which screen."""

_STYLE: Final = Style(label_font_size=FONT_SIZE, major_label_font_size=FONT_SIZE)
_LABELLED_DAYS: Final = 5
_IN_DATE: Final = len("2026-")
_FEWEST_STEPS: Final = 2
_MOST_STEPS: Final = 5


def svg(chart: Chart) -> Markup:
    """The picture, as safe to put into a page as what it is made of: names of series, days and numbers."""
    drawn = _draw(chart)
    root = ElementTree.Element("svg", {"class": "chart-picture", "viewBox": f"0 0 {WIDTH} {HEIGHT}"})
    root.set("role", "img")
    root.set("aria-label", chart.summary)
    plot = drawn.find("g/g[@class='plot']")
    assert plot is not None, "pygal draws a plot in a graph"
    for element in list(plot.iter()):
        for child in [child for child in element if _is_left_out(child)]:
            element.remove(child)
    root.append(plot)
    for place, one in enumerate(chart.series):
        _describe(chart, one, _bars(plot, place))
    written = ElementTree.tostring(root, encoding="unicode", short_empty_elements=False)
    return Markup(written)  # noqa: S704  # names and numbers in it were escaped on the line before


def _draw(chart: Chart) -> ElementTree.Element:
    make = pygal.StackedBar if chart.is_stacked else pygal.Bar
    picture = make(
        width=WIDTH,
        height=HEIGHT,
        margin=6,
        spacing=4,
        js=[],
        style=_STYLE,
        show_legend=False,
        show_minor_x_labels=False,
        truncate_label=-1,
        min_scale=_FEWEST_STEPS,
        max_scale=_MOST_STEPS,
        value_formatter=chart.show,
    )
    picture.x_labels = [day[_IN_DATE:] for day in chart.days]
    picture.x_labels_major = picture.x_labels[:: -(-len(chart.days) // _LABELLED_DAYS) or 1]
    for one in chart.series:
        picture.add(one.name, [_known(value) for value in one.values])
    root: ElementTree.Element = picture.render_tree()
    return root


def _known(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _bars(plot: ElementTree.Element, place: int) -> Iterator[ElementTree.Element]:
    found = (one for one in plot if f"serie-{place}" in one.get("class", "").split())
    return (bar for series in found for bar in series.iter("rect"))


def _describe(chart: Chart, series: Series, bars: Iterator[ElementTree.Element]) -> None:
    """Each bar by its look, and with what it is; a day without a value has none."""
    known = [n for n, value in enumerate(series.values) if _known(value) is not None]
    for n, bar in zip(known, bars, strict=True):
        value = series.values[n]
        bar.attrib = {name: bar.attrib[name] for name in ("x", "y", "width", "height")}
        bar.set("class", "loss" if value is not None and value < 0 else series.look)
        title = ElementTree.SubElement(bar, "title")
        title.text = chart.label(series, n)


def _is_left_out(element: ElementTree.Element) -> bool:
    """Backgrounds, descriptions (positions, for pygal's script) and titles that repeat a label."""
    return element.tag in ("desc", "title") or element.get("class") == "background"
