"""How many units an experiment needs, and how many days that is at today's traffic (pure)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from policies.outcomes import METRICS, Outcomes
from policies.readings import UnitFigures
from policies.schema import Experiment
from policies.statistics import adjusted_log_ratio, summarise, units_anytime, units_fixed
from policies.strictness import arm_alpha, expected_shares, planned_units, treated_arms

MOST_UNITS = 10**12


@dataclass(frozen=True, slots=True)
class Traffic:
    """What an experiment would be made of."""

    units_per_day: float
    """New units that the policy matches, whether or not they would take part."""
    variation: float
    """By how much units differ in the primary metric, in relation to its mean: the standard deviation of one
    unit's ratio once the original tokens are taken into account."""


@dataclass(frozen=True, slots=True)
class Detection:
    """What it takes to find a change of that size."""

    effect: float
    units: int
    """Of all arms, with the plan's power, looking whenever one likes."""
    days: float
    units_one_look: int
    """With a single look at the end, which nobody keeps to: what looking costs."""


def simulate(
    traffic: Traffic, experiment: Experiment, effects: Sequence[float] = ()
) -> tuple[Detection, ...]:
    """For each effect, or the plan's: the units and days until it is found. At least `min_days`.

    Raises ValueError for an effect that is no share, traffic that is none, or arms that cannot be compared.
    """
    if not 0 < traffic.units_per_day < math.inf or not 0 < traffic.variation < math.inf:
        raise ValueError(f"{traffic}: both must be numbers above 0")
    taking_part = traffic.units_per_day * experiment.share * (1 - experiment.holdout)
    if not taking_part > 0:
        raise ValueError("no unit takes part: give the experiment a share above 0 and a holdout below 1")
    shares, plan = _pair(experiment), experiment.plan
    variance = traffic.variation**2 * (1 / shares[0] + 1 / shares[1])
    detections = []
    for effect in effects or (plan.effect,):
        if not 0 < effect < 1:
            raise ValueError(f"effect {effect!r}: give a relative change above 0 and below 1, e.g. 0.05")
        units = units_for(experiment, variance, effect)
        once = units_fixed(math.log1p(effect), variance, arm_alpha(experiment), plan.power)
        detections.append(Detection(effect, units, max(units / taking_part, plan.min_days), math.ceil(once)))
    return tuple(detections)


def units_for(experiment: Experiment, variance: float, effect: float) -> int:
    """Of all arms together, where `variance` over them is the squared error of the relative change."""
    plan, planned = experiment.plan, planned_units(experiment) / sum(_pair(experiment))
    needed = units_anytime(math.log1p(effect), variance, arm_alpha(experiment), plan.power, planned)
    least = plan.min_units / min(expected_shares(experiment).values())
    return min(MOST_UNITS, math.ceil(max(needed, least)))


def traffic_of(outcomes: Outcomes, experiment: Experiment, units_per_day: float) -> Traffic | None:
    """By the units of the control, or of the only arm there is; None where they are too few or cost nothing.

    Every other unit is compared with the rest, as if they were two arms.
    """
    figures = UnitFigures(outcomes, experiment)
    control = experiment.control_name
    name = control if figures.n_units(control) else next(iter(outcomes.arms), "")
    columns = figures.columns(METRICS[experiment.primary], name)
    if len(columns) < 2 * experiment.plan.min_units:
        return None
    one, other = summarise(columns[::2]), summarise(columns[1::2])
    estimate = adjusted_log_ratio(one, other)
    variation = float(estimate.error / np.sqrt(1 / one.units + 1 / other.units))
    return Traffic(units_per_day, variation) if 0 < variation < math.inf else None


def _pair(experiment: Experiment) -> tuple[float, float]:
    """The shares of control and of the smallest treated arm."""
    shares, treated = expected_shares(experiment), treated_arms(experiment)
    if not treated or experiment.control_name not in shares:
        raise ValueError("the experiment compares nothing: give control and another variant a weight above 0")
    return shares[experiment.control_name], min(shares[name] for name in treated)
