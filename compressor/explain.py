"""Why each word of a text stayed or went: the same steps as `flow`, with the reasons kept."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from compressor.analysis import Analysis
from compressor.finish import finish_all, settle_all
from compressor.flow import ScoreRequest, begin
from compressor.params import CompressionParams
from compressor.types import SCORE_ONE, Compressed, Scores

Fate: TypeAlias = Literal["kept", "dropped", "forced", "protected"]


@dataclass(frozen=True, slots=True)
class WordFate:
    """What became of one word; `start` and `end` are characters of the explained text."""

    start: int
    end: int
    score: float
    fate: Fate


@dataclass(frozen=True, slots=True, eq=False)
class Explained:
    """`text` is without marks and what was left out first; `words` is empty when no scores were wanted."""

    text: str
    result: Compressed
    words: tuple[WordFate, ...]


def explain(text: str, params: CompressionParams) -> Generator[ScoreRequest, Scores, Explained]:
    """Yields at most one ScoreRequest, is sent its scores, and returns what became of every word."""
    begun = begin(text, params)
    visible = begun.marked.text if begun.marked else text
    if isinstance(begun.outcome, Compressed):
        return Explained(visible, begun.outcome, ())
    scores = yield ScoreRequest(visible, begun.outcome.words)
    [result] = finish_all([begun.outcome], [scores], params)
    return Explained(visible, result, _fates(begun.outcome, scores, params))


def _fates(analysis: Analysis, scores: Scores, params: CompressionParams) -> tuple[WordFate, ...]:
    [settled] = settle_all([analysis], [scores], params)
    rows = zip(
        analysis.words.starts.tolist(),
        analysis.words.ends.tolist(),
        (scores / SCORE_ONE).tolist(),
        zip(
            analysis.protected.tolist(),
            settled.choice.promised.tolist(),
            settled.kept.tolist(),
            strict=True,
        ),
        strict=True,
    )
    return tuple(WordFate(start, end, round(score, 4), _fate(*why)) for start, end, score, why in rows)


def _fate(is_protected: bool, is_forced: bool, is_kept: bool) -> Fate:
    if is_protected:
        return "protected"
    if is_forced:
        return "forced"
    return "kept" if is_kept else "dropped"
