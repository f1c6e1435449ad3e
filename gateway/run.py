"""One text's way to its result, with what is remembered and recorded of it. Pure.

Looking things up, having them scored and recording them is for `gateway/cached.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from compressor import Compressed, CompressionParams, ScoreRequest, ScoringError, counter
from compressor.analysis import Outcome, Weights, conclude, left_whole, weigh
from compressor.findings import Found, find, of_text, without_text
from compressor.flow import Flow, advance, flow, whole
from compressor.packed import pack, unpack
from compressor.tokens import Tokens
from compressor.types import CacheState, Scores
from gateway.recorded import pack_weights, read_scores, read_weights

_NO_TOKENS = np.empty(0, np.uint32)


@dataclass(frozen=True, slots=True)
class Keys:
    """Where things about one text are recorded, and remembered."""

    scores: bytes
    findings: bytes
    weights: bytes


@dataclass(frozen=True, slots=True)
class Records:
    """What the cache holds of one text."""

    scores: bytes | None = None
    findings: bytes | None = None
    weights: bytes | None = None


@dataclass(slots=True, eq=False)
class Run:
    """What is known of a text, its flow, and what that waits for or has come to.

    A text that may hold marks is analysed as it is without them, and anew: of it only scores are on record.
    """

    text: str
    params: CompressionParams
    keys: Keys = field(init=False)
    records: Records = Records()
    found: Found | None = None
    """Without the text."""
    weights: Weights | None = None
    to_record: list[tuple[bytes, bytes]] = field(default_factory=list)
    """What was not on record, by key."""
    steps: Flow = field(init=False)
    request: ScoreRequest | None = None
    answer: Scores | ScoringError | None = None
    """The engine's, where no scores were on record."""
    result: Compressed | None = None

    def measure(self) -> None:
        """Count a text that is clearly short: that costs less than a look-up. Then it is done."""
        if not self.params.marks and len(self.text) <= self.params.min_tokens:
            n_tokens = counter(self.params.tokenizer).count(self.text)
            if n_tokens < self.params.min_tokens:
                self.result = left_whole(self.text, n_tokens, "short")

    def wanted(self) -> Iterator[bytes]:
        """Keys of what is worth looking up."""
        yield self.keys.scores
        if self.found is None and not self.params.marks:
            yield self.keys.findings
        if self.weights is None and not self.params.marks:
            yield self.keys.weights

    def begin(self) -> None:
        """On to the result with recorded scores, or to the request for some."""
        self.steps = flow(self.text, self.params, None if self.params.marks else self._analyse())
        self._advance(None)
        if self.request is not None:
            scores = read_scores(self.records.scores, len(self.request.words))
            if scores is not None:
                self._advance(scores, cache="hit")

    def resume(self) -> None:
        """On to the result with the engine's answer."""
        if isinstance(self.answer, ScoringError):
            self.result = whole(self.text, self.params, self.answer.skip)
        else:
            self._advance(self.answer, cache="miss")

    def _analyse(self) -> Outcome:
        """The analysis, as far as possible from what is remembered or on record."""
        known = self.weights or read_weights(self.records.weights)
        tokens = counter(self.params.tokenizer).encode(self.text) if known is None else _NO_TOKENS
        n_tokens = len(tokens) if known is None else known.origin_tokens
        if n_tokens < self.params.min_tokens:
            return left_whole(self.text, n_tokens, "short")
        found = self._found()
        weights = known if known is not None and known.fit(found) else self._weighed(found, tokens)
        self.weights = weights
        return conclude(self.text, self.params, found, weights)

    def _weighed(self, found: Found, tokens: Tokens) -> Weights:
        """The weights of the words, from the text's tokens where it has been encoded already."""
        tokens = tokens if len(tokens) else counter(self.params.tokenizer).encode(self.text)
        weights = weigh(found, tokens, self.params)
        self.to_record.append((self.keys.weights, pack_weights(weights)))
        return weights

    def _found(self) -> Found:
        """What is in the text: remembered, recorded, or found now."""
        if self.found is not None:
            return of_text(self.found, self.text)
        found = unpack(self.records.findings or b"", self.text)
        if found is None:
            found = find(self.text, self.params)
            self.to_record.append((self.keys.findings, pack(found, self.text)))
        self.found = without_text(found)
        return found

    def _advance(self, scores: Scores | None, cache: CacheState | None = None) -> None:
        """On to the next request or to the result."""
        step = advance(self.steps, scores)
        if isinstance(step, ScoreRequest):
            self.request = step
        else:
            self.result = replace(step, cache=cache)
