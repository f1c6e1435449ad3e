"""Nothing is found where there is nothing, however often one looks; what is there is found. On made-up units;
tests/e2e/test_experiments.py has recorded ones, and `python -m tests.bench_experiments` the figures."""

from __future__ import annotations

import numpy as np
import pytest

from policies.outcomes import METRICS
from policies.statistics import summarise
from tests.experiment_replays import (
    columns_of,
    dealt,
    ever_misdealt,
    first_look,
    harmful,
    history,
    looks_at,
    peeked,
    told_apart,
)
from tests.policies.made_outcomes import experiment, outcomes

DESIGN = experiment()
UNITS = 2_000
REPLAYS = 200
LOOKS = looks_at(UNITS, 50)
MADE = outcomes(UNITS, errors={"control": 0.02, "half": 0.02})
COST = METRICS["billed_cost"]


@pytest.fixture(scope="module")
def treated() -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return dealt([str(i) for i in range(UNITS)], [f"salt {i}" for i in range(REPLAYS)])


def test_a_history_is_a_summary_at_each_look() -> None:
    columns, taken = columns_of(MADE, COST), MADE.arm == 1
    found = history(columns, taken[None], LOOKS[:10])
    for i, n_units in enumerate(LOOKS[:10]):
        one = summarise(columns[:n_units][taken[:n_units]])
        assert found.units[0, i] == one.units
        assert found.mean[0, i] == pytest.approx(one.mean)
        assert found.covariance[0, i] == pytest.approx(one.covariance)


def test_salts_deal_halves() -> None:
    shares = dealt([str(i) for i in range(1_000)], [f"salt {i}" for i in range(100)]).mean(axis=1)
    assert shares.mean() == pytest.approx(0.5, abs=0.01)
    assert 0.01 < shares.std() < 0.025


@pytest.mark.parametrize("metric", ["billed_cost", "output_tokens", "turns"])
def test_arms_that_do_not_differ_are_told_apart_at_most_as_often_as_planned(
    metric: str, treated: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
) -> None:
    found = told_apart(MADE, METRICS[metric], treated, DESIGN, LOOKS)
    assert found.any(axis=1).mean() <= DESIGN.plan.alpha


def test_whoever_peeks_at_a_plain_interval_is_wrong_far_more_often(
    treated: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
) -> None:
    assert peeked(MADE, COST, treated, DESIGN, LOOKS).any(axis=1).mean() > 3 * DESIGN.plan.alpha


def test_guardrails_that_nothing_breaches_are_breached_at_most_once_in_a_hundred(
    treated: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
) -> None:
    rails = [METRICS[name] for name in DESIGN.guardrails if name != "judge"]
    harms = [harmful(MADE, rail, treated, DESIGN, LOOKS).any(axis=1) for rail in rails]
    assert np.logical_or.reduce(harms).mean() <= 0.01


def test_the_sample_ratio_raises_no_false_alarm(
    treated: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
) -> None:
    chi2, e_value = ever_misdealt(treated, LOOKS)
    assert chi2.mean() <= 0.01
    assert not e_value.any()
    lost = treated.copy()
    lost[:, ::10] = False  # of the arm a tenth goes missing into the other
    chi2, e_value = ever_misdealt(lost, LOOKS)
    assert chi2.mean() > 0.8


def test_harm_is_found_soon() -> None:
    found = []
    for seed in range(40):
        made = outcomes(UNITS, seed, errors={"control": 0.02, "half": 0.1})
        found.append(harmful(made, METRICS["errors"], made.arm[None] == 1, DESIGN, LOOKS))
    units = first_look(np.concatenate(found), LOOKS)
    assert len(units) == 40
    assert np.median(units) < 800
