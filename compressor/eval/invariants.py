"""What must hold of every compression, checked from the outside: each is counted as (held, of how many).

`rate` is asked only of texts above `LONG_TOKENS` whose promised words (numbers, negations, labels) leave room
to meet it: a rate never breaks a promise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from compressor.analysis import Analysis
from compressor.eval.fates import Kept, ink
from compressor.eval.methods import PARAMS, Read, cut_down
from compressor.eval.scoring import score
from compressor.params import CompressionParams
from compressor.select import UNFORCED_FLOOR
from compressor.tokens import counter
from compressor.types import Compressed, Scorer

INVARIANTS: Mapping[str, str] = {
    "subsequence": "the output is cut from the text, in order",
    "protected": "protected spans are there, byte for byte",
    "not_longer": "no more target tokens than the text",
    "rate": "within 2 % of its tokens of what the rate asks, above 1,000 tokens",
    "identity": "at rate 1 nothing changes",
    "deterministic": "scored again, the same bytes (of every tenth text)",
}

Checks: TypeAlias = dict[str, tuple[int, int]]

LONG_TOKENS = 1_000
TOLERANCE = 0.02


def check(text: Read, scorer: Scorer, rates: Sequence[float], *, is_sample: bool) -> Checks:
    """How often each held of one text over all rates, for the scorer under test."""
    if text.analysis is None:
        return {}
    analysis, scores = text.analysis, text.scores[text.methods[0]]
    is_ink = ink(text.text)
    found = {name: [0, 0] for name in INVARIANTS}

    def hold(name: str, *outcomes: bool) -> None:
        found[name][0] += sum(outcomes)
        found[name][1] += len(outcomes)

    results = {rate: cut_down(analysis, scores, CompressionParams(rate=rate)) for rate in rates}
    for rate, result in results.items():
        hold("subsequence", is_cut_from(text.text, result))
        kept = Kept.of(text.text, result.kept, is_ink)
        hold("protected", *(bool(kept.mask[start:end].all()) for start, end in analysis.protected_spans))
        hold("not_longer", counter(PARAMS.tokenizer).count(result.text) <= text.origin_tokens)
        if can_meet(analysis, rate):
            hold("rate", abs(excess(analysis, result, rate)) <= TOLERANCE)
    hold("identity", cut_down(analysis, scores, CompressionParams(rate=1.0)).text == text.text)
    if is_sample:
        again = score(scorer, text.text, analysis.words)
        hold(
            "deterministic",
            *(
                cut_down(analysis, again, CompressionParams(rate=rate)).text == result.text
                for rate, result in results.items()
            ),
        )
    return {name: (held, of) for name, (held, of) in found.items()}


def is_cut_from(text: str, result: Compressed) -> bool:
    """Do the spans come in order, apart, and make the output?"""
    ends = [-1, *result.kept[:, 1].tolist()]
    is_ordered = all(start >= end for end, start in zip(ends, result.kept[:, 0].tolist(), strict=False))
    return is_ordered and result.text == "".join(text[start:end] for start, end in result.kept.tolist())


def can_meet(analysis: Analysis, rate: float) -> bool:
    """Is it long, and do the promised words leave room for the rate?"""
    free = int(analysis.weights.dot(~analysis.protected))
    forced = int(analysis.weights.dot(analysis.forced & ~analysis.protected))
    room = rate * free - forced
    return analysis.origin_tokens > LONG_TOKENS and room >= min(rate, UNFORCED_FLOOR) * (free - forced)


def excess(analysis: Analysis, result: Compressed, rate: float) -> float:
    """What the result costs above its protected part and the rate of the rest, of the text's tokens."""
    protected = int(analysis.weights.dot(analysis.protected))
    asked = protected + rate * (analysis.origin_tokens - protected)
    return (result.compressed_tokens - asked) / analysis.origin_tokens
