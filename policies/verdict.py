"""What an experiment's figures allow to be done: ship, keep running, or roll back, with the reason (pure).

The first rule that holds decides:
  - no units, or arms that cannot be compared: keep running;
  - units that fell to the arms otherwise than dealt: nothing is read, whatever the figures say;
  - a guardrail that is worse beyond doubt, or every arm rolled back before: roll back;
  - too few units: keep running;
  - every arm's primary metric is worse beyond doubt: roll back, which only a person does;
  - an arm's primary metric is better beyond doubt, all its guardrails stay within their margins, and the
    least number of days is over: ship;
  - else keep running, naming what is still open.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from policies.outcomes import UNIT_COST, Outcomes
from policies.readings import (
    Figures,
    UnitFigures,
    arm_reports,
    guardrails,
    judge_counts,
    judged,
    log_variance,
    primary,
    sample_ratio,
    secondary,
)
from policies.reported import (
    ArmReport,
    JudgeCounts,
    JudgeReading,
    Reading,
    Relative,
    SampleRatio,
)
from policies.schema import Experiment
from policies.simulation import units_for
from policies.strictness import expected_shares, treated_arms
from policies.wording import change, dealt_otherwise, harms, open_rails

__all__ = [
    "ArmReport",
    "Evidence",
    "Harm",
    "JudgeCounts",
    "JudgeReading",
    "Reading",
    "Relative",
    "SampleRatio",
    "State",
    "Verdict",
    "harms_of",
    "verdict",
]

State: TypeAlias = Literal["ship", "keep_running", "roll_back"]

_DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one version of an experiment."""

    experiment: str
    version: str
    outcomes: Outcomes
    judged: Sequence[JudgeCounts] = ()
    units_per_day: float | None = None
    """New units at today's traffic; None: as many as since the first."""
    withdrawn: frozenset[str] = frozenset()
    """Arms that were rolled back: read, but nothing is decided on them any more."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision, its reason in one sentence, and every figure behind it."""

    experiment: str
    version: str
    state: State
    reason: str
    control: str
    arms: tuple[ArmReport, ...]
    primary: tuple[Reading, ...]
    """One a treated arm, as the guardrails and the others in turn."""
    guardrails: tuple[Reading, ...]
    secondary: tuple[Reading, ...]
    sample_ratio: SampleRatio | None
    """None while there are no units."""
    judge: tuple[JudgeReading, ...]
    units_needed: int | None
    """All arms together, for the effect and the power planned; None while too few have been seen to tell."""
    days_to_go: float | None
    """At the traffic seen; None where it cannot be told."""
    n_units: int
    since: float | None
    """Seconds since the epoch of the first unit's first request."""
    winner: str | None = None
    """The arm to ship."""
    harmed: tuple[str, ...] = ()
    """Arms with a breached guardrail."""
    days: float = 0.0
    """How long it has run."""
    withdrawn: frozenset[str] = frozenset()
    """Arms that were rolled back before: they are neither shipped nor rolled back again."""

    @property
    def candidates(self) -> tuple[Reading, ...]:
        """The primary metric of the arms that still run."""
        return tuple(one for one in self.primary if one.arm not in self.withdrawn)


@dataclass(frozen=True, slots=True)
class Harm:
    """That a guardrail is worse beyond doubt."""

    arm: str
    metric: str
    reason: str


def verdict(evidence: Evidence, experiment: Experiment, now: float) -> Verdict:
    """The decision on one version of an experiment; `now` in seconds since the epoch."""
    read = _read(evidence, experiment, now)
    state, reason, winner = next(filter(None, (rule(read, experiment) for rule in _RULES)))
    return replace(read, state=state, reason=reason, winner=winner)


def harms_of(figures: Figures, judged: Sequence[JudgeCounts] = ()) -> tuple[Harm, ...]:
    """What ends an experiment by itself, the first of each arm: less work than a verdict, mostly without
    scipy.
    """
    arms = treated_arms(figures.experiment)
    found = [
        Harm(*one) for arm in arms for one in harms(guardrails(figures, arm), _judge(judged, figures, arm))
    ]
    if not found or (ratio := sample_ratio(figures)) is None or ratio.is_alarm:
        return ()
    return tuple({one.arm: one for one in reversed(found)}.values())


def _read(evidence: Evidence, experiment: Experiment, now: float) -> Verdict:
    """Every figure, and nothing decided."""
    figures, arms = UnitFigures(evidence.outcomes, experiment), treated_arms(experiment)
    n_units, since = len(evidence.outcomes.arm), evidence.outcomes.first_at
    days = max(0.0, now - since) / _DAY_S if n_units else 0.0
    rails = tuple(one for arm in arms for one in guardrails(figures, arm))
    judge = tuple(one for arm in arms for one in _judge(evidence.judged, figures, arm))
    needed = _units_needed(figures)
    return Verdict(
        experiment=evidence.experiment,
        version=evidence.version,
        state="keep_running",
        reason="",
        control=experiment.control_name,
        arms=arm_reports(figures),
        primary=tuple(primary(figures, arm) for arm in arms),
        guardrails=rails,
        secondary=tuple(one for arm in arms for one in secondary(figures, arm)),
        sample_ratio=sample_ratio(figures),
        judge=judge,
        units_needed=needed,
        days_to_go=_days_to_go(evidence, experiment, needed, days),
        n_units=n_units,
        since=since if n_units else None,
        days=days,
        harmed=tuple(dict.fromkeys(arm for arm, _, _ in harms(rails, judge))),
        withdrawn=evidence.withdrawn,
    )


def _judge(given: Sequence[JudgeCounts], figures: Figures, arm: str) -> tuple[JudgeReading, ...]:
    """Where somebody judges, or has judged."""
    mirror = figures.experiment.mirror
    if not given and (mirror is None or mirror.judge is None):
        return ()
    return (judged(figures, judge_counts(given, arm)),)


def _units_needed(figures: Figures) -> int | None:
    experiment = figures.experiment
    if experiment.plan.units is not None:
        return experiment.plan.units
    shares, needed = expected_shares(experiment), []
    for arm in treated_arms(experiment):
        if (variance := log_variance(figures, arm)) is None:
            return None
        pair = shares[arm] + shares[experiment.control_name]
        needed.append(units_for(experiment, variance / pair, experiment.plan.effect))
    return max(needed, default=None)


def _days_to_go(evidence: Evidence, experiment: Experiment, needed: int | None, days: float) -> float | None:
    n_units = len(evidence.outcomes.arm)
    if needed is None or not n_units:
        return None
    left = max(0, needed - n_units)
    per_day = evidence.units_per_day or (n_units / days if days else 0.0)
    if left and not per_day:
        return None
    return max(left / per_day if left else 0.0, experiment.plan.min_days - days, 0.0)


_Found: TypeAlias = tuple[State, str, str | None]
"""The decision, its reason, and the arm to ship."""


def _no_units(read: Verdict, experiment: Experiment) -> _Found | None:
    if read.n_units:
        return None
    return "keep_running", f"No unit has come yet: policy {read.experiment!r} has seen no such traffic.", None


def _nothing_to_compare(read: Verdict, experiment: Experiment) -> _Found | None:
    if read.primary and read.control in expected_shares(experiment):
        return None
    return "keep_running", "Nothing is compared: control, or every other variant, has the weight 0.", None


def _dealt_otherwise(read: Verdict, experiment: Experiment) -> _Found | None:
    ratio = read.sample_ratio
    if ratio is None or not ratio.is_alarm:
        return None
    return "keep_running", dealt_otherwise(read.arms, ratio.chi2_p), None


def _harmful(read: Verdict, experiment: Experiment) -> _Found | None:
    found = [one for one in harms(read.guardrails, read.judge) if one[0] not in read.withdrawn]
    return ("roll_back", found[0][2], None) if found else None


def _all_withdrawn(read: Verdict, experiment: Experiment) -> _Found | None:
    if read.candidates:
        return None
    arms = ", ".join(one.arm for one in read.primary)
    return "roll_back", f"Every arm beside control was rolled back ({arms}).", None


def _too_few(read: Verdict, experiment: Experiment) -> _Found | None:
    dealt = [arm for arm in read.arms if not arm.is_holdout]
    smallest = min(dealt, key=lambda arm: arm.n_units)
    if smallest.n_units >= (least := experiment.plan.min_units):
        return None
    has = f"Arm {smallest.name!r} has {smallest.n_units:,} of the {least:,} units"
    return "keep_running", f"{has} that every arm needs before anything is said.", None


def _worse(read: Verdict, experiment: Experiment) -> _Found | None:
    if not all(one.is_breached for one in read.candidates):
        return None
    return "roll_back", f"{change(read.candidates[0])}: worse beyond doubt.", None


def _better(read: Verdict, experiment: Experiment) -> _Found | None:
    ready = [one for one in read.candidates if one.is_proven and not _open_rails(read, one.arm)]
    if not ready or read.days < experiment.plan.min_days:
        return None
    best = max(ready, key=lambda one: abs(one.difference or 0.0))
    rails = "every guardrail is within its margin" if experiment.guardrails else "there are no guardrails"
    return (
        "ship",
        f"{change(best)} and {rails}, after {read.n_units:,} units in {read.days:.1f} days.",
        best.arm,
    )


def _still_open(read: Verdict, experiment: Experiment) -> _Found:
    best = max(read.candidates, key=lambda one: (one.is_proven, -len(_open_rails(read, one.arm))))
    return "keep_running", f"{change(best)}{_what_is_open(read, experiment, best)}.", None


_Rule: TypeAlias = Callable[[Verdict, Experiment], _Found | None]
_RULES: Final[tuple[_Rule, ...]] = (
    *(_no_units, _nothing_to_compare, _dealt_otherwise, _harmful, _all_withdrawn),
    *(_too_few, _worse, _better, _still_open),
)


def _what_is_open(read: Verdict, experiment: Experiment, best: Reading) -> str:
    if best.note:
        return ""
    if not best.is_proven:
        return f": not told apart from {read.control!r} {_to_go(read)}"
    if rails := _open_rails(read, best.arm):
        return f", but {rails[0]} {_to_go(read)}"
    return f", but it has run for {read.days:.1f} of at least {experiment.plan.min_days:g} days"


def _to_go(read: Verdict) -> str:
    seen = f"after {read.n_units:,} units"
    if read.units_needed is None:
        return seen
    if read.n_units >= read.units_needed:
        return f"{seen}, more than the {read.units_needed:,} that the plan asks for"
    days = "" if read.days_to_go is None else f", {read.days_to_go:.1f} days to go"
    return f"{seen} of about {read.units_needed:,}{days}"


def _open_rails(read: Verdict, arm: str) -> list[str]:
    """What keeps an arm from being shipped, first of all a guardrail."""
    rails = open_rails(
        (one for one in read.guardrails if one.arm == arm), (one for one in read.judge if one.arm == arm)
    )
    return rails + _dearer(read, arm)


def _dearer(read: Verdict, arm: str) -> list[str]:
    """That units cost more in all, though requests may cost less: then more of them are made."""
    found = (one for one in read.secondary if (one.metric, one.arm) == (UNIT_COST, arm))
    if not any(one.low is not None and one.low > 0 for one in found):
        return []
    return ["a unit costs more in all, for it makes more requests"]
