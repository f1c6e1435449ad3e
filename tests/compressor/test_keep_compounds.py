"""compressor.keep_compounds: numbers that no list holds."""

from __future__ import annotations

import pytest

from compressor.keep_compounds import compounds, romans
from compressor.words import split


def spelled(text: str, at: list[int]) -> list[str]:
    words = split(text)
    return [text[words.starts[i] : words.ends[i]] for i in sorted(at)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("thirty-six and two-thirds", ["thirty-six", "two-thirds"]),
        ("Five-year plan, vingt-deux ans", ["Five-year", "vingt-deux"]),
        ("well-known, re-two, x-ray", []),
        ("a - b", []),
        ("no hyphen", []),
        ("-two --three", []),
        ("", []),
    ],
)
def test_compounds(text: str, expected: list[str]) -> None:
    assert spelled(text, compounds(split(text)).tolist()) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Louis XIV and World War II", ["XIV", "II"]),
        ("au XIXe siècle, la Vie", ["XIXe"]),
        ("Chapter I, Part V, Section X", ["I", "V", "X"]),
        ("I think, Before I go, V said", []),
        ("vi and iv and Mix", []),
        ("I", []),
        ("", []),
    ],
)
def test_romans(text: str, expected: list[str]) -> None:
    assert spelled(text, romans(split(text)).tolist()) == expected
