"""The recipe for one text, as a generator without I/O: yields what it needs scored, is sent the scores.

    analyse → (scores) → finish (`compressor.finish`)

Everything here is a pure function of the text and the parameters: the same text gives the same bytes on any
replica and at any turn of a conversation (laws 3 and 4).
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import TypeVar

from compressor import lossless, marks
from compressor.analysis import Outcome, analyse, left_whole
from compressor.finish import finish_all
from compressor.params import CompressionParams
from compressor.shelf import Shelf
from compressor.tokens import counter
from compressor.types import Compressed, Scores, SkipReason, Words


@dataclass(frozen=True, slots=True, eq=False)
class ScoreRequest:
    """A text whose words want scores."""

    text: str
    words: Words
    shelf: Shelf | None = None
    """Where scores of its chunks may be."""


Flow = Generator[ScoreRequest, Scores, Compressed]


Q = TypeVar("Q")
A = TypeVar("A")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, eq=False)
class Begun:
    """What is known of a text before any score."""

    outcome: Outcome
    marked: marks.Marked | None = None
    """The text without its marks, or without what could be left out first: what was analysed."""
    original: Compressed | None = None
    """The text whole, where something was left out first that counts as saved."""

    def result(self, inner: Compressed) -> Compressed:
        """The text's result, from that of what was analysed."""
        if self.marked is None:
            return inner
        kept = self.marked.original(inner.kept)
        if self.original is None:
            return Compressed(inner.text, inner.origin_tokens, inner.compressed_tokens, kept, inner.skip)
        if inner.skip == "verify_failed":  # a fault costs savings, and is counted
            return replace(self.original, skip=inner.skip)
        if inner.compressed_tokens >= self.original.origin_tokens:
            return self.original
        return Compressed(inner.text, self.original.origin_tokens, inner.compressed_tokens, kept)


def begin(text: str, params: CompressionParams) -> Begun:
    """All that needs no scores. Of a text with marks nothing else is left out first."""
    if params.marks:
        marked = marks.read(text)
        if marked.text != text or not params.may_cut_losslessly:
            return Begun(analyse(marked.text, params, marked.regions), marked)
    lean = lossless.read(text, params) if params.may_cut_losslessly else None
    if lean is None:
        return Begun(analyse(text, params))
    n_tokens = counter(params.tokenizer).count(text)
    if n_tokens < params.min_tokens:
        return Begun(left_whole(text, n_tokens, "short"))
    inner = analyse(lean.text, replace(params, min_tokens=0))
    return Begun(inner, lean, left_whole(text, n_tokens, "no_gain"))


def flow(text: str, params: CompressionParams) -> Flow:
    """Compress `text`; yields at most one ScoreRequest and is sent the scores of its words."""
    begun = begin(text, params)
    if isinstance(begun.outcome, Compressed):
        return begun.result(begun.outcome)
    scores = yield ScoreRequest(begun.outcome.text, begun.outcome.words)
    [inner] = finish_all([begun.outcome], [scores], params)
    return begun.result(inner)


def advance(steps: Generator[Q, A, R], answer: A | None) -> Q | R:
    """What a recipe asks for next, or its result; None begins. (A future cannot carry a StopIteration.)"""
    try:
        return next(steps) if answer is None else steps.send(answer)
    except StopIteration as end:
        result: R = end.value
        return result


def whole(text: str, params: CompressionParams, skip: SkipReason, *, in_haste: bool = False) -> Compressed:
    """The text left as it is, but for its marks, and why. `in_haste`: counts of a long text are estimates."""
    target = counter(params.tokenizer)
    count = target.estimate if in_haste else target.count
    if params.marks:
        marked = marks.read(text)
        tokens = count(marked.text)
        return Compressed(marked.text, tokens, tokens, marked.visible, skip)
    return left_whole(text, count(text), skip)
