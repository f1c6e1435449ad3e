"""compressor.brackets: which words open and close a pair."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressor.brackets import pairs
from compressor.words import Flag, split

TEXTS = st.lists(st.sampled_from([*'()[]「」"“”*ab ,\n', "**", "](", ")."]), max_size=40).map("".join)


def enclosed(text: str) -> list[str]:
    """From each opening word to its closing one, in order."""
    words = split(text)
    opening, closing = pairs(words)
    return sorted(
        text[words.starts[i] : words.ends[j]] for i, j in zip(opening.tolist(), closing.tolist(), strict=True)
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a (b) c", ["(b)"]),
        ("a (b [c] d) e", ["(b [c] d)", "[c]"]),
        ("a (b (c) d) e", ["(b (c) d)", "(c)"]),
        ("1) a (b) 2) c (d)", ["(b)", "(d)"]),
        ("a (b\nc) d", ["(b\nc)"]),
        ("a (b\n\nc) d", []),
        ("see [a link](b c) now", ["[a link](", "](b c)"]),
        ('"a b" and "c"', ['"a b"', '"c"']),
        ('a 6" pipe', []),
        ('"a\nb"', []),
        ("“a” and „b“ and «c»", ["«c»", "“a”", "„b“"]),
        ("**a b** *c* ***d***", ["***d***", "**a b**", "*c*"]),
        ("* a (b)\n* c", ["(b)"]),
        ("5 * 3 * 2", []),
        ("「a」 （b）", ["「a」", "（b）"]),
        ("a ) b ( c", []),
        ("f()", []),
        ("(((((((((((((a", []),
        ("no pairs", []),
        ("", []),
    ],
)
def test_pairs(text: str, expected: list[str]) -> None:
    assert enclosed(text) == expected


@given(TEXTS)
def test_pairs_are_words_of_punctuation_in_order(text: str) -> None:
    words = split(text)
    opening, closing = pairs(words)
    assert (opening < closing).all()
    assert (words.flags[opening] & Flag.PUNCT).all()
    assert (words.flags[closing] & Flag.PUNCT).all()


def test_a_long_text_of_brackets_is_matched() -> None:
    words = split("( a " * 20_000 + ") b " * 20_000)
    opening, closing = pairs(words)
    assert len(opening) == 20_000
    assert (opening + closing == opening[0] + closing[0]).all()
