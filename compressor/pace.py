"""How long work will take, from how long recent batches took: seconds = per batch + per token.

Where all batches were of one size the two cannot be told apart, and the time is put down to the batch: an
estimate that is too low is corrected by the batch it lets in, one that is too high would keep that batch from
being seen.
"""

from __future__ import annotations

from dataclasses import dataclass

_DECAY = 0.9
"""What a batch's weight is multiplied by with each later one: about the last ten count."""


@dataclass(slots=True)
class Pace:
    """Decayed sums of a least-squares line through (tokens, seconds) of batches."""

    weight: float = 0.0
    tokens: float = 0.0
    seconds: float = 0.0
    tokens_squared: float = 0.0
    tokens_seconds: float = 0.0

    def record(self, n_tokens: int, seconds: float) -> None:
        """A batch of `n_tokens` took `seconds`."""
        self.weight = self.weight * _DECAY + 1.0
        self.tokens = self.tokens * _DECAY + n_tokens
        self.seconds = self.seconds * _DECAY + seconds
        self.tokens_squared = self.tokens_squared * _DECAY + n_tokens * n_tokens
        self.tokens_seconds = self.tokens_seconds * _DECAY + n_tokens * seconds

    def estimate_s(self, n_tokens: int, n_batches: int) -> float:
        """Seconds for that much work; 0 as long as nothing was recorded."""
        if not self.tokens:
            return 0.0
        mean_tokens, mean_seconds = self.tokens / self.weight, self.seconds / self.weight
        spread = self.tokens_squared / self.weight - mean_tokens * mean_tokens
        per_token = 0.0
        if spread > 0.01 * mean_tokens * mean_tokens:  # sizes within a tenth of each other say nothing
            slope = (self.tokens_seconds / self.weight - mean_tokens * mean_seconds) / spread
            per_token = min(max(slope, 0.0), mean_seconds / mean_tokens)
        per_batch = mean_seconds - per_token * mean_tokens
        return per_batch * n_batches + per_token * n_tokens
