"""compressor.render: the gap rules, case by case, and that output is a selection of the input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from compressor.render import kept_spans, slice_text
from compressor.words import split
from tests.compressor.texts import texts


def rendered(text: str, dropped: str) -> str:
    """The text with the words listed (space-separated) dropped."""
    words = split(text)
    gone = set(dropped.split(" "))
    kept = np.array(
        [text[start:end] not in gone for start, end in zip(words.starts, words.ends, strict=True)], np.bool_
    )
    return slice_text(text, kept_spans(words, kept))


@pytest.mark.parametrize(
    ("text", "dropped", "expected"),
    [
        ("one two three", "two", "one three"),
        ("one two three", "one", "two three"),
        ("one two three", "three", "one two"),
        ("one  two   three", "two", "one   three"),
        ("one (two", "two (", "one"),
        (
            "one two (three)",
            "two (",
            "one three)",
        ),  # "three" has no gap of its own: the first dropped one serves
        ("head\n    indented code here", "indented", "head\n    code here"),
        ("    first second", "first", "    second"),
        ("keep drop  \nnext", "drop", "keep\nnext"),
        ("ends here.  ", "here", "ends.  "),
        ("a\r\nb c", "b", "a\r\nc"),
        ("all gone  ", "all gone", "  "),
        ("会议,不", ",", "会议不"),
        ("one (two three) four", "two", "one (three) four"),
        ("Use f(x) (now)", "Use f", "(x) (now)"),
        ("so f(x) is", "f", "so (x) is"),
        ('say "we go" now', "we", 'say "go" now'),
        ("„wir gehen“ nicht weg", "nicht", "„wir gehen“ weg"),
        ("he said “we go”", "we", "he said “go”"),
        ("“a” and b", "and", "“a” b"),
        ("", "", ""),
        ("  \t ", "", "  \t "),
    ],
)
def test_gap_rules(text: str, dropped: str, expected: str) -> None:
    assert rendered(text, dropped) == expected


@given(texts)
def test_output_is_an_ordered_selection_with_every_kept_word_whole(text: str) -> None:
    words = split(text)
    rng = np.random.default_rng(len(text))
    kept = rng.random(len(words)) < 0.5
    spans = kept_spans(words, kept)
    flat = spans.reshape(-1)
    assert (np.diff(flat) > 0).all(), "ordered, disjoint, not touching, not empty"
    covered = np.zeros(len(text) + 1, np.int32)
    for start, end in spans.tolist():
        covered[start:end] = 1
    for start, end, keep in zip(words.starts, words.ends, kept, strict=True):
        assert covered[start:end].all() if keep else not covered[start:end].any()


@given(texts)
def test_keeping_everything_is_the_identity(text: str) -> None:
    words = split(text)
    spans = kept_spans(words, np.ones(len(words), np.bool_))
    assert slice_text(text, spans) == text
    assert len(spans) == bool(text)
