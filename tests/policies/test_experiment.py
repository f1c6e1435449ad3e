from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.experiment import assign, pick, position
from policies.schema import Experiment, Variant


def arms(*weights: float) -> tuple[Variant, ...]:
    return tuple(Variant(name=f"v{index}", weight=weight) for index, weight in enumerate(weights))


# printf 'SALT\037UNIT' | sha256sum, first 16 hex digits
@pytest.mark.parametrize(
    ("salt", "unit", "first_8_bytes"),
    [
        ("rag-2026-11", "user-1", 0x129A170150B6F4D4),
        ("rag-2026-11", "user-2", 0x32A89CE0ADF2D875),
        ("chat", "user-1", 0x33EBCA5264D7B93E),
        ("s", "", 0x074FF679AA577B57),
        ("s", "Zürich 東京", 0x44472A05AC20AD63),
    ],
)
def test_golden_positions(salt: str, unit: str, first_8_bytes: int) -> None:
    assert position(salt, unit) == first_8_bytes / 2**64


@pytest.mark.parametrize(
    ("unit", "variant"),
    [
        ("user-1", "v0"),
        ("user-2", "v0"),
        ("user-3", "v1"),
        ("user-4", "v1"),
        ("user-5", "v0"),
        ("user-6", "v2"),
    ],
)
def test_golden_assignments(unit: str, variant: str) -> None:
    assert assign(Experiment(salt="rag-2026-11", variants=arms(50, 25, 25)), unit).name == variant


@pytest.mark.parametrize(
    ("weights", "u", "variant"),
    [
        ((50, 50), 0.0, "v0"),
        ((50, 50), 0.4999, "v0"),
        ((50, 50), 0.5, "v1"),
        ((50, 50), 1.0, "v1"),
        ((0, 1, 0), 0.0, "v1"),
        ((0, 1, 0), 1.0, "v1"),
        ((1, 0, 1), 0.5, "v2"),
        ((0.1, 0.2, 0.7), 0.29, "v1"),
    ],
)
def test_pick(weights: tuple[float, ...], u: float, variant: str) -> None:
    assert pick(arms(*weights), u).name == variant


def test_any_unit_is_dealt() -> None:
    assert assign(Experiment(salt="s", variants=arms(1)), "\ud800").name == "v0"


@given(st.text(), st.text(alphabet="abc-", min_size=1), st.lists(st.floats(0, 100), min_size=1, max_size=5))
def test_assignment_is_sticky(unit: str, salt: str, weights: list[float]) -> None:
    experiment = Experiment(salt=salt, variants=arms(*weights, 1.0))
    first = assign(experiment, unit)
    assert assign(experiment, unit) == first
    assert first.weight > 0


@given(st.text(), st.floats(1, 99), st.floats(1, 99))
def test_raising_a_weight_never_takes_a_unit_out_of_that_variant(unit: str, low: float, high: float) -> None:
    low, high = sorted((low, high))
    if assign(Experiment(salt="s", variants=arms(low, 100)), unit).name == "v0":
        assert assign(Experiment(salt="s", variants=arms(high, 100)), unit).name == "v0"


@pytest.mark.parametrize("weights", [(50, 50), (90, 10), (1, 1, 1)])
def test_shares_are_the_weights(weights: tuple[float, ...]) -> None:
    n = 20_000
    experiment = Experiment(salt="shares", variants=arms(*weights))
    dealt = [assign(experiment, f"unit-{index}").name for index in range(n)]
    for variant in experiment.variants:
        share = variant.weight / sum(weights)
        # The deal is fixed by the salt, so this either always holds or never: four standard deviations.
        assert abs(dealt.count(variant.name) / n - share) < 4 * math.sqrt(share * (1 - share) / n)
