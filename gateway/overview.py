"""What the dashboard is about, as values: which entries of the ledger, their sums, single ones; no text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

DIMENSIONS: Final = ("policy", "route", "model", "team", "variant", "mode", "skip", "key_id", "day")
"""What the dashboard groups and filters by; each is a column of the ledger."""

NO_GROUP: Final = "(none)"
"""Stands for entries without a value."""

MAX_GROUPS: Final = 200
"""Most rows of one table: a client chooses its models' names, and may invent one a request."""

RECENT: Final = 20_000
"""Of so many latest requests what is known that no sum is kept of."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which entries: since when (Unix seconds), and those of one group."""

    since: float | None = None
    dimension: str | None = None
    value: str | None = None
    """NO_GROUP for entries without a value."""


@dataclass(frozen=True, slots=True)
class Sums:
    """What the entries of one group come to."""

    group: str = ""
    requests: int = 0
    origin_tokens: int = 0
    """Of requests that were answered (status below 400), like `compressed_tokens`."""
    compressed_tokens: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    """Of those, read from the provider's cache."""
    cost_usd: float = 0.0
    saved_usd: float = 0.0
    negative: int = 0
    """Requests that cost more than they would have uncompressed."""
    unpriced: int = 0
    turns: int = 0
    """Requests of conversations. This and all that follows is of the latest RECENT requests of all groups."""
    conversations: int = 0
    lookups: int = 0
    """Requests whose texts wanted scores, or whose answer might have been on record."""
    hits: int = 0
    """Of those, the ones for which our cache had everything."""
    added_ms: float = 0.0
    timed: int = 0
    """Requests of which the added time is known."""

    @property
    def removed_tokens(self) -> int:
        """Negative where a text got longer by another tokenizer's count."""
        return self.origin_tokens - self.compressed_tokens


@dataclass(frozen=True, slots=True)
class Listed:
    """One request of a list."""

    id: str
    created_at: float
    model: str | None
    policy: str | None
    skip: str | None
    status: int
    origin_tokens: int | None
    compressed_tokens: int | None
    cost_usd: float | None
    saved_usd: float | None
    added_ms: float | None


@dataclass(frozen=True, slots=True)
class Turns:
    """Answered requests and conversations under policies, where they are applied (mode `on`) and where they
    are not (`shadow`, `off`): of the latest RECENT requests."""

    applied: int = 0
    applied_conversations: int = 0
    untouched: int = 0
    untouched_conversations: int = 0

    @property
    def untouched_mean(self) -> float | None:
        """Requests a conversation where nothing is applied; None where there is none."""
        return self.untouched / self.untouched_conversations if self.untouched_conversations else None

    @property
    def inflation(self) -> float | None:
        """By how much conversations are longer where policies are applied, as a share; None: not known."""
        if not self.applied_conversations or self.untouched_mean is None:
            return None
        return self.applied / self.applied_conversations / self.untouched_mean - 1


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything one view of the dashboard shows."""

    groups: Sequence[Sums] = ()
    """By requests, most first, at most MAX_GROUPS; days in order."""
    days: Sequence[Sums] = ()
    skips: Sequence[Sums] = ()
    total: Sums = Sums()
    turns: Turns = Turns()
    negative: Sequence[Listed] = ()
    """The worst savings, worst first."""
    latest: Sequence[Listed] = ()
