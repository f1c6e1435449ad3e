"""User patterns: spans in characters, refusals that name the remedy, no work without bound."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressor.errors import PatternError
from compressor.patterns import LONGEST_PATTERN, MOST_MATCHES, check_pattern, pattern_spans


def test_spans_are_in_characters() -> None:
    assert pattern_spans("한국 12 漢 😀 34", (r"\d+",)) == [(3, 5), (10, 12)]


@given(st.text(alphabet="ab1한😀 \ud800\n", max_size=40))
def test_spans_agree_with_re(text: str) -> None:
    pattern = r"[a1]+|한."
    assert pattern_spans(text, (pattern,)) == [match.span() for match in re.finditer(pattern, text)]


def test_empty_matches_count_for_nothing() -> None:
    assert pattern_spans("aab", ("a*",)) == [(0, 2)]
    assert pattern_spans("", ("a*",)) == []
    assert pattern_spans("text", ()) == []


@pytest.mark.parametrize("pattern", ["(", r"(?=x)", r"(a)\1", "[z-a]", "\ud800"])
def test_an_invalid_pattern_is_named(pattern: str) -> None:
    with pytest.raises(
        PatternError, match=r"^pattern .* is not valid in google-re2 syntax \(.+\): correct it"
    ):
        check_pattern(pattern)


def test_a_long_pattern_is_refused() -> None:
    assert check_pattern("a" * LONGEST_PATTERN) == "a" * LONGEST_PATTERN
    with pytest.raises(PatternError, match="has 1001 characters, more than 1000: split it"):
        check_pattern("a" * (LONGEST_PATTERN + 1))


def test_an_empty_pattern_is_refused() -> None:
    with pytest.raises(PatternError, match="matches nothing: remove it"):
        check_pattern("")


def test_a_pattern_too_large_to_compile_is_refused() -> None:
    with pytest.raises(PatternError):
        check_pattern("((a{100}){100}){100}")


def test_what_backtracks_elsewhere_is_quick() -> None:
    assert pattern_spans("a" * 5000 + "b", ("(a+)+$",)) == []


def test_past_the_most_matches_the_rest_is_protected() -> None:
    text = "a " * (MOST_MATCHES + 5)
    spans = pattern_spans(text, ("a",))
    assert len(spans) == MOST_MATCHES + 1
    assert spans[-1] == (spans[-2][1], len(text))
