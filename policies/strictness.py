"""How strictly an experiment is read: which arms are compared, at which levels, by how many units (pure).

All of it follows from the policy alone: what depended on what was seen would make the intervals wrong.
"""

from __future__ import annotations

from typing import Final

from policies.outcomes import HOLDOUT
from policies.schema import Experiment

BREACH_ALPHA: Final = 0.01
"""How often an experiment that harms nothing is rolled back by all its guardrails together, at most."""

_TIGHTEST: Final = 8
"""Over the squared effect: the units that find it in one look at 5 % and 80 %, where units differ by half
their mean. The intervals are tightest there; costs adjusted for their size vary by about as much.
"""


def expected_shares(experiment: Experiment) -> dict[str, float]:
    """Of the units that are not held out, by the weights; without arms of no weight."""
    live = {one.name: one.weight for one in experiment.variants if one.weight > 0}
    total = sum(live.values())
    return {name: weight / total for name, weight in live.items()}


def dealt_shares(experiment: Experiment) -> dict[str, float]:
    """Of all units that take part: the arms by their weights, and those held out."""
    held = experiment.holdout
    shares = {name: share * (1 - held) for name, share in expected_shares(experiment).items()}
    return shares | {HOLDOUT: held} if held else shares


def treated_arms(experiment: Experiment) -> tuple[str, ...]:
    """The arms that are compared with control."""
    return tuple(name for name in expected_shares(experiment) if name != experiment.control_name)


def arm_alpha(experiment: Experiment) -> float:
    """Of one treated arm: the plan's is shared by all (Bonferroni), so that it holds for the best of them."""
    return experiment.plan.alpha / max(1, len(treated_arms(experiment)))


def breach_alpha(experiment: Experiment) -> float:
    """Of one guardrail of one treated arm."""
    return BREACH_ALPHA / max(1, len(treated_arms(experiment)) * len(experiment.guardrails))


def planned_units(experiment: Experiment) -> float:
    """Of control and one treated arm together: where their intervals are tightest."""
    plan = experiment.plan
    if plan.units is None:
        return _TIGHTEST / plan.effect**2
    return plan.units * 2 / (1 + max(1, len(treated_arms(experiment))))
