"""What mirrored requests and their judge may cost, and what they do cost (pure).

They are counted as what keys use is (`access/counters.py`): by all replicas together where there is a Redis.
Without one, each of a machine's workers has its share of the limits. What is under way at once may go over.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.accounting import Price, at_most, cost
from gateway.types import Usage
from gateway.usage import estimated_usage
from policies.design import Mirror


@dataclass(frozen=True, slots=True)
class Allowance:
    """Of one experiment, in this process; counted like a key's."""

    id: str
    requests_per_minute: int | None
    usd_per_day: float | None
    tokens_per_minute: int | None = None
    usd_per_month: float | None = None


def allowance(experiment: str, mirror: Mirror, n_sharing: int) -> Allowance:
    """What one of `n_sharing` processes that count apart may use. No key has a name like it."""
    per_minute = max(1, mirror.per_minute // n_sharing)
    return Allowance(f"mirror/{experiment}", per_minute, mirror.max_usd_per_day / n_sharing)


def is_priced(price: Price | None) -> bool:
    """Whether it is known what an answer costs."""
    return price is not None and price.input is not None and price.output is not None


def billed(usage: Usage | None, price: Price, n_asked: int, n_answered: int) -> float:
    """What a request cost; where nobody says, what as many characters would have at most."""
    used = usage or estimated_usage(-(-n_asked // 3), n_answered)
    known = cost(used, price)
    return (at_most(used, price) or 0.0) if known is None else known
