"""What the same conversation would have cost uncompressed (pure).

Tokens. The upstream's usage is the truth about what was sent. The uncompressed prompt had the removed tokens
besides, by the target model's tokenizer; where that is an approximation they are scaled by how far it was off
for what was sent.

Caching. The model of the provider's cache (`prompt_cache.py`) says for both prompts how much would have been
read. The provider read less or more than that of what was sent, for it evicts and routes as it likes; so the
expectation for the uncompressed prompt is scaled by the same factor. Where the model expected nothing of what
was sent, and nothing was read, its expectation for the uncompressed prompt stands: a prompt that compressing
made too short to be cached, or whose prefix it changed, is charged for that. Where the model knows nothing
(lost state, unknown provider) the removed tokens are put back in the mix that was reported.

Neither way are removed tokens priced as fresh while the prompt around them was read from the cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gateway.accounting import Price, Split, bill, cost, split_of
from gateway.prompt_cache import Expected
from gateway.types import Usage

MODELLED: Final = "modelled"
MIX: Final = "mix"

_FARTHEST_OFF: Final = 2.0
"""An approximate tokenizer is corrected up to this factor: what is beyond it has other causes."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt as it came and as it went on, in tokens by our own count."""

    origin: Expected
    sent: Expected
    is_exact: bool
    """The tokenizer is the target model's own."""
    is_modelled: bool = True
    """What is in the provider's cache is known, as far as it can be."""

    @property
    def is_whole(self) -> bool:
        """What came went on, then and now."""
        return self.origin == self.sent


@dataclass(frozen=True, slots=True)
class Settlement:
    """The money of one request. Whatever is None is not known."""

    cost_usd: float | None = None
    counterfactual_usd: float | None = None
    counterfactual_cached_tokens: int | None = None
    counterfactual_basis: str | None = None
    compression_usd: float | None = None
    saved_usd: float | None = None
    token_error: int | None = None
    cached_error: int | None = None


def settle(
    prompt: Prompt | None, usage: Usage | None, price: Price | None, compression_usd: float = 0.0
) -> Settlement:
    """What a request cost, what it would have cost, and how far the counts behind that were off.

    `prompt` is None where nothing was compressed: then nothing was saved either, whatever the price.
    """
    cost_usd = None if price is None or usage is None else cost(usage, price)
    if prompt is None or (prompt.is_whole and usage is None):
        return Settlement(cost_usd, cost_usd, None, None, compression_usd, 0.0 - compression_usd)
    if usage is None:
        return Settlement(compression_usd=compression_usd)
    split, basis = uncompressed(prompt, usage)
    whole_usd = cost_usd if prompt.is_whole or price is None else bill(split, price)
    return Settlement(
        cost_usd=cost_usd,
        counterfactual_usd=whole_usd,
        counterfactual_cached_tokens=round(split.cached),
        counterfactual_basis=basis,
        compression_usd=compression_usd,
        saved_usd=_saved(whole_usd, cost_usd, compression_usd, is_whole=prompt.is_whole),
        token_error=None if usage.estimated else prompt.sent.tokens - usage.prompt_tokens,
        cached_error=prompt.sent.read - usage.cached_tokens if basis == MODELLED else None,
    )


def _saved(
    whole_usd: float | None, cost_usd: float | None, compression_usd: float, *, is_whole: bool
) -> float | None:
    if is_whole:
        return 0.0 - compression_usd
    return None if whole_usd is None or cost_usd is None else whole_usd - cost_usd - compression_usd


def uncompressed(prompt: Prompt, usage: Usage) -> tuple[Split, str]:
    """The tokens of the uncompressed prompt by what they would have been billed as, and how that is known."""
    sent = split_of(usage)
    whole = max(0.0, sent.prompt + _removed(prompt, usage))
    mix = _in_the_mix(sent, whole)
    read, reported = prompt.origin.read, usage.cached_tokens
    if usage.estimated or not prompt.is_modelled:
        return mix, MIX
    if prompt.sent.read:
        read_tokens = min(whole, _scaled(prompt, usage))
    elif reported and not read:
        return mix, MIX
    else:
        read_tokens = min(whole, max(float(read), mix.cached))
    return _split(prompt, usage, whole, read_tokens), MODELLED


def _scaled(prompt: Prompt, usage: Usage) -> float:
    """What would have been read of the uncompressed prompt, by what was read of the other.

    Tokens that we do not count (images, what a provider writes around tools) are the same in both: by so many
    both were more.
    """
    reported = usage.cached_tokens
    uncounted = max(0, usage.prompt_tokens - prompt.sent.tokens) if prompt.is_exact else 0
    alike = min(uncounted, max(0, reported - prompt.sent.read))
    return alike + prompt.origin.read * (reported - alike) / prompt.sent.read


def _removed(prompt: Prompt, usage: Usage) -> float:
    """The tokens that were removed; none where no prompt was billed: nor would they have been."""
    removed = float(prompt.origin.tokens - prompt.sent.tokens) if usage.prompt_tokens else 0.0
    if prompt.is_exact or not prompt.sent.tokens:
        return removed
    factor = usage.prompt_tokens / prompt.sent.tokens
    return removed * min(max(factor, 1 / _FARTHEST_OFF), _FARTHEST_OFF)


def _in_the_mix(sent: Split, whole: float) -> Split:
    """The prompt at another length, its shares unchanged."""
    if not sent.prompt:
        return Split(fresh=whole, output=sent.output)
    scale = whole / sent.prompt
    return Split(
        sent.fresh * scale, sent.cached * scale, sent.written * scale, sent.written_1h * scale, sent.output
    )


def _split(prompt: Prompt, usage: Usage, whole: float, read: float) -> Split:
    """What is not read is written as far as what was sent was, or as the model expects."""
    rest, sent_rest = whole - read, usage.prompt_tokens - usage.cached_tokens
    if prompt.sent.written:
        written = prompt.origin.written * usage.cache_write_tokens / prompt.sent.written
    elif usage.cache_write_tokens and sent_rest:
        written = rest * usage.cache_write_tokens / sent_rest
    else:
        written = float(prompt.origin.written)
    written = min(written, rest)
    hourly = usage.cache_write_1h_tokens / usage.cache_write_tokens if usage.cache_write_tokens else 0.0
    return Split(
        fresh=rest - written,
        cached=read,
        written=written * (1 - hourly),
        written_1h=written * hourly,
        output=usage.completion_tokens,
    )
