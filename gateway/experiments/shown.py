"""Readings in words and figures, the same on the page and on the terminal (pure)."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.dashboard.figures import UNKNOWN, count, milliseconds, moment, usd
from gateway.experiments.known import Known, Standing
from policies.outcomes import METRICS
from policies.verdict import ArmReport, JudgeReading, Reading, SampleRatio, Verdict

Format = Callable[[float | None], str]

MOST_CHARACTERS: Final = 1_000
"""Of a sentence: whatever is on record, a page and a terminal stay of use."""
MOST_OF_NAME: Final = 128
_MINUS: Final = "\N{MINUS SIGN}"
_ENDLESS_DAYS: Final = 3_650
_DECIMALS: Final = 6
"""What is smaller than that is rounding."""


def percent(value: float | None) -> str:
    """A share; errors are thousandths, so two decimals."""
    return UNKNOWN if _is_unknown(value) else f"{100 * value:.2f} %"  # type: ignore[operator]  # not None


def number(value: float | None) -> str:
    """Four significant digits."""
    return UNKNOWN if _is_unknown(value) else f"{value:.4g}"


@dataclass(frozen=True, slots=True)
class Kind:
    """How a metric is called and written."""

    title: str
    format: Format = number
    is_share: bool = False
    """Then a change is in points of a per cent, else in relation to control."""


KINDS: Final[Mapping[str, Kind]] = {
    "billed_cost": Kind("billed cost a request", usd),
    "unit_cost": Kind("billed cost a unit", usd),
    "saved_share": Kind("saved share of the prompt", percent, is_share=True),
    "output_tokens": Kind("output tokens a request"),
    "uncached_tokens": Kind("fresh input tokens a request"),
    "cached_tokens": Kind("input tokens read from the provider's cache"),
    "cache_write_tokens": Kind("input tokens written to it"),
    "reasoning_tokens": Kind("reasoning tokens a request"),
    "first_byte_ms": Kind("time to the first byte", milliseconds),
    "total_ms": Kind("time of a request", milliseconds),
    "errors": Kind("errors", percent, is_share=True),
    "truncated": Kind("answers cut off", percent, is_share=True),
    "retries": Kind("retries by clients", percent, is_share=True),
    "slow": Kind("slow first bytes", percent, is_share=True),
    "repeats": Kind("questions asked again", percent, is_share=True),
    "turns": Kind("requests a unit"),
    "feedback": Kind("feedback, 0 to 1"),
}


def kind_of(metric: str) -> Kind:
    """A metric not named here is a plain number."""
    return KINDS.get(metric) or Kind(metric.replace("_", " "))


@dataclass(frozen=True, slots=True)
class Row:
    """One reading."""

    metric: str
    arm: str
    control_value: str
    value: str
    change: str
    interval: str
    margin: str
    standing: str
    is_bad: bool
    is_good: bool
    note: str


def row(reading: Reading, role: str) -> Row:
    """`role`: primary, guardrail or secondary."""
    kind = kind_of(reading.metric)
    change, interval = _change(reading, kind)
    is_worse = role == "primary" and reading.relative is not None and reading.relative.low > 0
    return Row(
        metric=kind.title,
        arm=cut_name(reading.arm),
        control_value=kind.format(reading.control_value),
        value=kind.format(reading.value),
        change=change,
        interval=interval,
        margin=_scale(kind).one(margin_of(reading)),
        standing=standing_of(reading, role),
        is_bad=reading.is_breached or is_worse,
        is_good=reading.is_proven and role != "secondary",
        note=cut(reading.note),
    )


def margin_of(reading: Reading) -> float | None:
    """On the side that is worse."""
    metric = METRICS.get(reading.metric)
    is_higher_better = metric is not None and metric.better == "higher"
    return -reading.margin if reading.margin is not None and is_higher_better else reading.margin


def standing_of(reading: Reading, role: str) -> str:
    """What can be said of it."""
    if role == "guardrail":
        if reading.is_breached:
            return "breached"
        return "within its margin" if reading.is_proven else "not proven yet"
    if role == "secondary":
        return "differs" if reading.is_proven else "no difference shown"
    if reading.is_proven:
        return "better beyond doubt"
    is_worse = reading.relative is not None and reading.relative.low > 0
    return "worse beyond doubt" if is_worse else "not told apart yet"


def judge_row(reading: JudgeReading) -> Row:
    """The judge's verdicts as one more guardrail."""
    wins = (("control", reading.n_control), (cut_name(reading.arm), reading.n_arm), ("ties", reading.n_ties))
    unproven = "within its margin" if reading.is_proven else "not proven yet"
    return Row(
        metric="answers judged worse",
        arm=cut_name(reading.arm),
        control_value=UNKNOWN,
        value=", ".join(f"{name} {count(n)}" for name, n in wins),
        change=_POINTS.one(reading.difference),
        interval=_POINTS.two(reading.low, reading.high),
        margin=_POINTS.one(reading.margin),
        standing="breached" if reading.is_breached else unproven,
        is_bad=reading.is_breached,
        is_good=reading.is_proven,
        note=reading.note or f"{count(reading.n_pairs)} pairs",
    )


def applied(arm: ArmReport) -> str:
    """How often what the arm says was done."""
    return UNKNOWN if arm.applied is None else f"{100 * arm.applied:.1f} %"


def arm_shares(arm: ArmReport) -> str:
    """Its share of the units and what the weights say."""
    return f"{100 * arm.share:.1f} % of {100 * arm.expected_share:.1f} %"


def arm_role(arm: ArmReport, withdrawn: Collection[str] = ()) -> str:
    """Its part in the experiment."""
    if arm.name in withdrawn:
        return "rolled back"
    if arm.is_control:
        return "control"
    return "holdout, not in the verdict" if arm.is_holdout else "treated"


def ratio_sentence(ratio: SampleRatio | None) -> str:
    """The sample-ratio check."""
    if ratio is None:
        return "nobody has taken part"
    figures = f"p {number(ratio.chi2_p)}, e-value {number(ratio.e_value)}"
    if ratio.is_alarm:
        return (
            f"alarm: the units did not fall to the arms as the weights say ({figures}); trust no figure here"
        )
    return f"as the weights say ({figures})"


def days_sentence(verdict: Verdict) -> str:
    """How long it still takes."""
    days = verdict.days_to_go
    if _is_unknown(days):
        return "cannot be told yet"
    assert days is not None
    if days <= 0:
        return "none: the planned sample is there"
    if days > _ENDLESS_DAYS:
        return "more than ten years at today's traffic"
    return f"{days:,.1f} at today's traffic" if days < 10 else f"{math.ceil(days):,} at today's traffic"


def units_sentence(verdict: Verdict) -> str:
    """How many of how many."""
    needed = "a number not known yet" if verdict.units_needed is None else count(verdict.units_needed)
    return f"{count(verdict.n_units)} of {needed}"


_VERDICTS: Final = {"ship": "Ship", "keep_running": "Keep running", "roll_back": "Roll back"}
_STANDINGS: Final[Mapping[Standing, str]] = {
    "running": "running",
    "rolled_back": "rolled back",
    "ended": "ended: no policy in force has this version",
}


def verdict_words(verdict: Verdict) -> str:
    """The decision and whom it concerns."""
    words = _VERDICTS.get(verdict.state, verdict.state)
    if verdict.state == "ship" and verdict.winner is not None:
        return f"{words} {cut_name(verdict.winner)}"
    return (
        f"{words} {', '.join(map(cut_name, verdict.harmed))}"
        if verdict.state == "roll_back" and verdict.harmed
        else words
    )


def standing_words(known: Known) -> str:
    """Its state, and which arms were rolled back."""
    arms = ", ".join(map(cut_name, known.withdrawn))
    return f"{_STANDINGS[known.standing]}: {arms}" if arms else _STANDINGS[known.standing]


def cut(text: str, most: int = MOST_CHARACTERS) -> str:
    """What is on record may be of any length."""
    return text if len(text) <= most else f"{text[:most]}…"


def cut_name(name: str) -> str:
    return cut(name, MOST_OF_NAME)


def when(at: float | None) -> str:
    return UNKNOWN if at is None else f"{moment(at)} UTC"


@dataclass(frozen=True, slots=True)
class Scale:
    """How a change is written."""

    factor: float
    form: str
    unit: str

    def one(self, value: float | None) -> str:
        """With its sign always; no minus before what rounds to nought."""
        return self._signed(value, self.unit)

    def two(self, low: float | None, high: float | None) -> str:
        """From one end to the other, with the unit once."""
        if _is_no_number(low) or _is_no_number(high):
            return UNKNOWN
        return f"{self._signed(low, '')} to {self._signed(high, self.unit)}"

    def _signed(self, value: float | None, unit: str) -> str:
        if value is None or math.isnan(value):
            return UNKNOWN
        if math.isinf(value):
            return f"{'+' if value > 0 else _MINUS}∞{unit}"
        shown = f"{abs(round(self.factor * value, _DECIMALS)):{self.form}}"
        sign = "" if not shown.strip("0.") else "+" if value > 0 else _MINUS
        return f"{sign}{shown}{unit}"


_RELATIVE: Final = Scale(100, ".1f", " %")
_POINTS: Final = Scale(100, ".2f", " pp")
_PLAIN: Final = Scale(1, ".4g", "")


def _change(reading: Reading, kind: Kind) -> tuple[str, str]:
    """As estimated, and between what and what it lies."""
    relative = reading.relative
    if relative is not None and not kind.is_share:
        return _RELATIVE.one(relative.change), _RELATIVE.two(relative.low, relative.high)
    scale = _scale(kind)
    return scale.one(reading.difference), scale.two(reading.low, reading.high)


def _scale(kind: Kind) -> Scale:
    return _POINTS if kind.is_share else _PLAIN


def _is_no_number(value: float | None) -> bool:
    return value is None or math.isnan(value)


def _is_unknown(value: float | None) -> bool:
    return value is None or not math.isfinite(value)
