"""Scores to the words that stay: selection as the parameters ask for it, then the rules at the seams. Pure.

What a selection weighs is what its words cost in the original; put together anew they cost a little more or
less, and the rules at the seams add words and drop some. `goal` says what a choice may come to, and
`correction` what the next one should spend more or less, so that a rate means what it says in the tokens paid
for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from compressor import marks, seams, select
from compressor.analysis import Analysis
from compressor.params import CompressionParams
from compressor.types import Bools, Scores

TOLERANCE = 0.01
"""Of the original's tokens: a result this close to what was asked for is left as it is."""
_STEEP, _FLAT = 4.0, 0.25
"""Most and fewest tokens that one token more to spend is taken to add."""


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """Which words are kept, which of them were promised to be, shape [n] each, and what that was to cost."""

    kept: Bools
    promised: Bools
    planned_tokens: int


def choose(
    analysis: Analysis, scores: Scores, params: CompressionParams, correction_tokens: int = 0
) -> Choice:
    """The words to keep, seams aside; `correction_tokens` are spent besides what `params` ask for."""
    words, rows = analysis.words, analysis.rows
    candidates = select.Candidates(scores, analysis.weights, analysis.forced, analysis.protected)
    if rows is not None:
        candidates = rows.level(candidates)
    rate = params.rate_for(analysis.origin_tokens)
    if analysis.regions:
        kept = _by_region(analysis, candidates, params, rate, correction_tokens)
    else:
        kept = select.select(candidates, params, rate, correction_tokens)
    promised = candidates.forced
    if rows is not None:
        kept = rows.whole(kept)
        promised = promised | (kept & (rows.of_words >= 0))
    planned_tokens = int(analysis.weights.dot(kept))
    if params.drop_consecutive:
        kept = seams.drop_consecutive(words, kept, analysis.protected, params.force_tokens)
        promised = promised & kept
    return Choice(kept, promised, planned_tokens)


@dataclass(frozen=True, slots=True)
class Goal:
    """The fewest and the most tokens that a result should have, and whether it must not have more."""

    least: float
    most: float
    is_limit: bool = False

    def miss(self, tokens: int) -> float:
        """By how much a result is off, 0 within; more than a limit is worse than any less."""
        if tokens > self.most:
            return math.inf if self.is_limit else tokens - self.most
        return max(self.least - tokens, 0.0)


def goal(analysis: Analysis, params: CompressionParams, planned_tokens: int) -> Goal | None:
    """What to aim at where the first choice was to cost `planned_tokens`; None: whatever it comes to.

    A threshold and a rate of 1 stand whatever they cost; a budget in tokens is never to be passed.
    """
    slack = TOLERANCE * analysis.origin_tokens
    if params.target_tokens is not None:
        most = max(params.target_tokens, planned_tokens)  # more is planned where more is protected or forced
        return Goal(planned_tokens - 2 * slack, most, is_limit=True)
    if params.threshold is not None or params.rate_for(analysis.origin_tokens) == 1.0:
        return None
    return Goal(planned_tokens - slack, planned_tokens + slack)


@dataclass(frozen=True, slots=True)
class Tried:
    """What a correction came to."""

    correction_tokens: int
    tokens: int


def correction(tried: Sequence[Tried], aim: Goal) -> int:
    """What to spend besides next: along the line through the last two tries, from the middle of `aim`."""
    last = tried[-1]
    slope = 1.0
    if len(tried) > 1:
        before = tried[-2]
        slope = (last.tokens - before.tokens) / (last.correction_tokens - before.correction_tokens)
    excess = last.tokens - (aim.least + aim.most) / 2
    step = round(abs(excess) / min(max(slope, _FLAT), _STEEP))
    return last.correction_tokens - int(math.copysign(max(step, 1), excess))


def _by_region(
    analysis: Analysis,
    candidates: select.Candidates,
    params: CompressionParams,
    rate: float,
    correction_tokens: int,
) -> Bools:
    """Regions with a rate of their own at that, the rest as the parameters say."""
    rest = np.ones(len(analysis.words), np.bool_)
    kept = candidates.forced | candidates.protected
    for first, past, own_rate in marks.stretches(analysis.words, analysis.regions):
        if own_rate is not None:
            inside = slice(first, past)
            rest[inside] = False
            kept[inside] |= select.by_rate(candidates.part(inside), own_rate)
    kept |= select.select(candidates.within(rest), params, rate, correction_tokens) & rest
    return kept
