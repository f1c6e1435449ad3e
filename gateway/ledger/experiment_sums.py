"""What guardrails need of an experiment's units, summed by the database: no unit is brought into memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from sqlalchemy import ColumnElement, Connection, Double, Label, case, cast, func, literal, select

from gateway.ledger.experiment_tables import units
from policies.outcomes import UNITS, Metric
from policies.schema import Experiment
from policies.statistics import Summary

_MOMENTS: Final = ("y", "n", "yy", "yn", "nn", "with")


@dataclass(frozen=True, slots=True)
class Sums:
    """Of one arm: its units, and the moments of each metric by `_MOMENTS`."""

    n_units: int
    moments: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class SummedFigures:
    """`Figures` of some metrics, without what was known of the units beforehand."""

    experiment: Experiment
    arms: Mapping[str, Sums]

    def n_units(self, arm: str) -> int:
        return self.arms[arm].n_units if arm in self.arms else 0

    def n_with(self, metric: Metric, arm: str) -> int:
        return int(self.arms[arm].moments[metric.name][5]) if arm in self.arms else 0

    def total(self, column: str, arm: str) -> float:
        raise KeyError(f"{column}: only metrics are summed")

    def summary(self, metric: Metric, arm: str) -> Summary:
        units = self.n_units(arm)
        if not units:
            return Summary(np.asarray(0.0), np.full(3, np.nan), np.full((3, 3), np.nan))
        y, n, yy, yn, nn, _ = self.arms[arm].moments[metric.name]
        mean = np.array([y, n, 0.0]) / units
        squares = np.array([[yy, yn, 0.0], [yn, nn, 0.0], [0.0, 0.0, 0.0]])
        covariance = (squares - units * np.outer(mean, mean)) / max(1, units - 1)
        return Summary(np.asarray(float(units)), mean, covariance)


def read_sums(
    connection: Connection, key: tuple[str, str], metrics: Sequence[Metric], since: float = 0.0
) -> dict[str, Sums]:
    """By arm, of the units of (experiment, version) that began at `since` or later."""
    columns = [column for metric in metrics for column in _moments(metric)]
    query = (
        select(units.c.arm, func.count(), *columns)
        .where(units.c.experiment == key[0], units.c.version == key[1], units.c.first_at >= since)
        .group_by(units.c.arm)
    )
    return {row[0]: Sums(row[1], _by_metric(row[2:], metrics)) for row in connection.execute(query)}


def _by_metric(values: Sequence[Any], metrics: Sequence[Metric]) -> dict[str, tuple[float, ...]]:
    size = len(_MOMENTS)
    return {
        metric.name: tuple(float(value) for value in values[size * i : size * (i + 1)])
        for i, metric in enumerate(metrics)
    }


def _moments(metric: Metric) -> list[Label[Any]]:
    y: ColumnElement[Any] = sum(
        (_number(name) for name in metric.numerator[1:]), _number(metric.numerator[0])
    )
    n: ColumnElement[Any] = (
        cast(literal(1.0), Double) if metric.denominator == UNITS else _number(metric.denominator)
    )
    parts = (y, n, y * y, y * n, n * n, case((n != 0, 1.0), else_=0.0))
    return [func.sum(part).label(f"{metric.name}_{name}") for part, name in zip(parts, _MOMENTS, strict=True)]


def _number(column: str) -> ColumnElement[Any]:
    return cast(units.c[column], Double)
