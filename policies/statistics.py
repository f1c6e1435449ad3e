"""What the figures of two arms say of their difference. Pure: NumPy, and scipy where it is called.

Units are independent, the requests of one unit are not: so everything is computed over units. An arm's units
are a matrix of three columns: numerator y (the outcome, summed over the unit), denominator n (its requests,
or 1) and covariate x (known before the unit was dealt, or 0). All that is needed of them are count, means and
covariances (`Summary`), whose leading axes broadcast: one reading has none, a history of looks has one.

Intervals are anytime-valid: the chance that they ever miss the truth, at whichever look, is at most alpha. So
a figure may be looked at as often as one likes, and acted on at once. They are asymptotic, hence not for
fewer than about a hundred units an arm, and `planned`, the units at which they are tightest, must not be
chosen after a look.

Sources: Deng, Knoblich & Lu, "Applying the Delta Method in Metric Analytics", KDD 2018; Deng, Xu, Kohavi &
Walker, "Improving the Sensitivity of Online Controlled Experiments by Utilizing Pre-Experiment Data", WSDM
2013; Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas, "Time-uniform central limit theory and asymptotic
confidence sequences", Annals of Statistics 52(6), 2024; Lindon & Malek, "Anytime-Valid Inference for
Multinomial Count Data", NeurIPS 2022; Benjamini & Hochberg, JRSS B 57(1), 1995; Wang & Ramdas, "False
discovery rate control with e-values", JRSS B 84(3), 2022.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

ENDLESS = 1e15
"""Units that nobody has; of more than nine times as many, floats do not tell neighbours apart."""

_DIRICHLET = 100.0
"""How sure the sample-ratio e-value is of the weights beforehand, in units."""


@dataclass(frozen=True, slots=True)
class Summary:
    """An arm's units: how many (...), the means of y, n and x (..., 3), their covariances (..., 3, 3)."""

    units: Floats
    mean: Floats
    covariance: Floats


@dataclass(frozen=True, slots=True)
class Estimate:
    """Values, their standard errors, and of how many units: all of shape (...)."""

    value: Floats
    error: Floats
    units: Floats


def summarise(columns: Floats) -> Summary:
    """Of units (units, 3). Two units at least; without, variances are not a number."""
    units = np.float64(len(columns))
    mean = columns.mean(axis=0) if len(columns) else np.full(3, np.nan)
    centred = columns - mean
    with np.errstate(divide="ignore", invalid="ignore"):
        return Summary(np.asarray(units), mean, centred.T @ centred / np.maximum(units - 1, 0))


def ratio(arm: Summary, *, floor_units: int = 0) -> Estimate:
    """y over n, with the delta method's error, on the scale of y over n.

    `floor_units` adds to the variance as many units at the far end: for shares and scores from 0 to 1, whose
    variance is 0 as long as all were alike, which proves nothing (3 in n can hide behind none in n). Where
    few units have a denominator at all, one of those that do.
    """
    value, weights = _linear(arm)
    variance = _variance(arm, weights)
    with np.errstate(divide="ignore", invalid="ignore"):
        far = np.maximum(value, 1 - value) / np.minimum(arm.mean[..., 1], 1.0)
        variance = variance + floor_units * (far / arm.units) ** 2
    return Estimate(value, np.sqrt(variance), arm.units)


def difference(control: Summary, arm: Summary, *, floor_units: int = 0) -> Estimate:
    """The arm's ratio less control's, not adjusted: what is said of shares."""
    one, other = ratio(control, floor_units=floor_units), ratio(arm, floor_units=floor_units)
    return Estimate(other.value - one.value, np.hypot(one.error, other.error), control.units + arm.units)


def adjusted_difference(control: Summary, arm: Summary) -> Estimate:
    """The same adjusted by CUPED: each arm's ratio less theta times what its mean of x lies above the
    other's.

    Each arm is linearised about its own ratio, L = (y - R n) / mean n; theta = cov(L, x) / var(x), pooled
    within the arms. Unbiased as long as x is not touched by the treatment. Where x never varies nothing is
    adjusted.
    """
    one, other = _adjusted(control, arm)
    return Estimate(other.value - one.value, np.hypot(one.error, other.error), one.units + other.units)


def adjusted_log_ratio(control: Summary, arm: Summary) -> Estimate:
    """ln of the arm's adjusted ratio over control's; not a number where one of them is not above 0."""
    one, other = _adjusted(control, arm)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.log(other.value) - np.log(one.value)
        error = np.hypot(one.error / one.value, other.error / other.value)
    return Estimate(value, error, one.units + other.units)


def half_width(estimate: Estimate, alpha: float, planned: float) -> Floats:
    """Of the two-sided interval about the value, valid at every look. In the value's unit."""
    n = estimate.units * _tuning(alpha, planned)
    return estimate.error * np.sqrt(2 * (n + 1) / n * np.log(np.sqrt(n + 1) / alpha))


def half_width_one_sided(estimate: Estimate, alpha: float, planned: float) -> Floats:
    """To the bound on one side. Both bounds together hold at twice alpha."""
    n = estimate.units * _tuning(2 * alpha, planned)
    return estimate.error * np.sqrt(2 * (n + 1) / n * np.log1p(np.sqrt(n + 1) / (2 * alpha)))


def p_value(estimate: Estimate, alpha: float, planned: float) -> Floats:
    """At most q with a chance of at most q where there is no difference, at whichever look: 1 over the
    e-value.

    Below `alpha` exactly where the two-sided interval excludes 0.
    """
    n = estimate.units * _tuning(alpha, planned)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(estimate.value == 0, 0.0, estimate.value / estimate.error)
    log_e = n * z * z / (2 * (n + 1)) - np.log(n + 1) / 2
    return np.exp(-np.maximum(log_e, 0.0))


def benjamini_hochberg(ps: Sequence[float], alpha: float) -> list[bool]:
    """Which hypotheses are rejected, so that of the rejected a share of alpha at most is expected to be
    false.

    On anytime-valid p-values this is the e-BH procedure, which holds whatever their dependence.
    """
    order = sorted(range(len(ps)), key=ps.__getitem__)
    last = max((rank for rank, i in enumerate(order, 1) if ps[i] <= alpha * rank / len(ps)), default=0)
    rejected = set(order[:last])
    return [i in rejected for i in range(len(ps))]


def sample_ratio_p(units: Sequence[int], shares: Sequence[float]) -> float:
    """Pearson's chi-square test that units fall to the arms by these shares; for one reading."""
    from scipy.special import chdtrc

    n = sum(units)
    statistic = sum((seen - n * share) ** 2 / (n * share) for seen, share in zip(units, shares, strict=True))
    return float(chdtrc(len(units) - 1, statistic)) if len(units) > 1 else 1.0


def sample_ratio_e_value(units: Sequence[int], shares: Sequence[float]) -> float:
    """The same as an e-value, at every look: it reaches E with a chance of at most 1 / E while the shares
    hold.
    """
    n = sum(units)
    log_e = math.lgamma(_DIRICHLET) - math.lgamma(_DIRICHLET + n)
    for seen, share in zip(units, shares, strict=True):
        prior = _DIRICHLET * share
        log_e += math.lgamma(prior + seen) - math.lgamma(prior) - seen * math.log(share)
    return math.exp(min(log_e, 700.0))  # above it is infinity to a float


def paired_e_value(n_one: int, n_other: int) -> float:
    """That of n pairs judged blind each side is preferred as often: 2^n B(n_one + 1, n_other + 1), ties left
    out.

    Exact, at every look, for independent pairs.
    """
    n = n_one + n_other
    log_e = n * math.log(2) + math.lgamma(n_one + 1) + math.lgamma(n_other + 1) - math.lgamma(n + 2)
    return math.exp(min(log_e, 700.0))


def units_fixed(effect: float, variance: float, alpha: float, power: float) -> float:
    """How many units find `effect` in a single look, where `variance` / units is the squared error of the
    estimate.

    For two arms of equal size and standard deviation s of each, `variance` is 4 s²: s²/(units/2), twice.
    """
    from scipy.special import ndtri

    return float(variance * ((ndtri(1 - alpha / 2) + ndtri(power)) / _found(effect)) ** 2)


def units_anytime(effect: float, variance: float, alpha: float, power: float, planned: float) -> float:
    """The same where every look counts: as many as have the interval clear 0 at the last look with that
    power. At least ENDLESS where it takes more.
    """
    from scipy.special import ndtri

    low, high = 1.0, 1.0

    def is_enough(units: float) -> bool:
        error = math.sqrt(variance / units)
        estimate = Estimate(np.asarray(0.0), np.asarray(error), np.asarray(units))
        return _found(effect) >= float(half_width(estimate, alpha, planned)) + float(ndtri(power)) * error

    while not is_enough(high):
        if high >= ENDLESS:
            return high
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) / 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


def _found(effect: float) -> float:
    if not 0 < effect < math.inf:
        raise ValueError(f"effect {effect!r}: no number of units finds it; give a size above 0")
    return effect


def _tuning(alpha: float, planned: float) -> float:
    """rho squared: makes the interval tightest at that many units."""
    return float((-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / planned)


def _linear(arm: Summary) -> tuple[Floats, Floats]:
    """The ratio, and the weights (..., 3) of y, n and x whose sum varies as it does, to first order."""
    y, n = arm.mean[..., 0], arm.mean[..., 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        value = y / n
        return value, np.stack([1 / n, -value / n, np.zeros_like(value)], axis=-1)


def _variance(arm: Summary, weights: Floats) -> Floats:
    """Of the mean of the weighted columns; rounding makes none negative."""
    spread = np.einsum("...i,...ij,...j->...", weights, arm.covariance, weights)
    variance: Floats = np.maximum(spread, 0.0) / arm.units
    return variance


def _adjusted(control: Summary, arm: Summary) -> tuple[Estimate, Estimate]:
    """Both ratios at the mean of x over both arms."""
    arms = [(one, *_linear(one)) for one in (control, arm)]
    shared = sum(
        (one.units - 1) * np.einsum("...i,...i->...", w, one.covariance[..., 2]) for one, _, w in arms
    )
    spread = sum((one.units - 1) * one.covariance[..., 2, 2] for one, *_ in arms)
    with np.errstate(divide="ignore", invalid="ignore"):
        theta = np.where(spread > 0, shared / spread, 0.0)
    units = control.units + arm.units
    middle = sum(one.units * one.mean[..., 2] for one, *_ in arms) / units
    weigh = np.array([0.0, 0.0, 1.0])
    one, other = (
        Estimate(
            value - theta * (summary.mean[..., 2] - middle),
            np.sqrt(_variance(summary, weights - theta[..., None] * weigh)),
            summary.units,
        )
        for summary, value, weights in arms
    )
    return one, other
