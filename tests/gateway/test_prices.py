"""The price map: read as a file, names taken exactly, no guesses."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.accounting import Price
from gateway.errors import ConfigError
from gateway.price_settings import PriceConfig
from gateway.prices import PriceBook, find_price_map

MAP: dict[str, Any] = {
    "sample_spec": {"input_cost_per_token": 0.0, "output_cost_per_token": 0.0},
    "plain": {
        "input_cost_per_token": 2e-6,
        "output_cost_per_token": 8e-6,
        "input_cost_per_token_batches": 1e-6,
        "output_cost_per_token_batches": 4e-6,
        "litellm_provider": "acme",
    },
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


@pytest.mark.parametrize(
    ("model", "provider", "input_usd"),
    [
        ("plain", "acme", 2e-6),
        ("plain", "other", 9e-6),  # the provider's own listing comes first
        ("acme/plain", "acme", 2e-6),
        ("ft:plain:org::id", "acme", 3e-6),
        ("acme/ft:plain:org::id", None, 3e-6),
        ("acme/ft:plain:org::id", "acme", 3e-6),
        ("plain", "third", None),  # somebody else's price is not its own
        ("acme/plain", "third", None),
        ("ft:plain:org::id", "third", None),
    ],
)
def test_names_at_a_provider(
    book: PriceBook, model: str, provider: str | None, input_usd: float | None
) -> None:
    price = book.price(model, provider=provider)
    assert (price and price.input) == input_usd


@pytest.mark.parametrize("tier", [None, "", "default", "standard", "auto", "on_demand"])
def test_the_usual_tier_has_several_names(book: PriceBook, tier: str | None) -> None:
    assert book.price("plain", tier=tier) == Price(2e-6, None, None, 8e-6)


def test_other_tiers_are_priced_where_they_are_listed(book: PriceBook) -> None:
    assert book.price("plain", tier="batch") == Price(1e-6, None, None, 4e-6)
    assert book.price("plain", tier="flex") is None
    assert book.price("plain", tier="a tier of tomorrow") is None


def test_the_operators_prices_come_first_from_their_day_on(tmp_path: Path) -> None:
    path = tmp_path / "map.json"
    path.write_bytes(orjson.dumps(MAP))
    own = [
        PriceConfig.model_validate({"model": "plain", "input": 10.0, "output": 20.0, "from": "2026-06-01"}),
        PriceConfig.model_validate({"model": "plain", "input": 5.0, "output": 20.0, "from": "2026-01-01"}),
        PriceConfig(model="mine", input=1.0, output=1.0),
    ]
    book = PriceBook(path, own)
    days = [datetime(2026, month, 15, tzinfo=UTC).timestamp() for month in (2, 7)]
    old = datetime(2025, 12, 31, tzinfo=UTC).timestamp()

    def input_usd(model: str, at: float | None) -> float | None:
        price = book.price(model, at=at)
        return price.input if price else None

    assert [input_usd("plain", at) for at in (old, *days, None)] == [2e-6, 5e-6, 10e-6, 10e-6]
    assert input_usd("mine", old) == 1e-6
    assert book.price("mine", tier="batch") is None


def test_a_name_of_a_megabyte_is_not_looked_for(book: PriceBook) -> None:
    assert book.price("acme/" * 200_000) is None
    assert book.price("<script>alert(1)</script>") is None


def test_a_map_with_a_nan_keeps_its_other_prices(tmp_path: Path) -> None:
    path = tmp_path / "map.json"
    path.write_text(
        '{"holed": {"input_cost_per_token": NaN, "output_cost_per_token": 1},'
        ' "whole": {"input_cost_per_token": 1, "output_cost_per_token": 1}}'
    )
    book = PriceBook(path)
    assert (book.price("holed"), book.price("whole")) == (None, Price(1.0, None, None, 1.0))
    assert book.n_holes == 1


def test_without_a_map_there_are_still_ones_own(tmp_path: Path) -> None:
    own = [PriceConfig(model="mine", input=1.0, output=1.0)]
    book = PriceBook(tmp_path / "nowhere.json", own)
    book.load_or_say()
    assert book.problem is not None
    assert "nowhere.json" in book.problem
    assert (book.price("plain"), book.price("mine")) == (None, Price(1e-6, None, None, 1e-6))


def test_holes_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "map.json"
    path.write_bytes(orjson.dumps({"holed": {**MAP["plain"], "cache_read_input_token_cost": "cheap"}}))
    book = PriceBook(path)
    book.load_or_say()
    assert book.problem is None
    assert "1 prices cannot be read" in caplog.text


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
    assert None not in (price.cached_input, price.input, price.output)
    assert 0 < (price.cached_input or 0) < (price.input or 0) < (price.output or 0)
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
