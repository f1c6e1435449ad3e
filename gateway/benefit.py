"""Whether compressing pays, for the texts of a request that are seen for the first time (pure).

Compressing saves the price of the removed tokens now, and of reading them from the provider's cache on every
later turn. It loses where the prompt, once it is shorter, is no longer kept in that cache: then each later
turn pays the fresh price for all that is left, instead of the price of a read for the whole. Nobody knows the
provider's minimum for sure, so the worst one is assumed that is possible by what has been observed.

    net = removed · p_first − turns · max(0, sent · p_fresh − whole · p_read)

Where that is below zero, texts are left whole from the first one on, only as many as it takes: a prompt that
is long enough to be kept either way loses nothing by losing words. From then on every text is compressed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.prompt_cache import LARGEST_MINIMUM


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is expected of a conversation, for its model and its provider's cache. Prices are USD a token."""

    fresh_usd: float
    first_usd: float
    """What a token costs when it is sent first: more than fresh where providers bill for keeping it."""
    read_usd: float
    smallest_minimum: int
    """No prompt of fewer tokens is kept."""
    largest_minimum: int
    """Any prompt of so many is."""
    turns: float
    """How many requests are expected to repeat this one's prompt."""


@dataclass(frozen=True, slots=True)
class Size:
    """Tokens of a text, or of several, as they came and as they go on."""

    origin_tokens: int
    sent_tokens: int

    @property
    def removed(self) -> int:
        return self.origin_tokens - self.sent_tokens


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many of the texts are left whole, from the first one on."""

    n_whole: int
    is_close: bool
    """It may look different later: when the prompt has grown, or to a process that has observed less."""


def judge(outlook: Outlook, decided: Size, texts: Sequence[Size]) -> Verdict:
    """What becomes of texts that would be compressed, beside those of which it is decided already."""
    origin = decided.origin_tokens + sum(text.origin_tokens for text in texts)
    sent = decided.sent_tokens + sum(text.sent_tokens for text in texts)
    removed = sum(text.removed for text in texts)
    is_close = sent < LARGEST_MINIMUM  # whatever has been observed here: other replicas may not have seen it
    for n_whole, text in enumerate(texts):
        if net_usd(outlook, removed, Size(origin, sent)) >= 0:
            return Verdict(n_whole, is_close)
        sent += text.removed
        removed -= text.removed
    return Verdict(len(texts), is_close)


def net_usd(outlook: Outlook, removed: int, prompt: Size) -> float:
    """The predicted net saving of a prompt of which so many tokens have been removed now."""
    gain = removed * outlook.first_usd
    is_kept_anyway = prompt.sent_tokens >= outlook.largest_minimum
    is_never_kept = prompt.origin_tokens < outlook.smallest_minimum
    if is_kept_anyway or is_never_kept:
        return gain
    loss = prompt.sent_tokens * outlook.fresh_usd - prompt.origin_tokens * outlook.read_usd
    return gain - outlook.turns * max(0.0, loss)
