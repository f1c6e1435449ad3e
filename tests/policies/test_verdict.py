"""Decisions on made-up experiments, each with the sentence that is its reason."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from policies.outcomes import COLUMNS, FIRST, HOLDOUT, METRICS, Outcomes
from policies.readings import UnitFigures
from policies.schema import Experiment
from policies.verdict import Evidence, JudgeCounts, Verdict, harms_of, verdict
from tests.policies.made_outcomes import DAY_S, NOW, experiment, outcomes

NONE = Outcomes((), np.empty(0, dtype=np.intp), {name: np.empty(0) for name in COLUMNS}, 0.0, 0.0)
JUDGED = experiment(mirror={"judge": {"upstream": "openai", "model": "judge"}})


def decided(units: Outcomes, design: Experiment | None = None, now: float = NOW, **evidence: Any) -> Verdict:
    return verdict(Evidence("rag", "v1", units, **evidence), design or experiment(), now)


def test_no_units() -> None:
    found = decided(NONE)
    assert (found.state, found.n_units, found.since, found.sample_ratio) == ("keep_running", 0, None, None)
    assert found.reason == "No unit has come yet: policy 'rag' has seen no such traffic."
    assert found.units_needed is None
    assert found.days_to_go is None
    assert [arm.share for arm in found.arms] == [0.0, 0.0]


@pytest.mark.parametrize("weights", [(0, 1), (1, 0)])
def test_nothing_to_compare(weights: tuple[int, int]) -> None:
    variants = [
        {"name": "control", "weight": weights[0], "mode": "off"},
        {"name": "half", "weight": weights[1]},
    ]
    design = Experiment.model_validate({"salt": "x", "variants": variants})
    found = decided(outcomes(500, shares=(float(weights[0]), float(weights[1]))), design)
    assert found.state == "keep_running"
    assert found.reason == "Nothing is compared: control, or every other variant, has the weight 0."


def test_units_that_fell_otherwise_than_dealt_block_every_reading() -> None:
    """Even harm is not believed: what is missing in one arm may be what went well."""
    units = outcomes(4000, lift=-0.3, errors={"half": 0.2}, shares=(0.6, 0.4))
    found = decided(units)
    assert found.state == "keep_running"
    assert found.sample_ratio is not None
    assert found.sample_ratio.is_alarm
    assert found.reason.startswith("Units did not fall to the arms as dealt (control 2,4")
    assert "expected 2,000" in found.reason
    assert found.reason.endswith("no figure is to be trusted.")
    assert found.harmed == ("half",)
    assert harms_of(UnitFigures(units, experiment())) == ()


def test_harm_rolls_back() -> None:
    units = outcomes(3000, lift=-0.3, errors={"control": 0.02, "half": 0.06})
    found = decided(units)
    assert found.state == "roll_back"
    assert found.harmed == ("half",)
    [errors] = [one for one in found.guardrails if one.metric == "errors"]
    assert errors.is_breached
    assert errors.value is not None
    assert errors.control_value is not None
    assert errors.low is not None
    assert found.reason == (
        f"errors: {errors.value:.2%} with 'half' and {errors.control_value:.2%} with control,"
        f" worse by {100 * errors.low:.2f} points at least."
    )
    [harm] = harms_of(UnitFigures(units, experiment()))
    assert (harm.arm, harm.metric, harm.reason) == ("half", "errors", found.reason)


def test_only_the_arm_that_does_harm_is_named() -> None:
    arms = ("control", "half", "third")
    units = outcomes(6000, errors={"half": 0.01, "third": 0.1}, arms=arms)
    found = decided(units, experiment(arms))
    assert found.state == "roll_back"
    assert found.harmed == ("third",)


def test_an_arm_that_was_rolled_back_keeps_no_other_from_being_shipped() -> None:
    arms = ("control", "half", "third")
    units = outcomes(20_000, lift=-0.2, errors={"third": 0.1}, arms=arms)
    found = decided(units, experiment(arms), withdrawn=frozenset({"third"}))
    assert (found.state, found.winner, found.harmed) == ("ship", "half", ("third",))
    both = decided(units, experiment(arms), withdrawn=frozenset({"half", "third"}))
    assert (both.state, both.winner) == ("roll_back", None)
    assert both.reason == "Every arm beside control was rolled back (half, third)."


def test_a_guardrail_where_more_is_better_is_breached_by_less() -> None:
    units = outcomes(2000)
    liked = np.where(units.arm == 0, 0.8, 0.5)
    columns = {**units.columns, "feedback_n": np.ones(2000), "feedback_sum": liked}
    found = decided(replace(units, columns=columns), experiment(guardrails={"feedback": 0.05}))
    [reading] = found.guardrails
    assert found.state == "roll_back"
    assert reading.difference == pytest.approx(-0.3)
    assert reading.high is not None
    assert reading.high < 0
    assert not reading.is_proven


def test_too_few_units() -> None:
    found = decided(outcomes(150))
    fewest = min(found.arms, key=lambda arm: arm.n_units)
    assert found.state == "keep_running"
    assert found.reason == (
        f"Arm '{fewest.name}' has {fewest.n_units} of the 100 units that every arm needs"
        " before anything is said."
    )
    assert all(one.difference is None and one.note for one in (*found.primary, *found.guardrails))
    assert found.units_needed is None


def test_an_arm_that_is_cheaper_and_does_no_harm_is_shipped() -> None:
    found = decided(outcomes(12_000, lift=-0.2))
    assert (found.state, found.winner) == ("ship", "half")
    [primary] = found.primary
    assert primary.relative is not None
    assert primary.relative.low < -0.2 < primary.relative.high
    assert found.reason == (
        f"billed_cost of 'half' is {primary.relative.change:+.1%} against control"
        f" ({primary.relative.low:+.1%} to {primary.relative.high:+.1%})"
        " and every guardrail is within its margin, after 12,000 units in 8.0 days."
    )


def test_nothing_is_shipped_before_the_least_number_of_days() -> None:
    found = decided(outcomes(12_000, lift=-0.2), now=2.5 * DAY_S)
    assert (found.state, found.winner) == ("keep_running", None)
    assert found.reason.endswith(", but it has run for 2.5 of at least 7 days.")
    assert found.days_to_go == pytest.approx(4.5)


def test_nothing_is_shipped_while_a_guardrail_is_open() -> None:
    found = decided(outcomes(1500, lift=-0.4))
    assert found.state == "keep_running"
    assert ", but errors may still be worse by " in found.reason
    assert "(margin 0.50 points) after 1,500 units of about " in found.reason
    assert found.reason.endswith(" days to go.")


def test_a_guardrail_of_which_nothing_is_known_keeps_it_open() -> None:
    found = decided(outcomes(12_000, lift=-0.2), experiment(guardrails={"feedback": 0.05}))
    assert found.state == "keep_running"
    assert (
        ", but feedback cannot be told yet (0 of 100 units with feedback an arm) after 12,000" in found.reason
    )


def test_an_experiment_without_guardrails_says_so() -> None:
    found = decided(outcomes(3000, lift=-0.3), experiment(guardrails={}))
    assert found.state == "ship"
    assert "and there are no guardrails, after" in found.reason


def test_no_difference_is_kept_running_with_the_units_still_to_come() -> None:
    found = decided(outcomes(3000))
    assert found.state == "keep_running"
    assert ": not told apart from 'control' after 3,000 units of about " in found.reason
    assert found.units_needed is not None
    assert found.days_to_go == pytest.approx((found.units_needed - 3000) / 3000 * 8)
    rushed = decided(outcomes(3000), units_per_day=(found.units_needed - 3000) / 2)
    assert rushed.days_to_go == pytest.approx(2)


def test_after_the_planned_units_it_says_that_they_are_in() -> None:
    found = decided(outcomes(3000), experiment(plan={"units": 2000}))
    assert found.units_needed == 2000
    assert "after 3,000 units, more than the 2,000 that the plan asks for" in found.reason
    assert found.days_to_go == 0


def test_units_of_one_moment_tell_no_traffic() -> None:
    found = decided(outcomes(3000), now=0.0)
    assert found.days_to_go is None
    assert found.reason.endswith(f"after 3,000 units of about {found.units_needed:,}.")


def test_an_arm_that_costs_more_is_to_be_rolled_back_by_a_person() -> None:
    units = outcomes(6000, lift=0.3)
    found = decided(units)
    assert found.state == "roll_back"
    assert found.reason.startswith("billed_cost of 'half' is +")
    assert found.reason.endswith(": worse beyond doubt.")
    assert found.harmed == ()
    assert harms_of(UnitFigures(units, experiment())) == ()


def test_money_is_not_spoken_of_where_prices_are_unknown() -> None:
    units = outcomes(6000, lift=-0.3)
    columns = {**units.columns, "unpriced": units.columns["requests"]}
    found = decided(replace(units, columns=columns))
    assert found.state == "keep_running"
    assert found.reason == (
        "billed_cost of 'half' cannot be told yet: no price is known for 100% of the requests."
    )
    assert found.units_needed is None


def test_a_primary_metric_without_a_ratio_is_told_by_its_difference() -> None:
    found = decided(outcomes(3000, lift=-0.2), experiment(primary="saved_share"))
    assert found.primary[0].relative is None
    assert found.primary[0].is_proven
    assert "saved_share of 'half' differs from control's by +0.2 (" in found.reason
    assert found.units_needed is None


def test_a_change_beyond_all_floats_is_endless() -> None:
    units = outcomes(400)
    saved = np.where(np.arange(400) % 2, 1.0, -1.0)
    for arm in (0, 1):  # as much is lost as is saved, but for a little
        saved[units.arm == arm] += 1e-6 - saved[units.arm == arm].mean()
    columns = {**units.columns, "saved_usd": saved, "counterfactual_usd": np.ones(400), FIRST: np.ones(400)}
    [read] = decided(replace(units, columns=columns), experiment(primary="saved_share")).primary
    assert read.relative is not None
    assert (read.relative.low, read.relative.high) == (-1.0, math.inf)


def test_the_best_of_several_arms_is_shipped_at_a_shared_level() -> None:
    arms = ("control", "half", "third")
    units = outcomes(20_000, lift=-0.2, arms=arms)
    columns = {**units.columns, "cost_usd": units.columns["cost_usd"] * np.where(units.arm == 2, 0.8, 1.0)}
    both = decided(replace(units, columns=columns), experiment(arms))
    assert (both.state, both.winner) == ("ship", "third")
    assert len(both.primary) == 2


def test_what_is_held_out_is_reported_and_not_compared() -> None:
    arms = ("control", "half", HOLDOUT)
    found = decided(outcomes(4000, arms=arms, shares=(0.45, 0.45, 0.1)), experiment(holdout=0.1))
    assert [arm.name for arm in found.arms] == ["control", "half", HOLDOUT]
    assert [arm.is_holdout for arm in found.arms] == [False, False, True]
    assert [arm.expected_share for arm in found.arms] == pytest.approx([0.45, 0.45, 0.1])
    assert sum(arm.share for arm in found.arms) == pytest.approx(1)
    assert {one.arm for one in (*found.primary, *found.guardrails, *found.secondary)} == {"half"}
    assert found.sample_ratio is not None
    assert not found.sample_ratio.is_alarm
    assert [arm.applied for arm in found.arms] == [0.0, 1.0, 1.0]
    assert all(arm.value for arm in found.arms)


def test_every_metric_is_read_once() -> None:
    found = decided(outcomes(1000))
    read = [one.metric for one in (*found.primary, *found.guardrails, *found.secondary)]
    assert sorted(read) == sorted(METRICS)
    [feedback] = [one for one in found.secondary if one.metric == "feedback"]
    assert feedback.note == "0 of 100 units with feedback an arm"


def test_secondary_metrics_that_differ_are_told_from_those_that_do_not() -> None:
    found = decided(outcomes(5000, lift=-0.2))
    differ = {one.metric for one in found.secondary if one.is_proven}
    assert differ == {"saved_share", "unit_cost"}


def test_an_arm_whose_units_cost_more_in_all_is_not_shipped_for_cheaper_requests() -> None:
    units = outcomes(12_000, lift=-0.3)
    assert decided(units).state == "ship"
    often = np.where(units.arm == units.arms.index("half"), 2.0, 1.0)
    more = {name: column * often for name, column in units.columns.items() if name != FIRST}
    found = decided(replace(units, columns={**units.columns, **more}))
    [unit_cost] = [one for one in found.secondary if one.metric == "unit_cost"]
    assert unit_cost.low is not None
    assert unit_cost.low > 0
    assert found.primary[0].is_proven
    assert found.state == "keep_running"
    assert ", but a unit costs more in all, for it makes more requests after" in found.reason


class TestJudge:
    def test_without_one_there_is_no_reading(self) -> None:
        assert decided(outcomes(1000)).judge == ()

    def test_who_has_said_nothing_keeps_it_open(self) -> None:
        found = decided(outcomes(12_000, lift=-0.3), JUDGED)
        assert found.state == "keep_running"
        assert ", but the judge has compared too little (0 of 100 pairs) after" in found.reason

    def test_who_sees_no_difference_lets_it_be_shipped(self) -> None:
        counts = [JudgeCounts("half", n_control=100, n_arm=105, n_ties=2000)]
        found = decided(outcomes(12_000, lift=-0.3), JUDGED, judged=counts)
        assert found.state == "ship"
        [reading] = found.judge
        assert reading.is_proven
        assert reading.low is not None
        assert reading.high is not None
        assert reading.low < reading.difference < reading.high < 0.05

    def test_who_may_still_see_one_keeps_it_open(self) -> None:
        counts = [JudgeCounts("half", n_control=60, n_arm=50, n_ties=90)]
        found = decided(outcomes(12_000, lift=-0.3), JUDGED, judged=counts)
        assert found.state == "keep_running"
        assert ", but the judge may still prefer control's answers by " in found.reason

    def test_who_prefers_control_rolls_back(self) -> None:
        counts = [JudgeCounts("half", n_control=60, n_arm=12)]
        units = outcomes(1000)
        found = decided(units, judged=counts)
        assert found.state == "roll_back"
        assert found.reason == "The judge prefers control's answers to those of 'half', 60 times to 12."
        assert found.harmed == ("half",)
        [harm] = harms_of(UnitFigures(units, experiment()), counts)
        assert harm.metric == "judge"

    def test_only_ties_prove_no_more_than_their_number(self) -> None:
        design = experiment(guardrails={"judge": 0.02})
        few, many = (
            decided(outcomes(1000), design, judged=[JudgeCounts("half", 0, 0, n)]).judge[0]
            for n in (100, 2000)
        )
        assert not few.is_proven
        assert many.is_proven

    def test_who_is_no_guardrail_is_only_reported(self) -> None:
        counts = [JudgeCounts("half", n_control=60, n_arm=12)]
        found = decided(outcomes(12_000, lift=-0.3), experiment(guardrails={"errors": 0.005}), judged=counts)
        assert found.state == "ship"
        assert found.judge[0].margin is None
        assert not found.judge[0].is_breached


def test_a_margin_is_kept_where_it_is_drawn() -> None:
    """Half a point more errors: never within a margin of half a point, within one of five soon."""
    units = outcomes(40_000, lift=-0.2, errors={"control": 0.01, "half": 0.015}, seed=3)
    strict = decided(units, experiment(guardrails={"errors": 0.005}))
    loose = decided(
        outcomes(3000, lift=-0.2, errors={"control": 0.01, "half": 0.015}),
        experiment(guardrails={"errors": 0.05}),
    )
    assert not strict.guardrails[0].is_proven
    assert loose.guardrails[0].is_proven
