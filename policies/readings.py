"""The figures of an experiment, metric by metric and arm by arm beside the control's (pure).

A guardrail has two bounds on its harm, each with a level of its own: what it is at most, at the plan's alpha,
must lie below its margin before anything is shipped (non-inferiority); what it is at least, at its share of a
hundredth, above 0 ends the experiment. All intervals are anytime-valid, so both may be asked at every look.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from policies.outcomes import FIRST, HOLDOUT, JUDGE, METRICS, UNITS, Metric, Outcomes
from policies.reported import ArmReport, JudgeCounts, JudgeReading, Reading, Relative, SampleRatio
from policies.schema import Experiment
from policies.statistics import (
    Estimate,
    Floats,
    Summary,
    adjusted_difference,
    adjusted_log_ratio,
    benjamini_hochberg,
    difference,
    half_width,
    half_width_one_sided,
    p_value,
    paired_e_value,
    ratio,
    sample_ratio_e_value,
    sample_ratio_p,
    summarise,
)
from policies.strictness import arm_alpha, breach_alpha, dealt_shares, planned_units, treated_arms

Rows: TypeAlias = NDArray[np.intp]

SAMPLE_RATIO_P: Final = 0.001
SAMPLE_RATIO_E: Final = 1000.0
JUDGE_PLANNED: Final = 1000
"""Pairs at which the judge's bounds are tightest."""
UNPRICED_SHARE: Final = 0.01
"""Nothing is said of money where more requests than this have no known price."""
_WITH: Final = {
    "feedback_n": "with feedback ",
    "answered": "with an answer ",
    "counterfactual_usd": "with a price ",
}
_MONEY: Final = {"cost_usd", "counterfactual_usd", "saved_usd"}


class Figures(Protocol):
    """The arms of one version of an experiment, from wherever they are summed."""

    @property
    def experiment(self) -> Experiment: ...

    def n_units(self, arm: str) -> int: ...

    def total(self, column: str, arm: str) -> float: ...

    def summary(self, metric: Metric, arm: str) -> Summary: ...

    def n_with(self, metric: Metric, arm: str) -> int:
        """Units of which the metric's denominator is not 0."""


@dataclass(frozen=True)
class UnitFigures:
    """Summed from every unit's outcomes."""

    outcomes: Outcomes
    experiment: Experiment

    @cached_property
    def members(self) -> dict[str, Rows]:
        """Arm to its units' rows."""
        order = np.argsort(self.outcomes.arm, kind="stable")
        edges = np.searchsorted(self.outcomes.arm[order], np.arange(len(self.outcomes.arms) + 1))
        return {name: order[edges[i] : edges[i + 1]] for i, name in enumerate(self.outcomes.arms)}

    def n_units(self, arm: str) -> int:
        return len(self.members.get(arm, ()))

    def total(self, column: str, arm: str) -> float:
        return float(self.outcomes.columns[column][self.members[arm]].sum()) if arm in self.members else 0.0

    def summary(self, metric: Metric, arm: str) -> Summary:
        return summarise(self.columns(metric, arm))

    def n_with(self, metric: Metric, arm: str) -> int:
        if metric.denominator == UNITS:
            return self.n_units(arm)
        return int(
            np.count_nonzero(self.outcomes.columns[metric.denominator][self.members.get(arm, _NO_ROWS)])
        )

    def columns(self, metric: Metric, arm: str) -> Floats:
        """(units, 3): numerator, denominator, original tokens at first sight."""
        rows, columns = self.members.get(arm, _NO_ROWS), self.outcomes.columns
        y = sum(columns[name][rows] for name in metric.numerator)
        n = np.ones(len(rows)) if metric.denominator == UNITS else columns[metric.denominator][rows]
        return np.column_stack([y, n, columns[FIRST][rows]])


def _compare(figures: Figures, metric: Metric, arm: str) -> _Compared:
    experiment, names = figures.experiment, (figures.experiment.control_name, arm)
    control, treated = (figures.summary(metric, name) for name in names)
    fewest, least = min(figures.n_with(metric, name) for name in names), experiment.plan.min_units
    blank = Reading(metric.name, arm, _number(ratio(treated).value), _number(ratio(control).value))
    if unpriced := _unpriced(figures, metric, names):
        blank = replace(blank, note=f"no price is known for {unpriced:.0%} of the requests")
    elif fewest < least:
        what = _WITH.get(metric.denominator, "")
        blank = replace(blank, note=f"{fewest} of {least} units {what}an arm")
    return _Compared(metric, control, treated, blank)


def _unpriced(figures: Figures, metric: Metric, arms: Iterable[str]) -> float:
    """Of the requests, where it is too many to say something of money; else 0."""
    if not _MONEY & {*metric.numerator, metric.denominator}:
        return 0.0
    requests, unpriced = (
        sum(figures.total(column, arm) for arm in arms) for column in ("requests", "unpriced")
    )
    return unpriced / requests if unpriced > UNPRICED_SHARE * requests else 0.0


_MOST_LOG: Final = 700.0
_NO_ROWS: Final[Rows] = np.empty(0, dtype=np.intp)


@dataclass(frozen=True, slots=True)
class _Compared:
    metric: Metric
    control: Summary
    arm: Summary
    blank: Reading
    """With a note where there is too little to say more."""

    @property
    def sign(self) -> int:
        """Of a change for the worse."""
        return 1 if self.metric.better == "lower" else -1


def primary(figures: Figures, arm: str) -> Reading:
    """Better or worse, by an interval on the difference; how much, in relation to control's."""
    one = _compare(figures, METRICS[figures.experiment.primary], arm)
    if one.blank.note:
        return one.blank
    read = _two_sided(figures, one)
    assert read.low is not None
    assert read.high is not None
    below, above = read.high < 0, read.low > 0
    is_better, is_worse = (below, above) if one.sign > 0 else (above, below)
    return replace(read, relative=_relative(figures, one), is_proven=is_better, is_breached=is_worse)


def guardrails(figures: Figures, arm: str) -> tuple[Reading, ...]:
    """Every guardrail but the judge."""
    margins = figures.experiment.guardrails
    return tuple(_guardrail(figures, METRICS[name], arm, margins[name]) for name in margins if name != JUDGE)


def secondary(figures: Figures, arm: str) -> tuple[Reading, ...]:
    """All other metrics: exploratory, the false ones among those that differ kept to a share of alpha."""
    shown = {figures.experiment.primary, *figures.experiment.guardrails}
    compared = [_compare(figures, metric, arm) for name, metric in METRICS.items() if name not in shown]
    readings = [one.blank if one.blank.note else _two_sided(figures, one) for one in compared]
    told = [read for read in readings if read.p is not None]
    differ = benjamini_hochberg(
        [read.p for read in told if read.p is not None], arm_alpha(figures.experiment)
    )
    proven = {read.metric for read, is_different in zip(told, differ, strict=True) if is_different}
    return tuple(replace(read, is_proven=read.metric in proven) for read in readings)


def judged(figures: Figures, counts: JudgeCounts) -> JudgeReading:
    """The judge's verdicts: worse by the exact paired e-value, not worse by a bound on the difference."""
    margin = figures.experiment.guardrails.get(JUDGE)
    n_pairs = counts.n_control + counts.n_arm + counts.n_ties
    e_value = paired_e_value(counts.n_control, counts.n_arm)
    least = figures.experiment.plan.min_units
    share = (counts.n_control - counts.n_arm) / max(1, n_pairs)
    is_worse = counts.n_control > counts.n_arm and e_value >= 1 / breach_alpha(figures.experiment)
    low = high = None
    if n_pairs >= least:
        spread = (counts.n_control + counts.n_arm) / n_pairs - share**2
        # One more pair, lost: only ties prove no more than their number can.
        error = math.sqrt(max(0.0, spread) / n_pairs + ((1 + abs(share)) / n_pairs) ** 2)
        estimate = Estimate(np.asarray(share), np.asarray(error), np.asarray(float(n_pairs)))
        high = share + float(half_width_one_sided(estimate, arm_alpha(figures.experiment), JUDGE_PLANNED))
        low = share - float(half_width_one_sided(estimate, breach_alpha(figures.experiment), JUDGE_PLANNED))
    return JudgeReading(
        counts.arm,
        n_pairs,
        counts.n_control,
        counts.n_arm,
        counts.n_ties,
        share,
        low,
        high,
        e_value,
        is_breached=is_worse and margin is not None,
        is_proven=high is not None and margin is not None and high < margin,
        margin=margin,
        note="" if n_pairs >= least else f"{n_pairs} of {least} pairs",
    )


def arm_reports(figures: Figures) -> tuple[ArmReport, ...]:
    """Control first, then the treated arms as they are written, then what is held out."""
    experiment = figures.experiment
    names = dict.fromkeys([experiment.control_name, *treated_arms(experiment)])
    if figures.n_units(HOLDOUT) or experiment.holdout:
        names[HOLDOUT] = None
    n_all = sum(map(figures.n_units, names))
    return tuple(_arm_report(figures, name, n_all) for name in names)


def _arm_report(figures: Figures, name: str, n_all: int) -> ArmReport:
    n_units, n_requests = figures.n_units(name), int(figures.total("requests", name))
    metric = METRICS[figures.experiment.primary]
    return ArmReport(
        name,
        n_units,
        n_requests,
        share=n_units / n_all if n_all else 0.0,
        expected_share=dealt_shares(figures.experiment).get(name, 0.0),
        applied=figures.total("applied", name) / n_requests if n_requests else None,
        is_control=name == figures.experiment.control_name,
        is_holdout=name == HOLDOUT,
        value=_number(ratio(figures.summary(metric, name)).value),
    )


def sample_ratio(figures: Figures) -> SampleRatio | None:
    """None while there are no units."""
    shares = dealt_shares(figures.experiment)
    units = [figures.n_units(name) for name in shares]
    if not sum(units):
        return None
    p = sample_ratio_p(units, list(shares.values()))
    e_value = sample_ratio_e_value(units, list(shares.values()))
    return SampleRatio(p, e_value, is_alarm=p < SAMPLE_RATIO_P or e_value >= SAMPLE_RATIO_E)


def log_variance(figures: Figures, arm: str) -> float | None:
    """The squared error of the primary's relative change, times the units of both arms; None: not known."""
    one = _compare(figures, METRICS[figures.experiment.primary], arm)
    if one.blank.note:
        return None
    estimate = adjusted_log_ratio(one.control, one.arm)
    return _number(estimate.error**2 * estimate.units) or None


def _two_sided(figures: Figures, one: _Compared) -> Reading:
    estimate = adjusted_difference(one.control, one.arm)
    width = half_width(estimate, arm_alpha(figures.experiment), planned_units(figures.experiment))
    return replace(
        one.blank,
        difference=float(estimate.value),
        low=float(estimate.value - width),
        high=float(estimate.value + width),
        p=float(p_value(estimate, arm_alpha(figures.experiment), planned_units(figures.experiment))),
    )


def _relative(figures: Figures, one: _Compared) -> Relative | None:
    estimate = adjusted_log_ratio(one.control, one.arm)
    width = half_width(estimate, arm_alpha(figures.experiment), planned_units(figures.experiment))
    if not math.isfinite(width):
        return None
    value = float(estimate.value)
    return Relative(_growth(value), _growth(value - float(width)), _growth(value + float(width)))


def _growth(log_ratio: float) -> float:
    """As a relative change; what is beyond a float is endless."""
    return math.expm1(log_ratio) if log_ratio < _MOST_LOG else math.inf


def _guardrail(figures: Figures, metric: Metric, arm: str, margin: float) -> Reading:
    one = _compare(figures, metric, arm)
    if one.blank.note:
        return replace(one.blank, margin=margin)
    estimate = difference(one.control, one.arm, floor_units=1)
    value, sign, experiment = float(estimate.value), one.sign, figures.experiment
    planned = planned_units(experiment)
    most = sign * value + float(half_width_one_sided(estimate, arm_alpha(experiment), planned))
    least = sign * value - float(half_width_one_sided(estimate, breach_alpha(experiment), planned))
    return replace(
        one.blank,
        difference=value,
        low=min(sign * least, sign * most),
        high=max(sign * least, sign * most),
        margin=margin,
        is_breached=least > 0,
        is_proven=most < margin,
    )


def _number(value: Floats) -> float | None:
    return float(value) if math.isfinite(value) else None


def judge_counts(given: Sequence[JudgeCounts], arm: str) -> JudgeCounts:
    """Of that arm; none where the judge has said nothing of it."""
    return next((counts for counts in given if counts.arm == arm), JudgeCounts(arm, 0, 0))
