"""What models cost, by name, date and tier of service.

The operator's own prices come first (`prices:` in the configuration), then litellm's offline price map, read
as a file: litellm is never imported for it (1.8 s, and it would ask the network for a newer map first), the
package is only located and its 3 MB of JSON read. Load at start, off the event loop.

A price is only ever one that is listed for this very model. The rules, in this order:

1. the operator's price for the name as the request writes it, the latest that has begun;
2. with a provider (an upstream of kind litellm): `provider/name`, then `name` where it is listed for that
   provider;
3. without one: the name as it is;
4. `provider/name` as written where the map lists `name` for that provider;
5. `ft:base:…` where it lists `ft:base`, with or without a provider before it.

No nearest match, no dropped date, no other region: an unknown model has no price, and the report says so.
"""

from __future__ import annotations

import importlib.util
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from gateway.accounting import Price
from gateway.errors import ConfigError
from gateway.price_map import STANDARD, TIERS, Tariff, read_tariff
from gateway.price_settings import PriceConfig, own_tariffs

_FILE: Final = "model_prices_and_context_window_backup.json"
_EXAMPLE: Final = "sample_spec"  # the map's own documentation, not a model
MAX_NAME: Final = 256
"""No model has a longer name; a megabyte of one is not looked for."""

_STANDARD_TIERS: Final = frozenset({STANDARD, "standard", "default", "auto", "on_demand"})
"""What answers call the usual tier."""

_log: Final = logging.getLogger(__name__)


class PriceBook:
    """Prices by model name."""

    def __init__(self, path: Path | None = None, own: Sequence[PriceConfig] = ()) -> None:
        self._path = path
        self._own = own_tariffs(own)
        self._tariffs: dict[str, Tariff] | None = None
        self.problem: str | None = None
        """Why the map's prices are unknown, or None."""

    @property
    def n_holes(self) -> int:
        """Prices in the map that could not be read: they are unknown."""
        return sum(tariff.n_holes for tariff in (self._tariffs or {}).values())

    def load(self) -> None:
        """Read the map now, not at the first question. Raises ConfigError when there is none to read."""
        if self._tariffs is None:
            models = _read(self._path or find_price_map())
            self._tariffs = {name: read_tariff(model) for name, model in models.items()}

    def load_or_say(self) -> None:
        """Read the map; without one every price but the operator's own is unknown, which the log says."""
        try:
            self.load()
        except ConfigError as error:
            self._tariffs, self.problem = {}, str(error)
            _log.error("prices unknown, tokens are counted without money: %s", error)
        if self.n_holes:
            _log.warning("price map: %d prices cannot be read and count as unknown", self.n_holes)

    def price(
        self,
        model: str | None,
        *,
        provider: str | None = None,
        at: float | None = None,
        tier: str | None = None,
    ) -> Price | None:
        """The model's price at a moment (Unix seconds; None: the latest), or None where nobody named one."""
        name = STANDARD if tier is None or tier in _STANDARD_TIERS else tier
        if name not in TIERS:
            return None
        tariff = self.tariff(model, provider=provider, at=at)
        return None if tariff is None else tariff.tiers.get(name)

    def provider(self, model: str | None) -> str | None:
        """Whose model it is, as the map says."""
        if not model or len(model) > MAX_NAME:
            return None
        tariff = self._listed(model, None)
        return None if tariff is None else tariff.provider or None

    def tariff(
        self, model: str | None, *, provider: str | None = None, at: float | None = None
    ) -> Tariff | None:
        """All that is known of the model's prices at a moment."""
        if not model or len(model) > MAX_NAME:
            return None
        for begins_at, tariff in self._own.get(model, ()):
            if at is None or begins_at <= at:
                return tariff
        return self._listed(model, provider)

    def _listed(self, model: str, provider: str | None) -> Tariff | None:
        self.load()
        assert self._tariffs is not None
        for name, listed_for in listed_names(model, provider):
            listed = self._tariffs.get(name)
            if listed is not None and listed_for in (None, listed.provider):
                return listed
        return None


def listed_names(model: str, provider: str | None = None) -> Iterator[tuple[str, str | None]]:
    """Names to look for, in order, each with the provider the map must list it for; None: any."""
    if provider is not None:
        yield f"{provider}/{model}", None
    yield model, provider
    prefix, slash, rest = model.partition("/")
    is_prefixed = bool(slash) and provider in (None, prefix)
    if is_prefixed:
        yield rest, prefix
    bare = rest if is_prefixed else model
    if bare.startswith("ft:"):
        yield ":".join(bare.split(":")[:2]), prefix if is_prefixed else provider


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


def _parse(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return json.loads(raw)  # slower, but a NaN in one place does not cost it all the others


def _read(path: Path) -> dict[str, Mapping[str, Any]]:
    try:
        data = _parse(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"price map {path} cannot be read: {error}; install litellm again or name a file"
        ) from error
    if not isinstance(data, dict):
        raise ConfigError(
            f"price map {path} is no JSON object of models; install litellm again or name a file"
        )
    return {name: model for name, model in data.items() if name != _EXAMPLE and isinstance(model, dict)}
