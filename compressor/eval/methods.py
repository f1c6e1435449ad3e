"""One text, every method, every rate: scored once a scorer, then cut down at each rate.

The scorer under test says how many tokens a rate comes to; all others get as many, text by text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from compressor.analysis import Analysis, analyse
from compressor.eval.controls import CONTROLS, RULES, chance_scores
from compressor.eval.matched import Budget, Output
from compressor.eval.scoring import score
from compressor.finish import finish_all
from compressor.params import CompressionParams
from compressor.tokens import counter
from compressor.types import Compressed, Scorer, Scores

RATES = (0.8, 0.66, 0.5, 0.33, 0.2)
PARAMS = CompressionParams()
"""What is measured: the library's defaults, and nothing set to please a measure."""


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """What one method made of a text at one rate."""

    method: str
    rate: float
    output: Output


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """A text as the compressor sees it, with scores by each method that has any, the one under test first."""

    text: str
    origin_tokens: int
    methods: tuple[str, ...]
    analysis: Analysis | None
    scores: Mapping[str, Scores]

    @property
    def is_left_whole(self) -> bool:
        """Is it mostly code, JSON or tables, or too short to cut?"""
        return self.analysis is None


def read(text: str, scorers: Mapping[str, Scorer]) -> Read:
    """Analyse a text and score its words by each scorer."""
    analysis = analyse(text, PARAMS)
    methods = methods_of(tuple(scorers))
    if isinstance(analysis, Compressed):
        return Read(text, analysis.origin_tokens, methods, None, {})
    scores = {name: score(scorer, text, analysis.words) for name, scorer in scorers.items()}
    scores[RULES] = chance_scores(analysis.words)
    return Read(text, analysis.origin_tokens, methods, analysis, scores)


def methods_of(scorers: Sequence[str]) -> tuple[str, ...]:
    """All methods, the one under test first, in the order of tables."""
    return (*scorers, RULES, *CONTROLS)


def cuts(text: Read, rates: Sequence[float]) -> Iterator[Cut]:
    """Every method at every rate. Of a text that is left whole each makes the same: the whole."""
    if text.analysis is None:
        spans = np.array([[0, len(text.text)]], np.int32)[: len(text.text)]
        for rate in rates:
            for method in text.methods:
                yield Cut(method, rate, Output(spans, text.origin_tokens))
        return
    first, *others = text.scores
    budget = Budget(text.text, text.analysis.words, counter(PARAMS.tokenizer))
    orders = {name: ranking(text.text, budget.words) for name, ranking in CONTROLS.items()}
    for rate in rates:
        own = cut_down(text.analysis, text.scores[first], CompressionParams(rate=rate))
        yield Cut(first, rate, _output(own))
        for name in others:
            yield Cut(name, rate, _output(at_tokens(text.analysis, text.scores[name], own.compressed_tokens)))
        for name, order in orders.items():
            yield Cut(name, rate, budget.fit(order, own.compressed_tokens))


def cut_down(analysis: Analysis, scores: Scores, params: CompressionParams) -> Compressed:
    """The text as `params` ask for it: the end of `flow`, from scores that are known."""
    [result] = finish_all([analysis], [scores], params)
    return result


def at_tokens(analysis: Analysis, scores: Scores, tokens: int) -> Compressed:
    """The text as near to so many tokens as two tries come: a budget alone ends a little below."""
    first = cut_down(analysis, scores, CompressionParams(target_tokens=max(1, tokens)))
    more = max(1, 2 * tokens - first.compressed_tokens)
    second = cut_down(analysis, scores, CompressionParams(target_tokens=more))
    return min(first, second, key=lambda result: abs(result.compressed_tokens - tokens))


def _output(result: Compressed) -> Output:
    return Output(result.kept, result.compressed_tokens)
