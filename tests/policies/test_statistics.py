"""What two arms' figures say of their difference: against golden values, plain formulas, and drawn data."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from policies.statistics import (
    ENDLESS,
    Estimate,
    Floats,
    Summary,
    adjusted_difference,
    adjusted_log_ratio,
    benjamini_hochberg,
    difference,
    half_width,
    half_width_one_sided,
    p_value,
    paired_e_value,
    ratio,
    sample_ratio_e_value,
    sample_ratio_p,
    summarise,
    units_anytime,
    units_fixed,
)

Arms = tuple[Floats, Floats]


def drawn(seed: int, lift: float = 0.0, units: int = 2000) -> Arms:
    """Two arms of units (y, n, x): cost grows with the tokens x, conversations differ in length."""
    rng = np.random.default_rng(seed)

    def arm(scale: float) -> Floats:
        n = 1.0 + rng.poisson(2, units)
        x = rng.lognormal(7, 1, units)
        y = scale * n * (x + rng.lognormal(5, 1, units))
        return np.column_stack([y, n, x])

    return arm(1.0), arm(1.0 + lift)


def summaries(arms: Arms) -> tuple[Summary, Summary]:
    return summarise(arms[0]), summarise(arms[1])


def test_a_ratio_is_the_sums_ratio_with_the_delta_methods_error() -> None:
    """By hand: R = 9/4, e = (-0.25, 0.5, -0.25) over y - R n, variance 0.1875 / (3 * (4/3)^2)."""
    arm = summarise(np.array([[2.0, 1, 0], [5.0, 2, 0], [2.0, 1, 0]]))
    found = ratio(arm)
    assert float(found.value) == pytest.approx(2.25)
    assert float(found.error) == pytest.approx(math.sqrt(0.1875 / (3 * (4 / 3) ** 2)))
    assert float(found.units) == 3


def test_with_one_request_a_unit_it_is_the_mean_and_its_standard_error() -> None:
    y = np.random.default_rng(1).normal(10, 3, 500)
    found = ratio(summarise(np.column_stack([y, np.ones(500), np.zeros(500)])))
    assert float(found.value) == pytest.approx(y.mean())
    assert float(found.error) == pytest.approx(float(stats.sem(y)))


def test_the_error_is_what_ratios_of_drawn_units_vary_by() -> None:
    found = [ratio(summaries(drawn(seed, units=400))[0]) for seed in range(400)]
    spread = np.std([float(one.value) for one in found])
    assert spread == pytest.approx(np.mean([float(one.error) for one in found]), rel=0.1)


def test_a_share_without_a_failure_proves_no_more_than_its_units_can() -> None:
    never = summarise(np.column_stack([np.zeros(1000), np.ones(1000), np.zeros(1000)]))
    assert float(ratio(never).error) == 0
    assert float(ratio(never, floor_units=1).error) == pytest.approx(1 / 1000)
    assert float(difference(never, never, floor_units=1).error) == pytest.approx(math.sqrt(2) / 1000)


def test_scores_that_are_all_the_best_prove_no_more_than_the_units_that_gave_one() -> None:
    gave = np.arange(1000) < 100
    best = summarise(np.column_stack([gave, gave, np.zeros(1000)]).astype(float))
    assert float(ratio(best).error) == 0
    assert float(ratio(best, floor_units=1).error) == pytest.approx(1 / 100)
    assert float(difference(best, best, floor_units=1).error) == pytest.approx(math.sqrt(2) / 100)


def test_adjusting_by_nothing_changes_nothing() -> None:
    arms = tuple(np.column_stack([arm[:, :2], np.zeros(len(arm))]) for arm in drawn(3))
    control, arm = summarise(arms[0]), summarise(arms[1])
    plain, adjusted = difference(control, arm), adjusted_difference(control, arm)
    assert float(adjusted.value) == float(plain.value)
    assert float(adjusted.error) == float(plain.error)
    assert float(adjusted.units) == 4000


def test_original_tokens_take_most_of_the_variance_away() -> None:
    control, arm = summaries(drawn(4, lift=-0.1))
    plain, adjusted = difference(control, arm), adjusted_difference(control, arm)
    assert (adjusted.error / plain.error) ** 2 < 0.25


@pytest.mark.parametrize("lift", [-0.3, -0.05, 0.0, 0.2])
def test_a_known_lift_is_recovered(lift: float) -> None:
    """Adjusted or not, absolute or relative: within four errors, and without bias over many draws."""
    found = [summaries(drawn(seed, lift)) for seed in range(60)]
    truth = float(np.exp(7.5) + np.exp(5.5))
    for estimates, expected in (
        ([difference(*one) for one in found], lift * truth),
        ([adjusted_difference(*one) for one in found], lift * truth),
        ([adjusted_log_ratio(*one) for one in found], math.log1p(lift)),
    ):
        z = [float((one.value - expected) / one.error) for one in estimates]
        assert max(map(abs, z)) < 4
        assert abs(np.mean(z)) < 4 / math.sqrt(len(z))
        assert np.std(z) == pytest.approx(1, abs=0.3)


def test_a_ratio_that_is_not_above_zero_has_no_logarithm() -> None:
    control = summarise(np.array([[0.0, 1, 0], [0.0, 1, 0], [0.0, 1, 0]]))
    assert not np.isfinite(adjusted_log_ratio(control, control).value)


def test_no_units_give_no_numbers_and_no_warnings() -> None:
    none, some = summarise(np.empty((0, 3))), summarise(np.ones((3, 3)))
    assert np.isnan(ratio(none).value)
    assert np.isnan(adjusted_difference(none, some).value)


def estimate(value: float, error: float, units: float) -> Estimate:
    return Estimate(np.asarray(value), np.asarray(error), np.asarray(units))


def test_the_intervals_golden_values() -> None:
    """At alpha 5 %, of 10,000 units where 20,000 are planned: worked out from the formulas with 50 digits."""
    one = estimate(-0.3, 0.1, 10_000)
    assert float(half_width(one, 0.05, 20_000)) == pytest.approx(0.30835687, rel=1e-7)
    assert float(half_width_one_sided(one, 0.05, 20_000)) == pytest.approx(0.28396788, rel=1e-7)
    assert float(p_value(one, 0.05, 20_000)) == pytest.approx(0.06125557, rel=1e-7)


@given(
    st.floats(-10, 10),
    st.floats(0.01, 10),
    st.integers(100, 10**6),
    st.sampled_from([0.1, 0.05, 0.01, 0.001]),
)
def test_an_interval_excludes_zero_exactly_where_p_is_below_alpha(
    value: float, error: float, units: int, alpha: float
) -> None:
    one = estimate(value, error, units)
    width, p = float(half_width(one, alpha, 20_000)), float(p_value(one, alpha, 20_000))
    if abs(abs(value) - width) > 1e-9 * width:
        assert (abs(value) > width) == (p < alpha)
    assert 0 <= p <= 1


def test_an_interval_is_tightest_where_planned_and_wider_than_a_single_looks() -> None:
    units = np.array([500.0, 2_000.0, 20_000.0, 200_000.0, 2_000_000.0])
    z = half_width(Estimate(np.zeros(5), np.ones(5), units), 0.05, 20_000)
    assert z.argmin() == 2
    assert z[2] == pytest.approx(3.03, abs=0.01)
    assert (z > 1.96).all()


def test_nothing_seen_to_differ_is_no_difference() -> None:
    assert float(p_value(estimate(0.0, 0.0, 500), 0.05, 1000)) == 1
    assert float(p_value(estimate(0.1, 0.0, 500), 0.05, 1000)) == 0


def test_benjamini_hochberg_golden_values() -> None:
    """The example of the 1995 article: fifteen p-values, four rejected at 5 %."""
    ps = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459]
    ps += [0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0]
    assert benjamini_hochberg(ps, 0.05) == [True] * 4 + [False] * 11
    assert benjamini_hochberg(ps[::-1], 0.05) == [False] * 11 + [True] * 4
    assert benjamini_hochberg([], 0.05) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_benjamini_hochberg_agrees_with_scipys_adjusted_values(ps: list[float]) -> None:
    adjusted = stats.false_discovery_control(ps)
    if min(abs(adjusted - 0.05)) > 1e-12:
        assert benjamini_hochberg(ps, 0.05) == [bool(p <= 0.05) for p in adjusted]


def test_sample_ratio_golden_values() -> None:
    assert sample_ratio_p([5200, 4800], [0.5, 0.5]) == pytest.approx(6.334248e-05, rel=1e-6)
    assert sample_ratio_p([50, 30, 20], [0.5, 0.3, 0.2]) == 1.0
    assert sample_ratio_p([50], [1.0]) == 1.0
    assert sample_ratio_e_value([5, 5], [0.5, 0.5]) == pytest.approx(0.955, abs=0.01)
    assert sample_ratio_e_value([1000, 0], [0.5, 0.5]) > 1e9
    assert sample_ratio_e_value([10**7, 0], [0.5, 0.5]) > 1e300


@given(st.lists(st.integers(0, 5000), min_size=2, max_size=4))
def test_sample_ratio_agrees_with_scipy(seen: list[int]) -> None:
    shares = [1 / len(seen)] * len(seen)
    if sum(seen):
        assert sample_ratio_p(seen, shares) == pytest.approx(stats.chisquare(seen).pvalue, abs=1e-12)


def test_an_e_value_is_one_on_average_where_the_shares_hold() -> None:
    shares = [0.2, 0.8]
    ways = [(k, stats.binom.pmf(k, 30, 0.2)) for k in range(31)]
    mean = sum(chance * sample_ratio_e_value([k, 30 - k], shares) for k, chance in ways)
    assert mean == pytest.approx(1)


def test_paired_e_value() -> None:
    assert paired_e_value(0, 0) == 1
    assert paired_e_value(10, 0) == pytest.approx(2**10 / 11)
    assert paired_e_value(30, 12) == pytest.approx(2**42 * special.beta(31, 13))
    assert paired_e_value(3, 7) == paired_e_value(7, 3)
    ways = [(k, stats.binom.pmf(k, 40, 0.5)) for k in range(41)]
    assert sum(chance * paired_e_value(k, 40 - k) for k, chance in ways) == pytest.approx(1)
    assert paired_e_value(10**6, 0) > 1e300


def test_units_needed() -> None:
    """The textbook's: 16 s² / d² an arm for 80 % at 5 %, here both arms together, four times the variance."""
    assert units_fixed(0.1, 4.0, 0.05, 0.8) == pytest.approx(2 * 15.7 / 0.01, rel=0.01)
    many = units_anytime(0.1, 4.0, 0.05, 0.8, planned=6000)
    assert 1.5 * units_fixed(0.1, 4.0, 0.05, 0.8) < many < 2.5 * units_fixed(0.1, 4.0, 0.05, 0.8)
    assert units_anytime(0.2, 4.0, 0.05, 0.8, planned=6000) < many / 3


@pytest.mark.parametrize("effect", [0.0, -0.1, math.inf, math.nan])
def test_no_number_of_units_finds_no_effect(effect: float) -> None:
    with pytest.raises(ValueError, match="effect"):
        units_fixed(effect, 4.0, 0.05, 0.8)
    with pytest.raises(ValueError, match="effect"):
        units_anytime(effect, 4.0, 0.05, 0.8, planned=6000)


@pytest.mark.parametrize(("effect", "variance"), [(1e-9, 1.0), (1e-6, 1e4), (0.05, math.inf), (0.05, 1e300)])
def test_what_nobody_will_ever_find_is_said_in_no_time(effect: float, variance: float) -> None:
    assert units_anytime(effect, variance, 0.05, 0.8, 3200) >= ENDLESS
