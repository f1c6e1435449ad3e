"""Scores to results, for all texts of a turn at once: select → mend → render → count, again if off → verify.

Each text's choices are its own, and `settling` is written for one; what is done with arrays and tokens is
done for all together, round by round (`compressor.joint`). Pure.

Law: what comes of a text is the same whatever texts are beside it.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from compressor import render, verify
from compressor.analysis import Analysis, left_whole
from compressor.choice import Choice, Tried, choose, correction, goal
from compressor.joint import Part, mend
from compressor.params import CompressionParams
from compressor.tokens import counter
from compressor.types import Bools, Compressed, Scores, Spans

MAX_CORRECTIONS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """A choice and what it came to; `kept` are the words kept after all."""

    choice: Choice
    kept: Bools
    spans: Spans
    text: str
    tokens: int


Settling = Generator[Choice, Settled, Settled]


def finish_all(
    analyses: Sequence[Analysis], scores: Sequence[Scores], params: CompressionParams
) -> list[Compressed]:
    """One result a text, in order."""
    settled = settle_all(analyses, scores, params)
    return [_verified(analysis, one) for analysis, one in zip(analyses, settled, strict=True)]


def settle_all(
    analyses: Sequence[Analysis], scores: Sequence[Scores], params: CompressionParams
) -> list[Settled]:
    """For each text the choice that costs what the parameters ask for, as near as a few tries come."""
    steps = [settling(analysis, own, params) for analysis, own in zip(analyses, scores, strict=True)]
    choices = {at: next(step) for at, step in enumerate(steps)}
    settled: dict[int, Settled] = {}
    while choices:
        tried = _try(analyses, choices, params)
        choices = {}
        for at, outcome in tried.items():
            try:
                choices[at] = steps[at].send(outcome)
            except StopIteration as end:
                settled[at] = end.value
    return [settled[at] for at in range(len(steps))]


def settling(analysis: Analysis, scores: Scores, params: CompressionParams) -> Settling:
    """Yields choices, is told what each came to, and returns the best."""
    best = last = yield choose(analysis, scores, params)
    aim = goal(analysis, params, last.choice.planned_tokens)
    if aim is None:
        return best
    tried = [Tried(0, last.tokens)]
    while aim.miss(last.tokens) and len(tried) <= MAX_CORRECTIONS + aim.is_limit:
        is_last_resort = len(tried) > MAX_CORRECTIONS  # nothing that is free: a limit is a limit
        more = -analysis.origin_tokens if is_last_resort else correction(tried, aim)
        choice = choose(analysis, scores, params, more)
        if choice.planned_tokens != last.choice.planned_tokens:  # else a word costs more than was corrected
            last = yield choice
        tried.append(Tried(more, last.tokens))
        best = min(best, last, key=lambda settled: (aim.miss(settled.tokens), settled.tokens))
    return best


def _try(
    analyses: Sequence[Analysis], choices: dict[int, Choice], params: CompressionParams
) -> dict[int, Settled]:
    """What each choice comes to, by the index of its text."""
    mended = mend([part(analyses[at], choice) for at, choice in choices.items()])
    texts = [render.slice_text(analyses[at].text, one.spans) for at, one in zip(choices, mended, strict=True)]
    counts = counter(params.tokenizer).count_all(texts)
    return {
        at: Settled(choice, one.kept, one.spans, text, tokens)
        for (at, choice), one, text, tokens in zip(choices.items(), mended, texts, counts, strict=True)
    }


def part(analysis: Analysis, choice: Choice) -> Part:
    """A text whose seams want mending."""
    return Part(analysis.words, analysis.layout, choice.kept, choice.promised | analysis.protected)


def _verified(analysis: Analysis, settled: Settled) -> Compressed:
    if verify.broken_promise(
        analysis.words, settled.spans, analysis.protected_spans, settled.choice.promised
    ):
        return left_whole(analysis.text, analysis.origin_tokens, "verify_failed")
    if settled.tokens >= analysis.origin_tokens:
        return left_whole(analysis.text, analysis.origin_tokens, "no_gain")
    return Compressed(settled.text, analysis.origin_tokens, settled.tokens, settled.spans)
