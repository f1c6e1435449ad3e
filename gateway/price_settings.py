"""Prices of the operator's own: `prices:` in the configuration, in USD a million tokens.

Each row says what one model costs from one day on, in one tier of service and above one length of prompt. The
rows of a model that begin on the same day take the place of the price map's for it, all of them together:
what they leave out is unknown, not the map's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from itertools import groupby
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field

from gateway.accounting import Price
from gateway.price_map import STANDARD, Tariff, chained
from policies.params import Count, Frozen, Number

_MILLION: Final = 1e6


def _read_day(value: object) -> object:
    if value is None or isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"value {value!r}: must be a date, e.g. 2026-11-01") from None


UsdPerMillion: TypeAlias = Annotated[Number, Field(ge=0)]


class PriceConfig(Frozen):
    """USD a million tokens."""

    model: str
    """As requests name it."""
    since: Annotated[date | None, BeforeValidator(_read_day)] = Field(default=None, alias="from")
    """The first day, UTC; None: always."""
    tier: Literal["standard", "batch", "flex", "priority"] = "standard"
    """Of service, as answers name it."""
    above_tokens: Annotated[Count, Field(ge=0)] = 0
    """For prompts longer than this."""
    input: UsdPerMillion
    output: UsdPerMillion
    cached_input: UsdPerMillion | None = None
    """Read from the provider's prompt cache."""
    cache_write: UsdPerMillion | None = None
    """Written to it, for five minutes or as long as the provider likes."""
    cache_write_1h: UsdPerMillion | None = None
    """Written to it for an hour."""

    @property
    def begins_at(self) -> float:
        """Unix seconds."""
        if self.since is None:
            return float("-inf")
        return datetime(self.since.year, self.since.month, self.since.day, tzinfo=UTC).timestamp()

    def price(self) -> Price:
        """USD a token."""
        return Price(
            input=self.input / _MILLION,
            cached_input=_a_token(self.cached_input),
            cache_write=_a_token(self.cache_write),
            output=self.output / _MILLION,
            cache_write_1h=_a_token(self.cache_write_1h),
        )


def _a_token(usd: float | None) -> float | None:
    return None if usd is None else usd / _MILLION


def _check(prices: tuple[PriceConfig, ...]) -> tuple[PriceConfig, ...]:
    for (model, _, tier), rows in groupby(sorted(prices, key=_order), key=_set):
        lengths = [row.above_tokens for row in rows]
        if len(set(lengths)) < len(lengths):
            raise ValueError(f"there are two of {model!r}, tier {tier}, from the same day on; keep one")
        if lengths[0] != 0:
            raise ValueError(
                f"{model!r}, tier {tier}, has a price for long prompts only; add one without above_tokens"
            )
    return prices


Prices: TypeAlias = Annotated[tuple[PriceConfig, ...], AfterValidator(_check)]


def own_tariffs(prices: Iterable[PriceConfig]) -> Mapping[str, list[tuple[float, Tariff]]]:
    """For each model its tariffs and when they begin, the latest first."""
    tiers: dict[tuple[str, float], dict[str, Price]] = {}
    for (model, begins_at, tier), group in groupby(sorted(prices, key=_order), key=_set):
        rows = list(group)
        name = STANDARD if tier == "standard" else tier
        price = chained([row.price() for row in rows], [row.above_tokens for row in rows[1:]])
        tiers.setdefault((model, begins_at), {})[name] = price
    found: dict[str, list[tuple[float, Tariff]]] = {}
    for (model, begins_at), named in sorted(tiers.items(), key=lambda item: -item[0][1]):
        found.setdefault(model, []).append((begins_at, Tariff(named)))
    return found


def _set(row: PriceConfig) -> tuple[str, float, str]:
    return row.model, row.begins_at, row.tier


def _order(row: PriceConfig) -> tuple[str, float, str, int]:
    return *_set(row), row.above_tokens
