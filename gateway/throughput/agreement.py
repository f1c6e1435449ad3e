"""How often a word's fate turns when the model computes in another precision."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from compressor import CompressionParams
from compressor.analysis import Analysis, analyse
from compressor.choice import choose
from compressor.types import Scorer, Scores

RATES = (0.8, 0.5, 0.33)


def flips(exact: Scorer, rounded: Scorer, texts: Sequence[str]) -> dict[float, float]:
    """By rate, the share of the words that have a choice (not forced, not protected) decided otherwise."""
    found = [_decided(exact, rounded, text) for text in texts]
    return {rate: float(np.concatenate([one[rate] for one in found]).mean()) for rate in RATES}


def _decided(exact: Scorer, rounded: Scorer, text: str) -> dict[float, np.ndarray]:
    analysis = analyse(text, CompressionParams())
    if not isinstance(analysis, Analysis):
        raise ValueError(f"a text that is left whole ({analysis.skip}) says nothing about agreement")
    pair = [_scores(scorer, analysis) for scorer in (exact, rounded)]
    is_free = ~(analysis.forced | analysis.protected)
    kept = {
        rate: [choose(analysis, scores, CompressionParams(rate=rate)).kept[is_free] for scores in pair]
        for rate in RATES
    }
    return {rate: one != other for rate, (one, other) in kept.items()}


def _scores(scorer: Scorer, analysis: Analysis) -> Scores:
    chunks = scorer.encode(analysis.text, analysis.words)
    return scorer.merge(analysis.words, chunks, scorer.forward(chunks))
