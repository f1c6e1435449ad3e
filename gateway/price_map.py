"""litellm's offline price map: one of its entries to what a model costs (pure).

Names in the map are `<thing>_cost_per_token`, then the long-context step, then the tier of service, as in
`input_cost_per_token_above_200k_tokens_batches`. Some models have `tiered_pricing` instead: prices by range
of prompt length.

What is there and is no price (text, negative, infinite, not a number) is a hole: that price is unknown, and
it is counted. A step that is silent about a price keeps the one below it, as providers' own tables do; a tier
that is silent about one does not have it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Final

from gateway.accounting import Price

STANDARD: Final = ""
TIERS: Final[Mapping[str, str]] = {
    STANDARD: "",
    "batch": "_batches",
    "flex": "_flex",
    "priority": "_priority",
}
"""Tiers of service, and how the map's names of their prices end."""

_STEP: Final = re.compile(r"input_cost_per_token_above_(\d{1,6})k_tokens(?:_[a-z]+)?")
_HOUR: Final = "cache_creation_input_token_cost_above_1hr"
_FIELDS: Final = {
    "input": "input_cost_per_token",
    "cached_input": "cache_read_input_token_cost",
    "cache_write": "cache_creation_input_token_cost",
    "cache_write_1h": _HOUR,
    "output": "output_cost_per_token",
}
_MISSING: Final = object()


@dataclass(frozen=True, slots=True)
class Tariff:
    """What one model costs, by tier of service; a tier that is not there has no known price."""

    tiers: Mapping[str, Price] = field(default_factory=dict)
    provider: str = ""
    """As the map names it."""
    n_holes: int = 0
    """Prices that are there and cannot be read."""


def read_tariff(model: Mapping[str, Any]) -> Tariff:
    """One entry of the map."""
    reader = _Reader(model)
    tiers = {name: price for name, ending in TIERS.items() if (price := reader.tier(ending)) is not None}
    if not tiers and (price := _read_ranges(model.get("tiered_pricing"))) is not None:
        tiers = {STANDARD: price}
    return Tariff(tiers, str(model.get("litellm_provider", "")), len(reader.holes))


class _Reader:
    """Reads the prices of one entry, and remembers which could not be read."""

    def __init__(self, model: Mapping[str, Any]) -> None:
        self._model = model
        self._steps = sorted({int(match[1]) for name in model if (match := _STEP.fullmatch(name))})
        self.holes: set[str] = set()

    def tier(self, ending: str) -> Price | None:
        """The price in a tier, its long-context steps below each other; None without input and output."""
        base = self._price("", ending, None)
        if base is None:
            return None
        rates, limits = [base], []
        for step in self._steps:
            above = self._price(f"_above_{step}k_tokens", ending, base)
            if above is not None:
                rates.append(above)
                limits.append(step * 1000)
        return chained(rates, limits)

    def _price(self, step: str, ending: str, base: Price | None) -> Price | None:
        found = {name: self._usd(start + step + ending) for name, start in _FIELDS.items()}
        if found["input"] is _MISSING:
            return None
        usd = {
            name: (None if base is None else getattr(base, name)) if value is _MISSING else value
            for name, value in found.items()
        }
        is_base = base is None
        return None if is_base and (usd["input"] is None or usd["output"] is None) else Price(**usd)

    def _usd(self, key: str) -> Any:
        value = self._model.get(key)
        if value is None:
            return _MISSING
        if (usd := read_usd(value)) is None:
            self.holes.add(key)
        return usd


def read_usd(value: object) -> float | None:
    """A price as the map writes one; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        usd = float(value)
    except OverflowError:  # a whole number of more than 308 digits
        return None
    return usd if math.isfinite(usd) and usd >= 0 else None


def chained(rates: list[Price], limits: list[int]) -> Price:
    """Prices of ever longer prompts as one: each hangs above the one before, beyond its limit."""
    price = rates[-1]
    for rate, limit in zip(reversed(rates[:-1]), reversed(limits), strict=True):
        price = replace(rate, above_tokens=limit, above=price)
    return price


def _read_ranges(ranges: object) -> Price | None:
    """`tiered_pricing`: ranges from 0 upwards without gaps, all with readable prices, or nothing."""
    rows = sorted(_rows(ranges), key=lambda row: row[0]) if isinstance(ranges, list) else []
    if not rows or len(rows) != len(ranges) or rows[0][0] != 0:  # type: ignore[arg-type]  # a list by then
        return None
    if any(before[1] != after[0] for before, after in pairwise(rows)):
        return None
    return chained([row[2] for row in rows], [int(row[1]) for row in rows[:-1]])


def _rows(ranges: list[Any]) -> Iterator[tuple[float, float, Price]]:
    for row in ranges:
        if not isinstance(row, Mapping) or not isinstance(row.get("range"), list) or len(row["range"]) != 2:
            continue
        bounds = [read_usd(bound) for bound in row["range"]]
        price = _Reader({name: row.get(name) for name in _FIELDS.values()}).tier("")
        if price is not None and bounds[0] is not None and bounds[1] is not None:
            yield bounds[0], bounds[1], price
