"""The Grafana dashboard asks for metrics that there are, by labels that they have."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from gateway.metrics import TABLE
from tests.tracked import ROOT

DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana.json").read_text())
EXPRESSIONS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_expression_names_metrics_and_their_labels(expression: str) -> None:
    names = re.findall(r"pith_[a-z_]+", expression)
    assert names
    metrics = [TABLE[name.removesuffix("_bucket")] for name in names]
    assert all(
        (metric.kind == "histogram") == name.endswith("_bucket")
        for metric, name in zip(metrics, names, strict=True)
    )
    labels = {label for metric in metrics for label in metric.labels} | {"le"}
    asked = re.findall(r"by \(([^)]*)\)", expression) + re.findall(r"\{(\w+)=", expression)
    assert {label.strip() for group in asked for label in group.split(",")} <= labels
    assert ("rate(" in expression or "increase(" in expression) == (metrics[0].kind != "gauge")


def test_panels_have_names_and_places_of_their_own() -> None:
    panels = DASHBOARD["panels"]
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
    assert {panel["datasource"]["uid"] for panel in panels} == {"${datasource}"}, "chosen in Grafana"
