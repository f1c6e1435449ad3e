"""What becomes of a decision whose arm was rolled back, and the rule that does so at once (pure).

The decision stays what was assigned: what is recorded for the conversation, and what its unit is analysed as.
At the moment it gets what control gets, until a person resets the experiment. So every conversation obeys at
once, those whose arm was recorded before as well, and goes on in its arm after a reset.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from math import comb
from typing import Final, TypeAlias

from policies.decide import Decision
from policies.match import PolicySet
from policies.outcomes import HOLDOUT

RolledBack: TypeAlias = Mapping[tuple[str, str], AbstractSet[str]]
"""Policy and version to the arms that were rolled back."""

LAST: Final = 50
"""Requests of an arm that the fast rule looks at."""
MOST_FAILED: Final = 20
"""Of those; so many are too many where control's do not fail alike."""
LEAST_UNITS: Final = 3
"""Of which these failures must be: one client that sends the same bad request again and again is no arm's
harm.
"""
_CHANCE: Final = 1e-4
"""Of so uneven a split of the failures if they came alike: an outage of all must not look like an arm's."""


@dataclass(frozen=True, slots=True)
class Trial:
    """How a request of an arm ended."""

    at: float
    has_failed: bool
    unit: str


def withdrawn(decision: Decision, policy_set: PolicySet, rolled_back: RolledBack) -> Decision:
    """What holds of a decision at the moment.

    Control's treatment, where the policy still says what that is; else the request goes on as it came.
    """
    name, version, variant = decision.policy, decision.version, decision.variant
    if name is None or version is None or variant is None or variant == HOLDOUT:
        return decision
    if variant not in rolled_back.get((name, version), ()):
        return decision
    policy = policy_set.named(name)
    update: dict[str, object] = {"assigned": "off", "is_rolled_back": True}
    done = "left alone"
    if policy is not None and policy.version == version and policy.experiment is not None:
        control = policy.experiment.control_name
        arm = next(one for one in policy.experiment.variants if one.name == control)
        update |= {"assigned": arm.mode or policy.mode, "params": policy.variant_params[control]}
        done = f"treated as {control!r}"
    return decision.model_copy(
        update=update | {"why": (*decision.why, f"variant {variant!r} was rolled back: {done}")}
    )


def fails_alone(treated: Sequence[Trial], control: Sequence[Trial]) -> bool:
    """Whether an arm fails and control does not: of their latest requests, oldest first.

    Control's count since the first of the arm's that are looked at, by Fisher's exact test: three that went
    well are enough beside fifty that failed, and some twenty beside twenty of fifty.
    """
    last = treated[-LAST:]
    failed = sum(trial.has_failed for trial in last)
    if failed < MOST_FAILED or len({trial.unit for trial in last if trial.has_failed}) < LEAST_UNITS:
        return False
    beside = [trial for trial in control if trial.at >= last[0].at]
    beside_failed = sum(trial.has_failed for trial in beside)
    return _chance(len(last), failed, len(beside), beside_failed) < _CHANCE


def _chance(n: int, failed: int, n_beside: int, beside_failed: int) -> float:
    """That no more of the failures than `beside_failed` lie there, if they fell on both alike."""
    total = failed + beside_failed
    fewer = range(max(0, total - n), beside_failed + 1)
    return sum(comb(n_beside, k) * comb(n, total - k) for k in fewer) / comb(n + n_beside, total)
