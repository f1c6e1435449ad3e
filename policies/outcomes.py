"""What an experiment measures: the columns summed for every unit, and the metrics made of them (pure).

Every metric is a ratio of two sums over the units of an arm, with the unit as what varies independently.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

HOLDOUT: Final = "holdout"
"""The arm of units that are never compressed, whatever becomes of the experiment."""

COUNTS: Final = (
    *("requests", "eligible", "applied", "answered", "unpriced", "origin_tokens"),
    *("uncached_tokens", "cached_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens"),
    *("errors", "truncated", "retries", "slow", "repeats", "feedback_n"),
)
"""Whole numbers that only grow. `answered`: requests of which a byte of the answer came; `unpriced`: requests
with usage and no known price."""

AMOUNTS: Final = (
    *("cost_usd", "compression_usd", "counterfactual_usd", "saved_usd"),
    *("first_byte_ms", "total_ms", "feedback_sum"),
)
"""Other sums."""

SUMS: Final = COUNTS + AMOUNTS

FIRST: Final = "first_tokens"
"""The original tokens of the request with which a unit entered the experiment: known before anything was done
to it, so what varies with it may be taken out (CUPED)."""

COLUMNS: Final = (*SUMS, FIRST)

UNITS: Final = "units"
"""As a metric's denominator: the number of units."""

UNIT_COST: Final = "unit_cost"
"""The metric that shows what a request's cost hides: that a unit makes more requests."""

Kind: TypeAlias = Literal["primary", "guardrail", "secondary"]


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """The units of one version of an experiment; row i of every array is one unit."""

    arms: tuple[str, ...]
    """Names; `arm` holds indices into it."""
    arm: NDArray[np.intp]
    columns: Mapping[str, NDArray[np.float64]]
    """By the names of COLUMNS."""
    first_at: float
    """Unix seconds of the first request; 0 where there are no units."""
    last_at: float


@dataclass(frozen=True, slots=True)
class Metric:
    """One thing that is compared between arms."""

    name: str
    numerator: tuple[str, ...]
    """Columns, which are added."""
    denominator: str
    """A column, or UNITS."""
    better: Literal["lower", "higher"] = "lower"
    kind: Kind = "secondary"
    """What it is for unless the experiment says otherwise; only guardrails have a margin."""


_METRICS: Final = (
    Metric("billed_cost", ("cost_usd", "compression_usd"), "requests", kind="primary"),
    Metric(UNIT_COST, ("cost_usd", "compression_usd"), UNITS),
    Metric("saved_share", ("saved_usd",), "counterfactual_usd", better="higher"),
    Metric("uncached_tokens", ("uncached_tokens",), "requests"),
    Metric("cached_tokens", ("cached_tokens",), "requests", better="higher"),
    Metric("cache_write_tokens", ("cache_write_tokens",), "requests"),
    Metric("output_tokens", ("output_tokens",), "requests"),
    Metric("reasoning_tokens", ("reasoning_tokens",), "requests"),
    Metric("first_byte_ms", ("first_byte_ms",), "answered"),
    Metric("total_ms", ("total_ms",), "answered"),
    Metric("errors", ("errors",), "requests", kind="guardrail"),
    Metric("truncated", ("truncated",), "requests", kind="guardrail"),
    Metric("retries", ("retries",), "requests", kind="guardrail"),
    Metric("slow", ("slow",), "answered", kind="guardrail"),
    Metric("repeats", ("repeats",), "requests", kind="guardrail"),
    Metric("turns", ("requests",), UNITS),
    Metric("feedback", ("feedback_sum",), "feedback_n", better="higher", kind="guardrail"),
)
METRICS: Final = {metric.name: metric for metric in _METRICS}

JUDGE: Final = "judge"
"""A guardrail beside the metrics: how much more often the judge prefers the control's answer."""

TIE: Final = "tie"
"""As a verdict's winner: neither answer is better."""

NO_WINNER: Final = "none"
"""As a verdict's winner: money was spent and nothing was found out."""

GUARDRAILS: Final = (*(metric.name for metric in _METRICS if metric.kind == "guardrail"), JUDGE)
"""What may have a margin: an absolute difference of shares, or of scores from 0 to 1."""
