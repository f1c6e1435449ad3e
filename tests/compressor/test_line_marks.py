"""compressor.line_marks: bullets, quotation signs and headings go with their line."""

from __future__ import annotations

import numpy as np
import pytest

from compressor.line_marks import follow_lines, leads
from compressor.words import split


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- a\n  * b\n• c", ["-", "*", "•"]),
        ("# a\n## b", ["#", "##"]),
        ("> > - a\n>> b", ["> > -", ">>"]),
        ("- [ ] a\n- [x] b", ["- [ ]", "- [x]"]),
        ("(a) b\n(iii) c", ["(a)", "(iii)"]),
        ("1. a\n2) b", ["1.", "2)"]),
        ("(longer than that) b", []),
        ("-5 degrees\n3.5 of them\n*bold* text", []),
        ("a - b", []),
        ("...", []),
        ("-", ["-"]),
        ("", []),
    ],
)
def test_leads(text: str, expected: list[str]) -> None:
    words = split(text)
    first, past = leads(words)
    spans = zip(words.starts[first].tolist(), words.ends[past - 1].tolist(), strict=True)
    assert [text[start:end] for start, end in spans] == expected


@pytest.mark.parametrize(
    ("text", "mask", "expected"),
    [
        ("- a b\n- c", "..xx.x", "x.xxxx"),
        ("- a b\n- c", "x..xx.", "...x.."),
        ("# a ,\nb", "..xxx", "..xxx"),  # nothing but punctuation is left of the line
        ("> a\n>\nb", ".xxxxx", "xxx.xx"),
        ("no marks", "x.", "x."),
        ("", "", ""),
    ],
)
def test_marks_follow_their_line(text: str, mask: str, expected: str) -> None:
    words = split(text)
    kept = np.array([char == "x" for char in mask], np.bool_)
    result = follow_lines(words, kept, np.zeros(len(words), np.bool_), *leads(words))
    assert "".join("x" if keep else "." for keep in result) == expected


def test_fixed_marks_stay() -> None:
    words = split("- a")
    assert follow_lines(words, np.array([True, False]), np.array([True, False]), *leads(words)).tolist() == [
        True,
        False,
    ]
