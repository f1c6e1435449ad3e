"""What models cost: litellm's offline price map, read as a file.

litellm is never imported for it (1.8 s, and it would ask the network for a newer map first): the package
is only located and its 3 MB JSON read, 0.03 s. Load at start, off the event loop.

A price is only ever one the map names for this very model: the name as it is; else
`provider/name` where the map lists `name` for that provider; else `ft:base:…` where it lists `ft:base`.
No nearest match, no dropped date: an unknown model has no price, and the report says so.
"""

from __future__ import annotations

import importlib.util
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from gateway.accounting import Price
from gateway.errors import ConfigError

_FILE: Final = "model_prices_and_context_window_backup.json"
_EXAMPLE: Final = "sample_spec"  # the map's own documentation, not a model
_STEP: Final = re.compile(r"input_cost_per_token_above_(\d+)k_tokens")


class PriceBook:
    """Prices by model name."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._prices: dict[str, Price] | None = None
        self._providers: dict[str, str] = {}

    def load(self) -> None:
        """Read the map now, not at the first question. Raises ConfigError when there is none to read."""
        if self._prices is None:
            models = _read(self._path or find_price_map())
            self._providers = {name: str(model.get("litellm_provider", "")) for name, model in models.items()}
            self._prices = {name: price for name, model in models.items() if (price := read_price(model))}

    def price(self, model: str | None) -> Price | None:
        """The model's price, or None where nobody named one."""
        if model is None:
            return None
        self.load()
        assert self._prices is not None
        return self._prices.get(self._listed_name(model))

    def _listed_name(self, model: str) -> str:
        assert self._prices is not None
        if model in self._prices:
            return model
        if model.startswith("ft:"):
            return ":".join(model.split(":")[:2])
        provider, _, name = model.partition("/")
        return name if self._providers.get(name) == provider else model


def find_price_map(package: str = "litellm") -> Path:
    """The map inside the installed package, found without importing it."""
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / _FILE
        if path.is_file():
            return path
    raise ConfigError(
        f"no price map: {_FILE} was looked for in the package {package}; install it or name a file"
    )


def read_price(model: Mapping[str, Any]) -> Price | None:
    """One entry of the map. Without an input and an output price a token there is no price."""
    base = _tier(model, "", None)
    if base is None:
        return None
    price: Price | None = None
    limit: int | None = None
    for step in sorted(_steps(model), reverse=True):  # the highest step first: each hangs below the next
        tier = _tier(model, f"_above_{step // 1000}k_tokens", base)
        if tier is not None:
            price, limit = _stepped(tier, limit, price), step
    return _stepped(base, limit, price)


def _stepped(price: Price, limit: int | None, above: Price | None) -> Price:
    return Price(price.input, price.cached_input, price.cache_write, price.output, limit, above)


def _steps(model: Mapping[str, Any]) -> list[int]:
    return [int(match[1]) * 1000 for name in model if (match := _STEP.fullmatch(name))]


def _tier(model: Mapping[str, Any], suffix: str, base: Price | None) -> Price | None:
    """Prices whose names end in `suffix`; a tier that names only some takes the others from `base`."""
    input_usd = _usd(model.get(f"input_cost_per_token{suffix}"))
    output_usd = _usd(model.get(f"output_cost_per_token{suffix}"))
    cached = _usd(model.get(f"cache_read_input_token_cost{suffix}"))
    write = _usd(model.get(f"cache_creation_input_token_cost{suffix}"))
    if base is not None:
        output_usd = base.output if output_usd is None else output_usd
        cached = base.cached_input if cached is None and base.cached_input != base.input else cached
        write = base.cache_write if write is None and base.cache_write != base.input else write
    if input_usd is None or output_usd is None:
        return None
    return Price(
        input_usd, input_usd if cached is None else cached, input_usd if write is None else write, output_usd
    )


def _usd(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and value >= 0 else None


def _read(path: Path) -> dict[str, Mapping[str, Any]]:
    try:
        data = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise ConfigError(
            f"price map {path} cannot be read: {error}; install litellm again or name a file"
        ) from error
    if not isinstance(data, dict):
        raise ConfigError(
            f"price map {path} is no JSON object of models; install litellm again or name a file"
        )
    return {name: model for name, model in data.items() if name != _EXAMPLE and isinstance(model, dict)}
