"""What has been observed that the benefit of compressing depends on, in this process (no I/O).

For each model the least that its provider has been seen to read from its cache: until then the largest
minimum that any provider documents is assumed. For each policy how many requests go on with a conversation:
at first `TURNS`, as if that had been seen `CONVERSATIONS` times.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from gateway.accounting import Price
from gateway.benefit import Outlook
from gateway.prices import MAX_NAME
from gateway.prompt_cache import LARGEST_MINIMUM, SMALLEST_MINIMUM, CacheRules
from gateway.types import Usage

TURNS: Final = 20.0
CONVERSATIONS: Final = 5
FORGET_AFTER: Final = 2000
"""Conversations; then older ones count half."""
MAX_NAMES: Final = 1000
"""Of models, which clients choose; what is beyond them is assumed, not observed."""


@dataclass(slots=True)
class _Turns:
    begun: float = CONVERSATIONS
    continued: float = CONVERSATIONS * TURNS

    def count(self, *, is_continued: bool) -> None:
        if is_continued:
            self.continued += 1
            return
        self.begun += 1
        if self.begun > FORGET_AFTER:
            self.begun, self.continued = self.begun / 2, self.continued / 2


@dataclass(slots=True)
class Outlooks:
    """The observations."""

    _minima: dict[tuple[str, str], int] = field(default_factory=dict)
    _turns: dict[str, _Turns] = field(default_factory=dict)

    def observe(self, key: tuple[str, str], usage: Usage) -> None:
        """What an upstream reports for a prompt to a model."""
        read = usage.cached_tokens
        if read <= 0 or usage.estimated or len(key[1]) > MAX_NAME:
            return
        if key not in self._minima and len(self._minima) >= MAX_NAMES:
            return
        self._minima[key] = min(read, self._minima.get(key, LARGEST_MINIMUM))

    def count(self, policy: str, *, is_continued: bool) -> None:
        """A request that goes on with a conversation, or begins one."""
        self._turns.setdefault(policy, _Turns()).count(is_continued=is_continued)

    def outlook(
        self,
        key: tuple[str, str],
        policy: str,
        price: Price | None,
        rules: CacheRules | None,
        host: str | None = None,
    ) -> Outlook | None:
        """What is to be expected of an upstream's model; None where the prices are not known.

        `host` is where the upstream is: at its own place, a provider's minimum is the documented one.
        """
        if price is None or price.input is None or price.cached_input is None:
            return None
        turns = self._turns.get(policy) or _Turns()
        first = price.cache_write if rules is not None and rules.is_marked else None
        return Outlook(
            fresh_usd=price.input,
            first_usd=price.input if first is None else first,
            read_usd=price.cached_input,
            smallest_minimum=SMALLEST_MINIMUM if rules is None else rules.minimum,
            largest_minimum=self._minima.get(key, _assumed(rules, host)),
            turns=turns.continued / turns.begun,
        )


def _assumed(rules: CacheRules | None, host: str | None) -> int:
    is_at_home = rules is not None and rules.host is not None and rules.host == host
    return rules.minimum if rules is not None and is_at_home else LARGEST_MINIMUM
