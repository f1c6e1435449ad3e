"""One text's way to its result, with what is remembered and recorded of it. Pure.

Looking things up, having them scored and recording them is for `gateway/cached.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from compressor import Compressed, CompressionParams, ScoreRequest, ScoringError, counter
from compressor.analysis import Analysis, Outcome, Weights, conclude, left_whole, weigh
from compressor.findings import Findings, Found, find, of_text, without_text
from compressor.finish import finish_all
from compressor.flow import Begun, begin, whole
from compressor.packed import pack, unpack
from compressor.tokens import Tokens
from compressor.turns import give_way
from compressor.types import CacheState, Scores
from gateway.recorded import pack_weights, read_scores, read_weights


@dataclass(frozen=True, slots=True)
class Keys:
    """Where things about one text are recorded, and remembered."""

    scores: bytes
    findings: bytes
    weights: bytes
    contents: bytes
    """Findings whatever is protected: in this process alone."""


@dataclass(frozen=True, slots=True)
class Records:
    """What the cache holds of one text."""

    scores: bytes | None = None
    findings: bytes | None = None
    weights: bytes | None = None


@dataclass(slots=True, eq=False)
class Run:
    """What is known of a text, what it waits for and what it has come to.

    A text of which something may be left out first is analysed without that, and anew: only scores are on
    record of it.
    """

    text: str
    params: CompressionParams
    keys: Keys = field(init=False)
    records: Records = Records()
    found: Found | None = None
    """Without the text."""
    alike: Findings | None = None
    """As `found`, where something else was protected."""
    weights: Weights | None = None
    to_record: list[tuple[bytes, bytes]] = field(default_factory=list)
    """What was not on record, by key."""
    begun: Begun = field(init=False)
    request: ScoreRequest | None = None
    answer: Scores | ScoringError | None = None
    """The engine's, where no scores were on record."""
    scores: Scores | None = None
    """In force: those on record, or the engine's as the store gave them back."""
    cache: CacheState = "miss"
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
        if self.found is None and not self.params.may_cut_first:
            yield self.keys.findings
        if self.weights is None and not self.params.may_cut_first:
            yield self.keys.weights

    @property
    def wants_tokens(self) -> bool:
        """Whether the text is to be encoded: nobody knows what its words weigh."""
        return self.weights is None and not self.params.may_cut_first

    def begin(self, tokens: Tokens | None) -> None:
        """Find out what there is to choose from; `tokens` are the text's, where they were wanted."""
        anew = self.params.may_cut_first
        self.begun = begin(self.text, self.params) if anew else Begun(self._analyse(tokens))
        outcome = self.begun.outcome
        if isinstance(outcome, Compressed):
            self.result = self.begun.result(outcome)
            return
        self.request = ScoreRequest(outcome.text, outcome.words)
        self.scores = read_scores(self.records.scores, len(outcome.words))
        if self.scores is not None:
            self.cache = "hit"

    def _analyse(self, tokens: Tokens | None) -> Outcome:
        """The analysis, as far as possible from what is remembered or on record."""
        if tokens is None and self.weights is None:
            tokens = counter(self.params.tokenizer).encode(self.text)
        known = self.weights
        n_tokens = known.origin_tokens if known is not None else 0 if tokens is None else len(tokens)
        if n_tokens < self.params.min_tokens:
            return left_whole(self.text, n_tokens, "short")
        found = self._found()
        weights = known if known is not None and known.fit(found) else self._weighed(found, tokens)
        self.weights = weights
        return conclude(self.text, self.params, found, weights)

    def _weighed(self, found: Found, tokens: Tokens | None) -> Weights:
        """The weights of the words."""
        if tokens is None:  # those on record were another text's
            tokens = counter(self.params.tokenizer).encode(self.text)
        weights = weigh(found, tokens, self.params)
        self.to_record.append((self.keys.weights, pack_weights(weights)))
        return weights

    def _found(self) -> Found:
        """What is in the text: remembered, recorded, or found now."""
        if self.found is not None:
            return of_text(self.found, self.text)
        found = unpack(self.records.findings or b"", self.text)
        if found is None:
            like = of_text(self.alike, self.text) if self.alike is not None else None
            found = find(self.text, self.params, like if isinstance(like, Findings) else None)
            self.to_record.append((self.keys.findings, pack(found, self.text)))
        self.found = without_text(found)
        return found


def begin_all(runs: Sequence[Run]) -> None:
    """On to the results of texts whose scores are on record, and to requests for those of the others.

    All have the same parameters.
    """
    for run in runs:
        run.weights = run.weights or read_weights(run.records.weights)
    unknown = [run for run in runs if run.wants_tokens]
    encoded = counter(runs[0].params.tokenizer).encode_all([run.text for run in unknown]) if unknown else []
    tokens = dict(zip(map(id, unknown), encoded, strict=True))
    for run in runs:
        give_way()
        run.begin(tokens.get(id(run)))
    _finish([run for run in runs if run.scores is not None])


def resume_all(runs: Sequence[Run]) -> None:
    """On to the results with the engine's answers."""
    for run in runs:
        if isinstance(run.answer, ScoringError):
            run.result = whole(run.text, run.params, run.answer.skip)
        else:
            run.scores = run.answer
    _finish([run for run in runs if run.result is None])


def _finish(runs: Sequence[Run]) -> None:
    give_way()
    ready = [
        (run.begun.outcome, run.scores)
        for run in runs
        if isinstance(run.begun.outcome, Analysis) and run.scores is not None
    ]
    inner = finish_all([a for a, _ in ready], [s for _, s in ready], runs[0].params) if ready else []
    for run, one in zip(runs, inner, strict=True):
        run.result = replace(run.begun.result(one), cache=run.cache)


def too_late(texts: Sequence[str], params: CompressionParams) -> list[Compressed]:
    """Every text whole, since the deadline is over."""
    return [whole(text, params, "deadline", in_haste=True) for text in texts]
