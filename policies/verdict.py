"""What an experiment's figures allow to be done: ship, keep running, or roll back. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

State: TypeAlias = Literal["ship", "keep_running", "roll_back"]


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
    """The arm's value less control's, as estimated with what was known of the units beforehand."""
    low: float | None = None
    """Lower end of the anytime-valid interval of `difference`; of a guardrail at 1 %."""
    high: float | None = None
    """Upper end; of a guardrail at the plan's alpha."""
    relative: Relative | None = None
    margin: float | None = None
    """Of a guardrail: the most by which it may be worse."""
    is_breached: bool = False
    """Of a guardrail: it is worse beyond doubt."""
    is_proven: bool = False
    """The primary: better beyond doubt. A guardrail: not worse by its margin or more. Others: different."""
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
    applied: float | None
    """Of the requests, how many went on compressed; analysed are all."""
    is_control: bool = False
    is_holdout: bool = False


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
    e_value: float
    is_breached: bool
    is_proven: bool
    margin: float | None
    note: str = ""


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
