"""What a request cost, and what compressing it saved (pure).

Cost. Every prompt token is billed once: read from the provider's cache, written to it, or neither.

    cost = cached·p_cached + written·p_write + (prompt − cached − written)·p_input + completion·p_output

Saving. The bill this request would have had with the removed tokens put back, less the bill it had. The
removed tokens are put back in the mix the upstream reported for this very prompt: where 80 % of it was
read from cache, 80 % of them are priced as cache reads. They are never all priced at the full rate when
part of the prompt was cached. Above a model's long-prompt step, each side is priced by its own length.
A compressed prompt that is longer than the original gives a negative saving.

Limits. The mix is an assumption: had the prompt gone out whole, the provider might have cached more or
less of it, and a request whose rewriting spoilt a cached prefix is not charged for that here (an A/B
control arm shows it). Removed tokens are counted by the target model's tokenizer; where that is
approximate, so is the saving. Flex, batch and priority tiers, audio and image tokens are priced as plain
text tokens. Reasoning tokens are part of the completion and not billed twice.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.types import Usage


@dataclass(frozen=True, slots=True)
class Price:
    """USD a token. Where a provider names no cache price, cached tokens cost what others cost."""

    input: float
    cached_input: float
    cache_write: float
    output: float
    above_tokens: int | None = None
    """Prompts longer than this are billed by `above`, all of their tokens."""
    above: Price | None = None

    def at(self, prompt_tokens: float) -> Price:
        """The price that holds for a prompt of this length."""
        if self.above is None or self.above_tokens is None or prompt_tokens <= self.above_tokens:
            return self
        return self.above.at(prompt_tokens)


def cost(usage: Usage, price: Price) -> float:
    """USD billed for one request."""
    return _bill(usage, price, 1.0)


def saved(
    origin_tokens: int | None,
    compressed_tokens: int | None,
    usage: Usage | None,
    price: Price | None,
    *,
    is_applied: bool = True,
) -> float | None:
    """USD saved by forwarding `compressed_tokens` instead of `origin_tokens`; None where it cannot be known.

    `is_applied` False (mode `shadow`): the original was forwarded, so nothing was saved, whatever the price.
    """
    if not is_applied:
        return 0.0
    if origin_tokens is None or compressed_tokens is None or usage is None or price is None:
        return None
    if usage.prompt_tokens == 0:
        return 0.0  # no prompt was billed, so there is no mix to price by
    whole = max(0, usage.prompt_tokens + origin_tokens - compressed_tokens)
    return _bill(usage, price, whole / usage.prompt_tokens) - cost(usage, price)


def _bill(usage: Usage, price: Price, scale: float) -> float:
    """The bill for a prompt `scale` times as long, its cached and written shares unchanged."""
    prompt = usage.prompt_tokens * scale
    cached = usage.cached_tokens * scale
    written = usage.cache_write_tokens * scale
    plain = max(0.0, prompt - cached - written)
    rate = price.at(prompt)
    return (
        cached * rate.cached_input
        + written * rate.cache_write
        + plain * rate.input
        + usage.completion_tokens * rate.output
    )
