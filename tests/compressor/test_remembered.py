"""compressor.remembered: an analysis comes back as it was, and holds no text meanwhile."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressor.analysis import Analysis, Outcome, analyse
from compressor.params import CompressionParams, Protect, RateStep
from compressor.remembered import Remembered, subject
from compressor.types import Compressed
from tests.compressor.texts import clean_texts

PARAMS = CompressionParams(force_tokens=("\n", "?"), protect=Protect(head_tokens=2, tail_tokens=3))
TEXT = "In 2026 the review did not begin before 10:00, see https://example.com/a for details of it all. " * 4


def analysed(text: str = TEXT) -> Analysis:
    found = analyse(text, PARAMS)
    assert isinstance(found, Analysis)
    return found


def assert_equal(one: Outcome | None, other: Outcome) -> None:
    if isinstance(other, Compressed):
        assert isinstance(one, Compressed)
        assert (one.text, one.skip, one.origin_tokens) == (other.text, other.skip, other.origin_tokens)
        return
    assert isinstance(one, Analysis)
    assert (one.text, one.origin_tokens) == (other.text, other.origin_tokens)
    assert (one.protected_spans, one.regions) == (other.protected_spans, other.regions)
    for mine, theirs in (
        (one.weights, other.weights),
        (one.protected, other.protected),
        (one.forced, other.forced),
        (one.words.starts, other.words.starts),
        (one.layout.opening, other.layout.opening),
        (one.layout.closing, other.layout.closing),
        (one.layout.first, other.layout.first),
        (one.layout.past, other.layout.past),
    ):
        assert mine.dtype == theirs.dtype
        assert mine.tolist() == theirs.tolist()


@given(clean_texts, st.integers(0, 20))
def test_it_comes_back(text: str, min_tokens: int) -> None:
    found = analyse(text, replace(PARAMS, min_tokens=min_tokens))
    assert_equal(Remembered.of(found).of_text(text), found)


def test_structured_texts_come_back() -> None:
    text = "```\n" + "x = compute(y)\n" * 20 + "```"
    found = analyse(text, PARAMS)
    assert isinstance(found, Compressed)
    assert_equal(Remembered.of(found).of_text(text), found)


def test_it_holds_neither_text_nor_characters() -> None:
    held = pickle.dumps(Remembered.of(analysed()))
    assert b"review" not in held
    assert "review".encode("utf-32-le") not in held


def test_its_size_is_that_of_its_arrays() -> None:
    n_words = len(analysed().words)
    assert 24 * n_words <= Remembered.of(analysed()).size_bytes < 32 * n_words
    assert Remembered.of(analyse("short", replace(PARAMS, min_tokens=9))).size_bytes == 0


@pytest.mark.parametrize(
    "other",
    [
        replace(PARAMS, rate=0.2),
        replace(PARAMS, rates=(RateStep(0.3),)),
        replace(PARAMS, target_tokens=5),
        replace(PARAMS, threshold=0.5, min_rate=0.1, max_rate=0.9),
        replace(PARAMS, drop_consecutive=True),
    ],
)
def test_what_chooses_words_changes_no_analysis(other: CompressionParams) -> None:
    assert subject(other) == subject(PARAMS)
    assert_equal(analyse(TEXT, other), analysed())


@pytest.mark.parametrize(
    "other",
    [
        replace(PARAMS, min_tokens=1),
        replace(PARAMS, structure_guard=False),
        replace(PARAMS, protect=Protect(urls=False)),
        replace(PARAMS, force_tokens=()),
        replace(PARAMS, force_reserve_digit=False),
        replace(PARAMS, tokenizer="cl100k_base"),
        replace(PARAMS, marks=True),
    ],
)
def test_what_protects_or_counts_does(other: CompressionParams) -> None:
    assert subject(other) != subject(PARAMS)
