"""What another policy would have saved, summed by policy and model (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.accounting import Price, bill, cost
from gateway.counterfactual import Prompt, uncompressed
from gateway.prompt_cache import Expected
from gateway.types import Usage

NONE: Final = "(none)"


@dataclass(frozen=True, slots=True)
class Money:
    """Of one request, in USD."""

    uncompressed_usd: float
    sent_usd: float
    """Billed for what was sent."""
    would_usd: float
    """What would have been, for what the other policy sends."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """One request under the other policy."""

    policy: str | None
    """That the other file decides on."""
    model: str | None
    origin_tokens: int
    sent_tokens: int
    would_tokens: int
    skip: str | None
    """Why the other policy would have compressed nothing."""
    money: Money | None
    """None where usage or price is unknown."""


@dataclass(frozen=True, slots=True)
class Prompts:
    """One prompt three times, as its provider's cache is expected to meet it."""

    origin: Expected
    sent: Expected
    would: Expected
    is_exact: bool
    is_modelled: bool


def priced(prompts: Prompts, usage: Usage, price: Price) -> Money | None:
    """By the provider's usage of what was sent, and the model of its cache for the other two prompts.

    As the ledger does it for the uncompressed prompt; the answer is taken to be as long.
    """
    sent = cost(usage, price)
    whole = _usd(prompts, prompts.origin, usage, price)
    would = _usd(prompts, prompts.would, usage, price)
    return None if sent is None or whole is None or would is None else Money(whole, sent, would)


def _usd(prompts: Prompts, other: Expected, usage: Usage, price: Price) -> float | None:
    if other == prompts.sent:
        return cost(usage, price)
    prompt = Prompt(other, prompts.sent, prompts.is_exact, prompts.is_modelled)
    return bill(uncompressed(prompt, usage)[0], price)


@dataclass(slots=True)
class Sums:
    """Of the requests of one group."""

    policy: str
    model: str
    requests: int = 0
    priced_requests: int = 0
    origin_tokens: int = 0
    sent_tokens: int = 0
    would_tokens: int = 0
    uncompressed_usd: float = 0.0
    sent_usd: float = 0.0
    would_usd: float = 0.0
    skips: Counter[str] = field(default_factory=Counter)

    def add(self, one: Replayed) -> None:
        """Count one request."""
        self.requests += 1
        self.origin_tokens += one.origin_tokens
        self.sent_tokens += one.sent_tokens
        self.would_tokens += one.would_tokens
        if one.skip is not None:
            self.skips[one.skip] += 1
        if one.money is not None:
            self.priced_requests += 1
            self.uncompressed_usd += one.money.uncompressed_usd
            self.sent_usd += one.money.sent_usd
            self.would_usd += one.money.would_usd

    def plus(self, other: Sums) -> Sums:
        """Both together, under this one's names."""
        return Sums(
            self.policy,
            self.model,
            self.requests + other.requests,
            self.priced_requests + other.priced_requests,
            self.origin_tokens + other.origin_tokens,
            self.sent_tokens + other.sent_tokens,
            self.would_tokens + other.would_tokens,
            self.uncompressed_usd + other.uncompressed_usd,
            self.sent_usd + other.sent_usd,
            self.would_usd + other.would_usd,
            self.skips + other.skips,
        )

    def as_json(self) -> dict[str, Any]:
        """With what follows from the sums."""
        return {
            "policy": self.policy,
            "model": self.model,
            "requests": self.requests,
            "priced_requests": self.priced_requests,
            "origin_tokens": self.origin_tokens,
            "sent_tokens": self.sent_tokens,
            "would_send_tokens": self.would_tokens,
            "uncompressed_usd": self.uncompressed_usd,
            "cost_usd": self.sent_usd,
            "would_cost_usd": self.would_usd,
            "saved_usd": self.uncompressed_usd - self.sent_usd,
            "would_save_usd": self.uncompressed_usd - self.would_usd,
            "skips": dict(self.skips.most_common()),
        }


class Tally:
    """Sums by policy and model."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str], Sums] = {}

    def add(self, one: Replayed) -> None:
        """Count one request."""
        key = (one.policy or NONE, one.model or NONE)
        self._groups.setdefault(key, Sums(*key)).add(one)

    @property
    def rows(self) -> list[Sums]:
        """The groups, those with the most requests first."""
        return sorted(self._groups.values(), key=lambda row: (-row.requests, row.policy, row.model))


def total(rows: Iterable[Sums]) -> Sums:
    """All of them."""
    found = Sums("total", "")
    for row in rows:
        found = found.plus(row)
    return found
