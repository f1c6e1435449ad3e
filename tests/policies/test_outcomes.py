"""The table of metrics holds together."""

from __future__ import annotations

import pytest

from policies.design import DEFAULT_MARGINS
from policies.outcomes import COLUMNS, FIRST, GUARDRAILS, JUDGE, METRICS, SUMS, UNITS, Metric


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_a_metric_is_made_of_sums(metric: Metric) -> None:
    assert METRICS[metric.name] is metric
    assert {*metric.numerator, metric.denominator} <= {*SUMS, UNITS}
    assert metric.denominator not in metric.numerator


def test_names_are_there_once() -> None:
    assert len({*COLUMNS}) == len(COLUMNS) == len(SUMS) + 1
    assert FIRST not in SUMS


def test_guardrails_are_shares_or_scores() -> None:
    assert (
        {*DEFAULT_MARGINS}
        < {*GUARDRAILS}
        == {*("errors", "truncated", "retries", "slow", "repeats", "feedback", JUDGE)}
    )
    assert [metric.name for metric in METRICS.values() if metric.kind == "primary"] == ["billed_cost"]
