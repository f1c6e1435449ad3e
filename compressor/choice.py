"""Scores to the words that stay: selection as the parameters ask for it, then the rules at the seams. Pure.

What a selection weighs is what its words cost in the original; put together anew they cost a little more or
less. `corrected` asks for that much less or more, so that a rate means what it says in the tokens paid for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from compressor import seams, select
from compressor.analysis import Analysis
from compressor.params import CompressionParams
from compressor.types import Bools, Scores

TOLERANCE = 0.01
"""Of the original's tokens: a result this close to its plan is left as it is."""
LEAST_RATE = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """Which words are kept, which of them were promised to be, shape [n] each, and what that was to cost."""

    kept: Bools
    promised: Bools
    planned_tokens: int


def choose(analysis: Analysis, scores: Scores, params: CompressionParams) -> Choice:
    """The words to keep."""
    words, promised = analysis.words, analysis.forced
    candidates = select.Candidates(scores, analysis.weights, promised, analysis.protected)
    rate = params.rate_for(analysis.origin_tokens)
    if analysis.regions:
        kept = _by_region(analysis, candidates, params, rate)
    else:
        kept = select.select(candidates, params, rate)
    planned_tokens = int(analysis.weights.dot(kept))
    if params.drop_consecutive:
        kept = seams.drop_consecutive(words, kept, analysis.protected, params.force_tokens)
        promised = promised & kept
    if not kept.all():  # where nothing is dropped there is no seam (law 1)
        kept = seams.drop_orphans(words, kept, promised | analysis.protected, analysis.layout)
        kept = seams.keep_separators(words, kept, analysis.layout)
    return Choice(kept, promised, planned_tokens)


def corrected(analysis: Analysis, params: CompressionParams, excess_tokens: int) -> CompressionParams | None:
    """Parameters whose choice should cost `excess_tokens` less; None where nothing is to be corrected.

    A threshold and a rate of 1 stand whatever they cost; a budget in tokens is only ever corrected down.
    """
    if params.target_tokens is not None:
        target = params.target_tokens - excess_tokens
        return replace(params, target_tokens=target) if 0 < target < params.target_tokens else None
    free_tokens = int(analysis.weights.dot(~analysis.protected))
    rate = params.rate_for(analysis.origin_tokens)
    is_close = abs(excess_tokens) <= TOLERANCE * analysis.origin_tokens
    if is_close or params.threshold is not None or rate == 1.0 or not free_tokens:
        return None
    better = min(1.0, max(LEAST_RATE, rate - excess_tokens / free_tokens))
    return replace(params, rate=better, rates=()) if better != rate else None


def _by_region(
    analysis: Analysis, candidates: select.Candidates, params: CompressionParams, rate: float
) -> Bools:
    """Regions with a rate of their own at that, the rest as the parameters say."""
    words = analysis.words
    rest = np.ones(len(words), np.bool_)
    kept = analysis.forced | analysis.protected
    for region in analysis.regions:
        if region.rate is not None:
            inside = (words.starts < region.end) & (words.ends > region.start)
            rest &= ~inside
            kept |= select.by_rate(candidates.within(inside), region.rate) & inside
    kept |= select.select(candidates.within(rest), params, rate) & rest
    return kept
