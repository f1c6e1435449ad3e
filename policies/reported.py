"""What is reported of an experiment: values alone, made by `policies/readings.py`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Relative:
    """A change in relation to control: -0.2 is a fifth less. The interval is anytime-valid."""

    change: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Reading:
    """One metric of one arm beside control's. What cannot be said yet is None, and `note` says why."""

    metric: str
    arm: str
    value: float | None
    control_value: float | None
    difference: float | None = None
    """The arm's value less control's; of all but guardrails adjusted for how large the units began."""
    low: float | None = None
    """Lower end of the anytime-valid interval of `difference`."""
    high: float | None = None
    """Upper end. Of a guardrail the end towards harm is at the plan's alpha, the other at BREACH_ALPHA's
    share.
    """
    relative: Relative | None = None
    margin: float | None = None
    """Of a guardrail: the most by which it may be worse."""
    is_breached: bool = False
    """Of a guardrail: it is worse beyond doubt. The primary: so is it."""
    is_proven: bool = False
    """The primary: better beyond doubt. A guardrail: not worse by its margin. Others: they differ."""
    p: float | None = None
    """Anytime-valid; of a secondary metric before the correction for their number."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class ArmReport:
    """One arm's size and how often what it says was done."""

    name: str
    n_units: int
    n_requests: int
    share: float
    """Of all units."""
    expected_share: float
    """The same by weights and `holdout`."""
    applied: float | None
    """Of the requests, how many went on compressed; analysed are all."""
    is_control: bool = False
    is_holdout: bool = False
    value: float | None = None
    """Of the primary metric."""


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """Whether the units fell to the arms as the weights say."""

    chi2_p: float
    e_value: float
    is_alarm: bool


@dataclass(frozen=True, slots=True)
class JudgeCounts:
    """What the judge said of one arm's answers beside control's: at most one verdict a unit."""

    arm: str
    n_control: int
    """Control's answer was better."""
    n_arm: int
    n_ties: int = 0


@dataclass(frozen=True, slots=True)
class JudgeReading:
    """The judge's verdicts on one arm. `difference`: control's wins less the arm's, as a share of all."""

    arm: str
    n_pairs: int
    n_control: int
    n_arm: int
    n_ties: int
    difference: float
    low: float | None
    high: float | None
    """As of a guardrail."""
    e_value: float
    is_breached: bool
    is_proven: bool
    margin: float | None
    """None: the judge is no guardrail."""
    note: str = ""
