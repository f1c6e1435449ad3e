"""compressor.explain: the reasons agree with the result."""

from __future__ import annotations

import numpy as np

from compressor.explain import Explained, explain
from compressor.params import CompressionParams, Protect
from tests.fakes import LengthScorer

TEXT = "The committee decided on 12 of the items, see `the_code` and the appendix at the end of it."


def explained(text: str, params: CompressionParams) -> Explained:
    scorer, steps = LengthScorer(), explain(text, params)
    try:
        request = next(steps)
        chunks = scorer.encode(request.text, request.words)
        steps.send(scorer.merge(request.words, chunks, scorer.forward(chunks)))
    except StopIteration as stop:
        result: Explained = stop.value
        return result
    raise AssertionError("it asks once")


def test_every_word_has_its_fate() -> None:
    found = explained(TEXT, CompressionParams(rate=0.4))
    fates = {TEXT[word.start : word.end]: word.fate for word in found.words}
    assert fates["12"] == "forced"
    assert fates["the_code"] == "protected"
    assert fates["committee"] == "kept"
    assert fates["the"] == "dropped"
    assert all(0.0 <= word.score <= 1.0 for word in found.words)


def test_the_fates_are_those_of_the_result() -> None:
    found = explained(TEXT, CompressionParams(rate=0.4))
    covered = np.zeros(len(TEXT), np.bool_)
    for start, end in found.result.kept.tolist():
        covered[start:end] = True
    for word in found.words:
        assert covered[word.start : word.end].all() == (word.fate != "dropped")


def test_a_text_left_whole_has_no_words() -> None:
    found = explained(TEXT, CompressionParams(min_tokens=1000))
    assert (found.words, found.result.skip, found.text) == ((), "short", TEXT)


def test_marks_are_out_of_the_explained_text() -> None:
    found = explained(f"<pith keep>{TEXT}</pith> {TEXT}", CompressionParams(rate=0.4, marks=True))
    assert found.text == f"{TEXT} {TEXT}"
    inside = [word.fate for word in found.words if word.end <= len(TEXT)]
    assert set(inside) == {"protected"}


def test_protection_is_told_from_force() -> None:
    found = explained(TEXT, CompressionParams(rate=0.4, protect=Protect(head_tokens=2)))
    assert [word.fate for word in found.words[:2]] == ["protected", "protected"]
