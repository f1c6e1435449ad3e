"""Units, and when two of them are the same word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressor.train.units import Keys, is_by_character, stem, units_of


@pytest.mark.parametrize(
    ("text", "language", "units"),
    [
        ("Two  words\n here", "en", ["Two", "words", "here"]),
        ("회의에서 정했다", "ko", ["회의에서", "정했다"]),
        ("東京 へ", "ja", ["東", "京", "へ"]),
        ("用 v2", "zh-hant", ["用", "v", "2"]),
        (" \n", "en", []),
        ("", "zh", []),
    ],
)
def test_units(text: str, language: str, units: list[str]) -> None:
    assert units_of(text, language) == units


def test_languages_without_spaces() -> None:
    assert [language for language in ("zh", "zh-hant", "ja", "ko", "en") if is_by_character(language)] == [
        "zh",
        "zh-hant",
        "ja",
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [("The", "the"), ("(delay),", "delay"), ("ＡＢＣ", "abc"), ("Straße", "STRASSE"), ("—", "—")],
)
def test_case_width_and_outer_punctuation_do_not_matter(one: str, other: str) -> None:
    assert Keys.of(one).folded == Keys.of(other).folded


@pytest.mark.parametrize(("one", "other"), [("3.8", "38"), ("well-known", "known"), ("—", "("), ("是", "不")])
def test_what_is_inside_matters(one: str, other: str) -> None:
    assert Keys.of(one) != Keys.of(other)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("회의에서는", "회의"),
        ("예산", "예산"),
        ("사용자가", "사용자"),
        ("은", "은"),  # nothing would be left
        ("maria's", "maria"),
        ("its", "its"),
    ],
)
def test_a_stem_has_no_particle(word: str, expected: str) -> None:
    assert stem(word) == expected


def test_the_head_of_a_link_is_its_text() -> None:
    assert Keys.of("[`useState`](/reference/react/useState)").head == "usestate"


@given(st.text(st.characters(), min_size=1))
def test_every_unit_has_keys(unit: str) -> None:
    keys = Keys.of(unit)
    assert keys.folded
    assert keys.head


@given(st.text(st.characters()), st.sampled_from(["en", "ko", "ja", "zh-hant"]))
def test_units_are_the_text_without_white_space(text: str, language: str) -> None:
    assert "".join(units_of(text, language)) == "".join(text.split())
