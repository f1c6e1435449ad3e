"""Experiments run over again with the same units: dealt by other salts, looked at again and again.

The arithmetic is that of `policies/statistics.py`, which takes histories of looks as it takes single ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from policies.experiment import position
from policies.outcomes import FIRST, UNITS, Metric, Outcomes
from policies.readings import SAMPLE_RATIO_E, SAMPLE_RATIO_P
from policies.schema import Experiment
from policies.statistics import (
    Floats,
    Summary,
    adjusted_difference,
    difference,
    half_width,
    half_width_one_sided,
    sample_ratio_e_value,
    sample_ratio_p,
)
from policies.strictness import arm_alpha, breach_alpha, planned_units

Flags = NDArray[np.bool_]

_AT_ONCE = 25
"""Replays: all at once would take gigabytes."""


def dealt(units: Sequence[str], salts: Sequence[str]) -> Flags:
    """(salts, units): whether the unit falls to the second of two equal arms."""
    return np.array([[position(salt, unit) >= 0.5 for unit in units] for salt in salts])


def columns_of(outcomes: Outcomes, metric: Metric) -> Floats:
    """(units, 3): numerator, denominator, original tokens at first sight."""
    given = outcomes.columns
    n = np.ones(len(outcomes.arm)) if metric.denominator == UNITS else given[metric.denominator]
    return np.column_stack([sum(given[name] for name in metric.numerator), n, given[FIRST]])


def looks_at(n_units: int, n_looks: int) -> NDArray[np.intp]:
    """After how many units it is looked, the last time after all."""
    return np.unique(np.linspace(n_units / n_looks, n_units, n_looks).astype(np.intp))


def history(columns: Floats, taken: Flags, looks: NDArray[np.intp]) -> Summary:
    """What `summarise` gives of the `taken` (replays, units) among the units up to each look: (replays,
    looks).
    """
    scale = np.where((spread := columns.std(axis=0)) > 0, spread, 1.0)
    centre = columns.mean(axis=0)
    z = (columns - centre) / scale  # or the sums of squares would cancel
    products = [z[:, i] * z[:, j] for i in range(3) for j in range(3)]
    parts = np.column_stack([np.ones(len(z)), z, *products])[: looks[-1]]
    edges = np.concatenate([[0], looks[:-1]])
    sums = np.add.reduceat(taken[..., : looks[-1], None] * parts, edges, axis=-2).cumsum(axis=-2)
    units = sums[..., 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = sums[..., 1:4] / units[..., None]
        outer = mean[..., :, None] * mean[..., None, :]
        squares = sums[..., 4:].reshape(*units.shape, 3, 3)
        covariance = (squares - outer * units[..., None, None]) / (units - 1)[..., None, None]
    return Summary(units, mean * scale + centre, covariance * np.outer(scale, scale))


def told_apart(
    outcomes: Outcomes, metric: Metric, treated: Flags, design: Experiment, looks: NDArray[np.intp]
) -> Flags:
    """(replays, looks): whether the metric's interval leaves 0."""

    def excludes_zero(control: Summary, arm: Summary) -> Flags:
        estimate = adjusted_difference(control, arm)
        told: Flags = abs(estimate.value) > half_width(estimate, arm_alpha(design), planned_units(design))
        return told

    return _looked(excludes_zero, columns_of(outcomes, metric), treated, design, looks)


def harmful(
    outcomes: Outcomes, metric: Metric, treated: Flags, design: Experiment, looks: NDArray[np.intp]
) -> Flags:
    """(replays, looks): whether the guardrail is breached."""

    def does_harm(control: Summary, arm: Summary) -> Flags:
        estimate = difference(control, arm, floor_units=1)
        width = half_width_one_sided(estimate, breach_alpha(design), planned_units(design))
        told: Flags = estimate.value > width
        return told

    return _looked(does_harm, columns_of(outcomes, metric), treated, design, looks)


def peeked(
    outcomes: Outcomes, metric: Metric, treated: Flags, design: Experiment, looks: NDArray[np.intp]
) -> Flags:
    """(replays, looks): whether a plain 95 % interval leaves 0, which holds for a single look."""

    def excludes_zero(control: Summary, arm: Summary) -> Flags:
        estimate = adjusted_difference(control, arm)
        told: Flags = abs(estimate.value) > 1.96 * estimate.error
        return told

    return _looked(excludes_zero, columns_of(outcomes, metric), treated, design, looks)


def first_look(found: Flags, looks: NDArray[np.intp]) -> list[int]:
    """(replays, looks) → after how many units, of the replays in which it was found."""
    return [int(looks[one.argmax()]) for one in found if one.any()]


def ever_misdealt(treated: Flags, looks: NDArray[np.intp]) -> tuple[Flags, Flags]:
    """(replays,) each: whether the sample ratio raised an alarm at the last look by chi-square, and ever by
    the e-value."""
    arm = np.add.reduceat(treated, np.concatenate([[0], looks[:-1]]), axis=1).cumsum(axis=1)
    p = [sample_ratio_p([int(looks[-1] - seen), int(seen)], [0.5, 0.5]) for seen in arm[:, -1]]
    ever = [
        any(
            sample_ratio_e_value([int(n - seen), int(seen)], [0.5, 0.5]) >= SAMPLE_RATIO_E
            for n, seen in zip(looks, one, strict=True)
        )
        for one in arm
    ]
    return np.array(p) < SAMPLE_RATIO_P, np.array(ever)


def _looked(
    ask: Callable[[Summary, Summary], Flags],
    columns: Floats,
    treated: Flags,
    design: Experiment,
    looks: NDArray[np.intp],
) -> Flags:
    """Where both arms have the least units."""
    found = []
    for start in range(0, len(treated), _AT_ONCE):
        arms = treated[start : start + _AT_ONCE]
        control, arm = history(columns, ~arms, looks), history(columns, arms, looks)
        found.append(ask(control, arm) & (np.minimum(control.units, arm.units) >= design.plan.min_units))
    return np.concatenate(found)
