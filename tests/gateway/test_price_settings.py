"""`prices:` of the configuration: a million tokens' USD to a token's, and the day they begin."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.accounting import Price
from gateway.config import load
from gateway.errors import ConfigError
from gateway.price_map import STANDARD
from gateway.price_settings import PriceConfig, own_tariffs


def read(folder: Path, *prices: dict[str, Any]) -> tuple[PriceConfig, ...]:
    file = folder / "pith.yaml"
    file.write_text(json.dumps({"prices": prices}))
    return load(file, {}, {}).prices


def test_usd_a_million_tokens(tmp_path: Path) -> None:
    day = {"model": "in-house", "from": "2026-11-01"}
    prices = read(
        tmp_path,
        {**day, "input": 2.0, "output": 8.0, "cached_input": 0.5, "cache_write": 2.5, "cache_write_1h": 4.0},
        {**day, "above_tokens": 200_000, "input": 4.0, "output": 16.0},
        {**day, "tier": "batch", "input": 1.0, "output": 4.0},
        {"model": "in-house", "input": 9.0, "output": 9.0},
    )
    [(begins_at, tariff), (before, older)] = own_tariffs(prices)["in-house"]
    assert (begins_at, before) == (1_793_491_200.0, float("-inf"))
    long = Price(4e-6, None, None, 16e-6)
    assert tariff.tiers == {
        STANDARD: Price(2e-6, 0.5e-6, 2.5e-6, 8e-6, 200_000, long, 4e-6),
        "batch": Price(1e-6, None, None, 4e-6),
    }
    assert older.tiers == {STANDARD: Price(9e-6, None, None, 9e-6)}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("input", -1.0),
        ("input", "2"),
        ("output", None),
        ("cached_input", True),
        ("from", "soon"),
        ("tier", "scale"),
        ("above_tokens", -1),
        ("inptu", 1.0),
    ],
)
def test_what_is_no_price_is_named(tmp_path: Path, key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=rf"prices\[0\].*{key}"):
        read(tmp_path, {"model": "m", "input": 1.0, "output": 1.0, key: value})


def test_two_prices_of_one_thing_are_refused(tmp_path: Path) -> None:
    row = {"model": "m", "input": 1.0, "output": 1.0}
    with pytest.raises(ConfigError, match="two of 'm'"):
        read(tmp_path, row, row)
    with pytest.raises(ConfigError, match="long prompts only"):
        read(tmp_path, {**row, "above_tokens": 5})
