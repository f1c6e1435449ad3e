"""What the same prompt would have cost uncompressed (pure)."""

from __future__ import annotations

from gateway.accounting import Price, Split, bill, cost, split_of
from gateway.types import Usage


def whole_in_the_mix(usage: Usage, added_tokens: float) -> Split:
    """The prompt with the removed tokens put back, in the mix the upstream reported for this very prompt."""
    split = split_of(usage)
    if not split.prompt:
        return split
    scale = max(0.0, split.prompt + added_tokens) / split.prompt
    return Split(
        split.fresh * scale,
        split.cached * scale,
        split.written * scale,
        split.written_1h * scale,
        split.output,
    )


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
    whole = bill(whole_in_the_mix(usage, origin_tokens - compressed_tokens), price)
    billed = cost(usage, price)
    return None if whole is None or billed is None else whole - billed
