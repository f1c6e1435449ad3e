"""Shares with their 95 % intervals, by bootstrap over texts.

A text is drawn whole, with all its questions: answers of one text are not independent. All methods share the
draws, so their differences are paired.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

N_DRAWS = 1000
SEED = 20261120
FEWEST_TEXTS = 5
_PERCENTILES = (2.5, 97.5)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share or a difference, and the ends of its interval."""

    value: float
    low: float
    high: float


def draws(n_texts: int, n_draws: int = N_DRAWS, seed: int = SEED) -> Floats:
    """How often each text is in each draw, shape [n_draws, n_texts]; no draw of too few texts."""
    if n_texts < FEWEST_TEXTS:
        return np.zeros((0, n_texts))
    return (
        np.random.default_rng(seed).multinomial(n_texts, np.full(n_texts, 1 / n_texts), n_draws).astype(float)
    )


def shares(drawn: Floats, hits: Floats, totals: Floats) -> tuple[Floats, Floats]:
    """The share of each column, shape [k], and in each draw, shape [n_draws, k]; NaN where there is nothing.

    `hits` and `totals` have the shape [n_texts, k].
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return hits.sum(axis=0) / totals.sum(axis=0), (drawn @ hits) / (drawn @ totals)


def estimate(value: float, sampled: Floats) -> Estimate:
    """The value with the interval of its draws; of NaN where no draw has one."""
    known = sampled[~np.isnan(sampled)]
    if not len(known):
        return Estimate(value, math.nan, math.nan)
    low, high = np.percentile(known, _PERCENTILES)
    return Estimate(value, float(low), float(high))


def worst_decile(hits: Floats, totals: Floats, *, is_loss: bool = False) -> float:
    """The mean share of the tenth of the texts that fare worst, at least one; NaN where no text has any."""
    some = totals > 0
    if not some.any():
        return float("nan")
    ordered = np.sort(hits[some] / totals[some])
    n = -(-len(ordered) // 10)
    return float((ordered[-n:] if is_loss else ordered[:n]).mean())
