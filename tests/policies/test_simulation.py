"""How many units an experiment needs: the formula, and that so many find what was planned for."""

from __future__ import annotations

import math

import numpy as np
import pytest

from policies.readings import UnitFigures, primary
from policies.schema import Experiment
from policies.simulation import Traffic, simulate, traffic_of
from tests.policies.made_outcomes import experiment, outcomes

TRAFFIC = Traffic(units_per_day=1000, variation=0.5)


def test_days_are_units_over_traffic_and_a_week_at_least() -> None:
    plan = {"effect": 0.05}
    [found] = simulate(TRAFFIC, experiment(plan=plan))
    assert found.effect == 0.05
    assert found.units_one_look == pytest.approx(4 * 0.25 * (2.8016 / math.log(1.05)) ** 2, rel=1e-3)
    assert 1.5 * found.units_one_look < found.units < 2.2 * found.units_one_look
    assert found.days == 7
    [slow] = simulate(Traffic(100, 0.5), experiment(plan=plan))
    assert slow.days == pytest.approx(slow.units / 100)


def test_smaller_effects_more_arms_and_less_traffic_take_longer() -> None:
    small, large = simulate(TRAFFIC, experiment(), (0.02, 0.1))
    assert small.units > 15 * large.units
    [two], [three] = (
        simulate(TRAFFIC, experiment(arms)) for arms in (("control", "half"), ("control", "half", "third"))
    )
    assert three.units > 1.5 * two.units
    [half] = simulate(Traffic(10, 0.5), experiment(share=0.5, holdout=0.2))
    assert half.days == pytest.approx(half.units / 4)


def test_no_arm_has_fewer_than_the_least_units() -> None:
    [found] = simulate(Traffic(1000, 0.001), experiment(plan={"min_units": 400}))
    assert found.units == 800


@pytest.mark.parametrize("effect", [0.0, 1.0, -0.1, math.nan])
def test_an_effect_is_a_share(effect: float) -> None:
    with pytest.raises(ValueError, match="above 0 and below 1"):
        simulate(TRAFFIC, experiment(), (effect,))


@pytest.mark.parametrize(
    "traffic", [Traffic(0, 0.5), Traffic(100, 0), Traffic(math.inf, 1), Traffic(1, math.nan)]
)
def test_traffic_is_some(traffic: Traffic) -> None:
    with pytest.raises(ValueError, match="must be numbers above 0"):
        simulate(traffic, experiment())


def test_somebody_takes_part_and_something_is_compared() -> None:
    with pytest.raises(ValueError, match="no unit takes part"):
        simulate(TRAFFIC, experiment(share=0.0))
    alone = Experiment.model_validate({"salt": "x", "variants": [{"name": "control", "weight": 1}]})
    with pytest.raises(ValueError, match="compares nothing"):
        simulate(TRAFFIC, alone)


def test_traffic_is_read_from_the_units_of_control() -> None:
    found = traffic_of(outcomes(20_000), experiment(), 500)
    assert found is not None
    assert found.units_per_day == 500
    assert 0.3 < found.variation < 1
    only = outcomes(20_000, arms=("before",))
    assert traffic_of(only, experiment(), 500) is not None
    assert traffic_of(outcomes(150), experiment(), 500) is None
    free = outcomes(1000)
    free.columns["cost_usd"][:] = 0.0
    assert traffic_of(free, experiment(), 500) is None


def test_what_is_planned_is_found() -> None:
    """Of experiments of the size that is asked for, at least four of five find the effect they plan for."""
    design = experiment(plan={"effect": 0.1}, guardrails={})
    traffic = traffic_of(outcomes(20_000), design, 1000)
    assert traffic is not None
    [planned] = simulate(traffic, design)
    found = [
        primary(UnitFigures(outcomes(planned.units, seed, lift=0.1), design), "half") for seed in range(200)
    ]
    assert 0.7 < np.mean([one.is_breached for one in found]) < 1
