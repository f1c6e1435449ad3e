"""What is known of the experiments in force, as metrics (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final, TypeAlias, get_args

from gateway import metrics
from gateway.experiments.known import STANDINGS, Census, Known
from gateway.metrics import Key, Labels, Metric, Snapshot
from policies.verdict import State

Sample: TypeAlias = tuple[Metric, Labels, float]

_OPEN: Final = tuple(standing for standing in STANDINGS if standing != "ended")


def snapshot(census: Census | None) -> Snapshot:
    """Nothing before the first reading."""
    counters: dict[Key, float] = {}
    gauges: dict[Key, float] = {}
    for known in census.experiments if census is not None else ():
        for metric, labels, value in _of_one(known) if known.is_open else ():
            (counters if metric.kind == "counter" else gauges)[metric.name, labels] = value
    if census is not None:
        for (name, labels), value in _rollbacks(census):
            counters[name, labels] = value
    return Snapshot(counters, gauges)


def _of_one(known: Known) -> Iterator[Sample]:
    for standing in _OPEN:
        yield metrics.EXPERIMENT_STATE, (known.name, standing), float(standing == known.standing)
    if (verdict := known.verdict) is None:
        return
    for state in get_args(State):
        yield metrics.EXPERIMENT_VERDICT, (known.name, state), float(state == verdict.state)
    for arm in verdict.arms:
        yield metrics.EXPERIMENT_UNITS, (known.name, arm.name), arm.n_units
    is_alarm = verdict.sample_ratio is not None and verdict.sample_ratio.is_alarm
    yield metrics.EXPERIMENT_ALARM, (known.name,), float(is_alarm)


def _rollbacks(census: Census) -> Iterator[tuple[Key, float]]:
    """Of every version of what is in force, so that none is forgotten when a policy changes."""
    names = {known.name for known in census.experiments if known.is_open}
    counts = Counter(
        known.name
        for known in census.experiments
        for change in known.changes
        if known.name in names and change.state == "rolled_back"
    )
    for name in names:
        yield (metrics.ROLLBACKS.name, (name,)), float(counts[name])
