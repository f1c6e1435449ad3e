"""gateway.experiments.shown: readings in words and figures, whatever they hold."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.experiments import shown
from gateway.experiments.shown import KINDS, MOST_OF_NAME, row
from policies.outcomes import METRICS
from policies.verdict import JudgeReading, Reading, Relative, SampleRatio
from tests.gateway.experiments.known_ones import ARMS, CENSUS, LONG, NOW, RUNNING, SHIP, cost, guardrail

values = st.none() | st.floats(allow_nan=True, allow_infinity=True)


def test_every_metric_has_a_name() -> None:
    assert set(METRICS) <= set(KINDS)


def test_money_is_in_relation_to_control() -> None:
    cells = row(cost("half", -0.296, -0.35, -0.241), "primary")
    assert (cells.metric, cells.control_value, cells.value) == (
        "billed cost a request",
        "$0.000213",
        "$0.000150",
    )
    assert (cells.change, cells.interval) == ("−29.6 %", "−35.0 to −24.1 %")
    assert (cells.standing, cells.is_good, cells.is_bad) == ("better beyond doubt", True, False)


def test_a_share_is_in_points_of_a_per_cent_and_has_its_margin() -> None:
    cells = row(guardrail("retries", "harsh", 0.09, 0.02, 0.01), "guardrail")
    assert (cells.control_value, cells.value) == ("0.40 %", "9.40 %")
    assert (cells.change, cells.interval) == ("+9.00 pp", "+7.00 to +11.00 pp")
    assert (cells.margin, cells.standing, cells.is_bad) == ("+1.00 pp", "breached", True)


def test_a_margin_is_in_the_unit_of_the_change_on_the_side_that_is_worse() -> None:
    cells = row(guardrail("feedback", "half", -0.02, 0.05, 0.1), "guardrail")
    assert (cells.change, cells.margin) == ("−0.02", "−0.1")


@pytest.mark.parametrize(
    ("reading", "role", "said"),
    [
        (cost("half", 0.1, 0.05, 0.2), "primary", "worse beyond doubt"),
        (cost("half", 0.1, -0.05, 0.2), "primary", "not told apart yet"),
        (Reading("billed_cost", "half", 1.0, 1.0), "primary", "not told apart yet"),
        (guardrail("errors", "half", 0.0, 0.001, 0.005), "guardrail", "within its margin"),
        (guardrail("errors", "half", 0.0, 0.1, 0.005), "guardrail", "not proven yet"),
        (Reading("turns", "half", 3.0, 2.0, is_proven=True), "secondary", "differs"),
        (Reading("turns", "half", 3.0, 2.0), "secondary", "no difference shown"),
    ],
)
def test_how_it_stands(reading: Reading, role: str, said: str) -> None:
    assert row(reading, role).standing == said


def test_a_metric_of_another_version_is_a_plain_number() -> None:
    cells = row(
        Reading("new_thing", "half", 12345.678, 0.5, difference=-2.0, low=-3.0, high=0.0), "secondary"
    )
    assert (cells.metric, cells.value, cells.change, cells.interval) == (
        "new thing",
        "1.235e+04",
        "−2",
        "−3 to 0",
    )


def test_the_judge_is_one_more_guardrail() -> None:
    judged = JudgeReading("half", 120, 31, 28, 61, 0.025, -0.11, 0.16, 0.4, False, False, 0.05)
    cells = shown.judge_row(judged)
    assert (cells.value, cells.change, cells.note) == (
        "control 31, half 28, ties 61",
        "+2.50 pp",
        "120 pairs",
    )
    assert cells.standing == "not proven yet"
    assert shown.judge_row(replace(judged, is_breached=True)).standing == "breached"
    assert shown.judge_row(replace(judged, is_proven=True, margin=None)).margin == "–"


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (None, "cannot be told yet"),
        (math.inf, "cannot be told yet"),
        (0.0, "none: the planned sample is there"),
        (4.24, "4.2 at today's traffic"),
        (33.2, "34 at today's traffic"),
        (1e6, "more than ten years at today's traffic"),
    ],
)
def test_the_days_still_to_go(days: float | None, said: str) -> None:
    assert shown.days_sentence(replace(RUNNING, days_to_go=days)) == said


def test_units_arms_and_their_ratio() -> None:
    assert shown.units_sentence(RUNNING) == "12,000 of 18,000"
    assert shown.units_sentence(replace(RUNNING, units_needed=None)) == "12,000 of a number not known yet"
    assert [shown.arm_role(arm) for arm in (*ARMS[:2], replace(ARMS[2], is_holdout=True))] == [
        "control",
        "treated",
        "holdout, not in the verdict",
    ]
    assert shown.arm_shares(ARMS[1]) == "33.3 % of 33.3 %"
    assert (shown.applied(ARMS[1]), shown.applied(replace(ARMS[1], applied=None))) == ("96.1 %", "–")
    assert shown.ratio_sentence(None) == "nobody has taken part"
    assert shown.ratio_sentence(SampleRatio(0.97, 0.02, False)) == "as the weights say (p 0.97, e-value 0.02)"
    assert "trust no figure" in shown.ratio_sentence(SampleRatio(1e-9, 4000.0, True))


def test_the_verdict_names_whom_it_concerns() -> None:
    assert shown.verdict_words(SHIP) == "Ship half"
    assert shown.verdict_words(RUNNING) == "Keep running"
    assert shown.verdict_words(replace(RUNNING, state="roll_back", harmed=("a", "b"))) == "Roll back a, b"
    assert shown.verdict_words(replace(SHIP, winner=None)) == "Ship"
    assert {shown.standing_words(known) for known in CENSUS.experiments} >= {"running", "rolled back: harsh"}


def test_names_and_sentences_of_any_length_are_cut() -> None:
    assert len(shown.cut_name(LONG)) == MOST_OF_NAME + 1
    assert shown.cut("short") == "short"
    assert (shown.when(NOW), shown.when(None)) == ("2025-11-20 14:46:40 UTC", "–")


@given(values, values, values, values, values, st.sampled_from([*METRICS, "other"]))
def test_no_number_is_too_odd_to_be_shown(
    value: float | None,
    difference: float | None,
    low: float | None,
    high: float | None,
    margin: float | None,
    metric: str,
) -> None:
    relative = None if difference is None else Relative(difference, low or 0.0, high or 0.0)
    reading = Reading(metric, "half", value, value, difference, low, high, relative, margin)
    for role in ("primary", "guardrail", "secondary"):
        assert row(reading, role).standing
