"""How providers cache prompts, and what a prompt is expected to find there (pure).

A provider keeps prefixes it has seen of late: whole requests, or up to the marks that the client sets
(`cache_control`). docs/ledger.md lists the parameters with their sources and dates; what a provider does
beyond them (evictions, routing to another machine) nobody outside can know. So what is expected here is held
against what the upstream reports for each request, and scaled by it (`counterfactual.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

HOUR_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class CacheRules:
    """One provider's prompt cache."""

    minimum: int
    """No prefix of fewer tokens is kept."""
    block: int
    """Tokens are read in multiples of this."""
    ttl_s: float
    """How long a prefix is kept after its last use."""
    is_marked: bool = False
    """Prefixes are kept up to the client's marks only."""
    lookback: int = 0
    """Of marked prompts: how many messages before a mark are tried as the end of an older prefix."""
    host: str | None = None
    """Where `minimum` is documented for all models alike; elsewhere, it may be another."""

    def read(self, tokens: int) -> int:
        """What is read of a prefix that is there."""
        return tokens // self.block * self.block if tokens >= self.minimum else 0

    def kept(self, tokens: int) -> int:
        """How much of a prefix up to a mark is kept."""
        return tokens if tokens >= self.minimum else 0


RULES: Final[Mapping[str, CacheRules]] = {
    "openai": CacheRules(minimum=1024, block=128, ttl_s=600, host="api.openai.com"),
    "azure": CacheRules(minimum=1024, block=128, ttl_s=600),
    "anthropic": CacheRules(minimum=1024, block=1, ttl_s=300, is_marked=True, lookback=20),
    "deepseek": CacheRules(minimum=64, block=64, ttl_s=HOUR_S),
    "gemini": CacheRules(minimum=4096, block=1, ttl_s=600),
}
"""By provider, as litellm names it. Of the others nothing is known, and nothing is expected."""

SMALLEST_MINIMUM: Final = 1024
"""Where nothing is known of a provider."""
LARGEST_MINIMUM: Final = 4096
"""The largest minimum any provider documents: what is assumed where none has been observed."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a prompt is expected to find in the provider's cache, and to leave there, in tokens."""

    tokens: int
    read: int = 0
    written: int = 0
    """Of marked prompts; nobody bills others for it."""


def expect(
    rules: CacheRules, cumulative: Sequence[int], seen: int | None, mark: int | None = None
) -> Expected:
    """The expectation for a prompt.

    `cumulative[i]` are the tokens before and in message i, `cumulative[0]` those before the first;
    `cumulative[seen]` ends the longest prefix that the provider has seen of late, `cumulative[mark]` what the
    last mark covers.
    """
    read = 0 if seen is None else rules.read(cumulative[seen])
    kept = 0 if mark is None or not rules.is_marked else rules.kept(cumulative[mark])
    return Expected(cumulative[-1], read, max(0, kept - read))
