"""What tokens cost (pure).

Every prompt token is billed once: read from the provider's cache, written to it for five minutes or for an
hour, or neither. A prompt above a model's long-context step is billed by that step, all of its tokens and the
output's. Reasoning tokens are part of the completion and not billed twice; audio and image tokens are priced
as text.

A price that nobody named is unknown (None), never a neighbour's: a bill that would need it is None as well.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.types import Usage


@dataclass(frozen=True, slots=True)
class Price:
    """USD a token, of one model in one tier of service."""

    input: float | None
    cached_input: float | None
    cache_write: float | None
    """Kept for five minutes, or for as long as the provider likes."""
    output: float | None
    above_tokens: int | None = None
    """Prompts longer than this are billed by `above`, all of their tokens."""
    above: Price | None = None
    cache_write_1h: float | None = None

    def at(self, prompt_tokens: float) -> Price:
        """The price that holds for a prompt of this length."""
        if self.above is None or self.above_tokens is None or prompt_tokens <= self.above_tokens:
            return self
        return self.above.at(prompt_tokens)


@dataclass(frozen=True, slots=True)
class Split:
    """The tokens of a request by what they are billed as. Fractions of tokens are fine."""

    fresh: float = 0.0
    cached: float = 0.0
    written: float = 0.0
    written_1h: float = 0.0
    output: float = 0.0

    @property
    def prompt(self) -> float:
        """All but the output."""
        return self.fresh + self.cached + self.written + self.written_1h


def split_of(usage: Usage) -> Split:
    """What the upstream reports, by what it is billed as."""
    written_1h = min(usage.cache_write_1h_tokens, usage.cache_write_tokens)
    return Split(
        fresh=max(0, usage.prompt_tokens - usage.cached_tokens - usage.cache_write_tokens),
        cached=usage.cached_tokens,
        written=usage.cache_write_tokens - written_1h,
        written_1h=written_1h,
        output=usage.completion_tokens,
    )


def bill(split: Split, price: Price) -> float | None:
    """USD for these tokens; None where one of the prices they need is unknown."""
    rate = price.at(split.prompt)
    parts = (
        (split.fresh, rate.input),
        (split.cached, rate.cached_input),
        (split.written, rate.cache_write),
        (split.written_1h, rate.cache_write_1h),
        (split.output, rate.output),
    )
    total = 0.0
    for tokens, usd in parts:
        if tokens:
            if usd is None:
                return None
            total += tokens * usd
    return total


def cost(usage: Usage, price: Price) -> float | None:
    """USD billed for one request."""
    return bill(split_of(usage), price)


def at_most(usage: Usage, price: Price) -> float | None:
    """As `cost`, for budgets, which an unknown price must not open: reads count as fresh, writes as two."""
    rate = price.at(usage.prompt_tokens)
    if rate.input is None:
        return None
    dear = 2 * rate.input
    return bill(
        split_of(usage),
        Price(
            rate.input,
            rate.input if rate.cached_input is None else rate.cached_input,
            dear if rate.cache_write is None else rate.cache_write,
            rate.output,
            cache_write_1h=dear if rate.cache_write_1h is None else rate.cache_write_1h,
        ),
    )
