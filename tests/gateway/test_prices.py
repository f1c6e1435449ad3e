"""The price map: read as a file, names taken exactly, no guesses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.accounting import Price
from gateway.errors import ConfigError
from gateway.prices import PriceBook, find_price_map, read_price

MAP: dict[str, Any] = {
    "sample_spec": {"input_cost_per_token": 0.0, "output_cost_per_token": 0.0},
    "plain": {"input_cost_per_token": 2e-6, "output_cost_per_token": 8e-6, "litellm_provider": "acme"},
    "plain-2026-01-02": {
        "input_cost_per_token": 1e-6,
        "output_cost_per_token": 4e-6,
        "litellm_provider": "acme",
    },
    "other/plain": {"input_cost_per_token": 9e-6, "output_cost_per_token": 9e-6, "litellm_provider": "other"},
    "ft:plain": {"input_cost_per_token": 3e-6, "output_cost_per_token": 9e-6, "litellm_provider": "acme"},
    "image": {"output_cost_per_image": 0.04},
    "broken": "not an object",
}


@pytest.fixture
def book(tmp_path: Path) -> PriceBook:
    path = tmp_path / "map.json"
    path.write_bytes(orjson.dumps(MAP))
    return PriceBook(path)


@pytest.mark.parametrize(
    ("model", "input_usd"),
    [
        ("plain", 2e-6),
        ("plain-2026-01-02", 1e-6),
        ("acme/plain", 2e-6),  # the map lists `plain` for acme
        ("other/plain", 9e-6),  # as it is, before anything is stripped
        ("ft:plain:my-org::abc", 3e-6),
    ],
)
def test_known_names(book: PriceBook, model: str, input_usd: float) -> None:
    price = book.price(model)
    assert price is not None
    assert price.input == input_usd


@pytest.mark.parametrize(
    "model",
    [
        None,
        "",
        "Plain",
        "plain-2027-01-01",  # no dropping of dates
        "gmi/plain",  # listed for acme, not for gmi
        "acme/other/plain",
        "ft:unknown:my-org",
        "sample_spec",
        "image",
        "broken",
    ],
)
def test_unknown_names_have_no_price(book: PriceBook, model: str | None) -> None:
    assert book.price(model) is None


def test_cache_prices_default_to_the_input_price() -> None:
    assert read_price({"input_cost_per_token": 2e-6, "output_cost_per_token": 8e-6}) == Price(
        2e-6, 2e-6, 2e-6, 8e-6
    )


def test_all_four_prices() -> None:
    entry = {
        "input_cost_per_token": 3e-6,
        "output_cost_per_token": 15e-6,
        "cache_read_input_token_cost": 0.3e-6,
        "cache_creation_input_token_cost": 3.75e-6,
    }
    assert read_price(entry) == Price(3e-6, 0.3e-6, 3.75e-6, 15e-6)


def test_steps_hang_below_each_other_and_inherit_what_they_do_not_name() -> None:
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
    price = read_price(entry)
    assert price is not None
    assert (price.at(100_000).input, price.at(100_001).input, price.at(200_001).input) == (1.0, 2.0, 3.0)
    assert price.at(150_000) == Price(2.0, 0.2, 2.0, 6.0, 200_000, price.at(10**6))
    assert price.at(10**6) == Price(3.0, 0.1, 3.0, 4.0)


@pytest.mark.parametrize("value", [None, "1e-6", -1e-6, True, float("nan"), float("inf")])
def test_odd_numbers_are_no_price(value: object) -> None:
    assert read_price({"input_cost_per_token": value, "output_cost_per_token": 1e-6}) is None
    assert read_price({"input_cost_per_token": 1e-6, "output_cost_per_token": value}) is None


def test_free_is_a_price() -> None:
    assert read_price({"input_cost_per_token": 0, "output_cost_per_token": 0}) == Price(0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("content", [b"not json", b"[]"])
def test_unreadable_map_names_the_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "map.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"map\.json"):
        PriceBook(path=path).load()


def test_missing_map_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.json"):
        PriceBook(path=tmp_path / "nowhere.json").load()


def test_the_installed_map_prices_known_models() -> None:
    book = PriceBook()
    price = book.price("gpt-4o")
    assert price is not None
    assert 0 < price.cached_input < price.input < price.output
    assert book.price("openai/gpt-4o") == price
    assert book.price("no-such-model") is None


def test_finding_and_reading_does_not_import_litellm() -> None:
    code = (
        "import sys; from gateway.prices import PriceBook; "
        "assert PriceBook().price('gpt-4o'); assert 'litellm' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("package", ["no_such_package", "click"])
def test_a_package_without_a_map_is_named(package: str) -> None:
    with pytest.raises(ConfigError, match=package):
        find_price_map(package)
