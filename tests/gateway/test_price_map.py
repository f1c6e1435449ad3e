"""One entry of the price map: tiers, steps and ranges, and what is no price."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.accounting import Price
from gateway.price_map import STANDARD, read_tariff


def standard(entry: dict[str, Any]) -> Price | None:
    return read_tariff(entry).tiers.get(STANDARD)


def test_what_is_not_named_is_unknown() -> None:
    entry = {"input_cost_per_token": 2e-6, "output_cost_per_token": 8e-6, "litellm_provider": "acme"}
    assert read_tariff(entry).tiers == {STANDARD: Price(2e-6, None, None, 8e-6)}
    assert read_tariff(entry).provider == "acme"


def test_all_prices_of_all_tiers() -> None:
    entry = {
        "input_cost_per_token": 3e-6,
        "output_cost_per_token": 15e-6,
        "cache_read_input_token_cost": 0.3e-6,
        "cache_creation_input_token_cost": 3.75e-6,
        "cache_creation_input_token_cost_above_1hr": 6e-6,
        "input_cost_per_token_batches": 1.5e-6,
        "output_cost_per_token_batches": 7.5e-6,
        "input_cost_per_token_priority": 6e-6,
        "output_cost_per_token_priority": 30e-6,
        "input_cost_per_token_flex": 1.5e-6,  # an input price alone is no tier
    }
    assert read_tariff(entry).tiers == {
        STANDARD: Price(3e-6, 0.3e-6, 3.75e-6, 15e-6, cache_write_1h=6e-6),
        "batch": Price(1.5e-6, None, None, 7.5e-6),
        "priority": Price(6e-6, None, None, 30e-6),
    }


def test_steps_hang_above_each_other_and_keep_what_they_do_not_name() -> None:
    entry = {
        "input_cost_per_token": 1.0,
        "output_cost_per_token": 4.0,
        "cache_read_input_token_cost": 0.1,
        "input_cost_per_token_above_100k_tokens": 2.0,
        "cache_read_input_token_cost_above_100k_tokens": 0.2,
        "output_cost_per_token_above_100k_tokens": 6.0,
        "input_cost_per_token_above_200k_tokens": 3.0,
        "input_cost_per_token_above_200k_tokens_batches": 1.5,
        "input_cost_per_token_above_300k_tokens": None,
    }
    price = standard(entry)
    assert price is not None
    assert (price.at(100_000).input, price.at(100_001).input, price.at(200_001).input) == (1.0, 2.0, 3.0)
    assert price.at(150_000) == Price(2.0, 0.2, None, 6.0, 200_000, price.at(10**6))
    assert price.at(10**6) == Price(3.0, 0.1, None, 4.0)


def test_steps_of_a_tier_and_of_the_hour() -> None:
    entry = {
        "input_cost_per_token": 1.0,
        "output_cost_per_token": 4.0,
        "cache_creation_input_token_cost_above_1hr": 2.0,
        "input_cost_per_token_above_200k_tokens": 2.0,
        "cache_creation_input_token_cost_above_1hr_above_200k_tokens": 5.0,
        "input_cost_per_token_batches": 0.5,
        "output_cost_per_token_batches": 2.0,
        "input_cost_per_token_above_200k_tokens_batches": 1.0,
    }
    tiers = read_tariff(entry).tiers
    assert (tiers[STANDARD].at(1).cache_write_1h, tiers[STANDARD].at(10**6).cache_write_1h) == (2.0, 5.0)
    assert (tiers["batch"].at(1).input, tiers["batch"].at(10**6).input) == (0.5, 1.0)


@pytest.mark.parametrize("value", ["1e-6", -1e-6, True, float("nan"), float("inf"), [], {}, 10**310])
def test_a_hole_is_unknown_and_counted(value: object) -> None:
    entry = {"input_cost_per_token": 1.0, "output_cost_per_token": 4.0, "cache_read_input_token_cost": value}
    tariff = read_tariff(entry)
    assert tariff.tiers[STANDARD] == Price(1.0, None, None, 4.0)
    assert tariff.n_holes == 1
    assert read_tariff({"input_cost_per_token": value, "output_cost_per_token": 1.0}).tiers == {}
    assert read_tariff({"input_cost_per_token": 1.0, "output_cost_per_token": value}).tiers == {}


def test_a_hole_in_a_step_leaves_long_prompts_without_a_price_not_with_the_short_ones() -> None:
    entry = {
        "input_cost_per_token": 1.0,
        "output_cost_per_token": 4.0,
        "input_cost_per_token_above_200k_tokens": "2.0",
    }
    price = standard(entry)
    assert price is not None
    assert (price.at(200_000).input, price.at(200_001).input) == (1.0, None)


def test_free_is_a_price() -> None:
    free = {"input_cost_per_token": 0, "output_cost_per_token": 0}
    assert standard(free) == Price(0.0, None, None, 0.0)


def test_prices_by_range_are_steps() -> None:
    ranges = [
        {"range": [32_000, 1_000_000.0], "input_cost_per_token": 2.0, "output_cost_per_token": 8.0},
        {"range": [0, 32_000], "input_cost_per_token": 1.0, "output_cost_per_token": 4.0},
    ]
    assert standard({"tiered_pricing": ranges}) == Price(
        1.0, None, None, 4.0, 32_000, Price(2.0, None, None, 8.0)
    )


@pytest.mark.parametrize(
    "ranges",
    [
        None,
        "text",
        [],
        [{"range": [5, 10], "input_cost_per_token": 1.0, "output_cost_per_token": 1.0}],
        [{"range": [0], "input_cost_per_token": 1.0, "output_cost_per_token": 1.0}],
        [{"range": ["0", 9], "input_cost_per_token": 1.0, "output_cost_per_token": 1.0}],
        [{"range": [0, 10], "input_cost_per_token": -1.0, "output_cost_per_token": 1.0}],
        ["text"],
        [
            {"range": [0, 10], "input_cost_per_token": 1.0, "output_cost_per_token": 1.0},
            {"range": [20, 30], "input_cost_per_token": 1.0, "output_cost_per_token": 1.0},
        ],
    ],
)
def test_ranges_that_are_none_give_no_price(ranges: object) -> None:
    assert read_tariff({"tiered_pricing": ranges}).tiers == {}
