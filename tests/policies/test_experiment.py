from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.experiment import assign, deal, pick, position
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


# printf 'SALT/share\\037UNIT' | sha256sum, and SALT/holdout
@pytest.mark.parametrize(
    ("salt", "unit", "first_8_bytes"),
    [
        ("rag-2026-11/share", "user-1", 0x65AE2C3D2451D699),
        ("rag-2026-11/holdout", "user-1", 0xC8B7B729FF10BAF7),
    ],
)
def test_golden_positions_of_shares(salt: str, unit: str, first_8_bytes: int) -> None:
    assert position(salt, unit) == first_8_bytes / 2**64


def experiment(share: float = 1.0, holdout: float = 0.0, **more: object) -> Experiment:
    said = {"salt": "s", "share": share, "holdout": holdout, "variants": arms(1, 1), **more}
    return Experiment.model_validate(said)


UNITS = [f"unit-{n}" for n in range(4_000)]


def test_more_units_are_taken_in_and_none_changes_its_arm() -> None:
    few = {unit: deal(experiment(0.1, 0.05), unit).arm for unit in UNITS}
    many = {unit: deal(experiment(0.6, 0.05), unit).arm for unit in UNITS}
    everybody = {unit: deal(experiment(1.0, 0.05), unit).arm for unit in UNITS}
    assert None not in everybody.values()
    for fewer, more in ((few, many), (many, everybody)):
        assert {unit: arm for unit, arm in fewer.items() if arm} == {
            unit: more[unit] for unit, arm in fewer.items() if arm
        }
        assert sum(map(bool, fewer.values())) < sum(map(bool, more.values()))


def test_shares_are_those_of_the_units_and_fall_on_all_arms_alike() -> None:
    dealt = Counter(deal(experiment(0.5, 0.2), unit).arm for unit in UNITS)
    n = len(UNITS)  # the deal is fixed by the salt: this either always holds or never
    assert abs(dealt[None] / n - 0.5) < 4 * math.sqrt(0.25 / n)
    assert abs(dealt["holdout"] / n - 0.1) < 4 * math.sqrt(0.09 / n)
    assert abs(dealt["v0"] / n - 0.2) < 4 * math.sqrt(0.16 / n)
    assert abs(dealt["v1"] / n - 0.2) < 4 * math.sqrt(0.16 / n)


def test_what_was_dealt_is_explained() -> None:
    assert deal(experiment(0.0), "u").why.endswith("is not below its share 0")
    held_out = deal(experiment(holdout=0.999), "u")
    assert (held_out.arm, held_out.variant) == ("holdout", None)
    assert held_out.why.startswith("held out: 0.")
    assert deal(experiment(), "u").why == "unit falls at 0.4965 in [0, 1]: variant 'v0'"
