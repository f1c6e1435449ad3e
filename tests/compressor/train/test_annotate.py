"""Grades and their quality."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressor.errors import DataError
from compressor.train.annotate import Concurrence, annotate, concurrence, grade
from compressor.train.records import Record
from compressor.train.units import units_of

LANGUAGES = st.sampled_from(["en", "ko", "ja", "zh", "fr"])


def record(**fields: Any) -> Record:
    return Record("f:1", {"id": "a", "lang": "en", **fields})


def test_a_record_gains_grades_and_quality() -> None:
    found = annotate(
        record(
            text="Well, the release is not before May 3.",
            light="release is not before May 3.",
            heavy="not before May 3.",
            src="kept as it is",
        )
    )
    assert found["grades"] == "00112222"
    assert found["src"] == "kept as it is"
    assert found["quality"] == {
        "light": {"variation": 0.0, "hitting": 0.75, "matching": 0.75, "gap": 0.0},
        "heavy": {"variation": 0.0, "hitting": 0.5, "matching": 0.5, "gap": 0.0},
    }


@pytest.mark.parametrize(
    ("language", "text", "light", "heavy", "grades"),
    [
        (
            "ko",
            "우리는 회의에서 예산을 3억으로 정했다.",
            "회의에서 예산을 3억으로 정했다.",
            "예산 3억으로",
            "01221",
        ),
        ("zh", "会议决定预算为三亿。", "会议决定预算三亿", "预算三亿", "1111220220"),
        ("ja", "予算は 三億円 です", "予算三億円", "三億円", "11022200"),
    ],
)
def test_grades_by_script(language: str, text: str, light: str, heavy: str, grades: str) -> None:
    assert grade(text, light, heavy, language).grades == grades


def test_heavy_is_found_where_light_is() -> None:
    text = "Yes. We agreed to ship. Yes, we ship on Friday."
    assert (
        grade(text, "agreed to ship. Yes, we ship on Friday.", "Yes, ship Friday.", "en").grades
        == "0011121212"
    )


def test_words_made_up_are_variation() -> None:
    quality = grade("we ship on Friday", "we ship soon", "ship soon", "en").quality
    assert quality["light"].variation == pytest.approx(1 / 3)
    assert quality["heavy"].variation == pytest.approx(1 / 2)
    assert quality["light"].gap == 0


def test_words_out_of_order_are_a_gap() -> None:
    quality = grade("one two three four", "four three two one", "one", "en").quality
    assert quality["light"].variation == 0
    assert quality["light"].gap == pytest.approx(3 / 4)


@given(st.lists(st.text("abcdeàß", min_size=1), unique_by=str.casefold), st.data())
def test_a_deletion_of_unique_words_is_graded_exactly(words: list[str], data: st.DataObject) -> None:
    folded = [word.replace("ß", "ss") for word in words]
    words = [word for i, word in enumerate(words) if folded.index(folded[i]) == i]
    grades = data.draw(st.lists(st.integers(0, 2), min_size=len(words), max_size=len(words)))
    light, heavy = (
        " ".join(word for word, kept in zip(words, grades, strict=True) if kept >= least) for least in (1, 2)
    )
    found = grade(" ".join(words), light, heavy, "en")
    assert found.grades == "".join(map(str, grades))
    assert all(quality.variation == quality.gap == 0 for quality in found.quality.values())


@given(st.text(st.characters()), st.text(st.characters()), st.text(st.characters()), LANGUAGES)
def test_any_strings_have_as_many_grades_as_units(text: str, light: str, heavy: str, language: str) -> None:
    found = grade(text, light, heavy, language)
    assert len(found.grades) == len(units_of(text, language))
    for quality in found.quality.values():
        assert 0 <= quality.variation <= 1
        assert 0 <= quality.matching <= 1


@pytest.mark.parametrize("name", ["text", "light", "heavy", "lang"])
def test_a_field_that_is_missing(name: str) -> None:
    whole = {"text": "a", "light": "a", "heavy": "a", "lang": "en"}
    with pytest.raises(DataError, match=f"f:1: `{name}` is missing"):
        annotate(Record("f:1", {key: value for key, value in whole.items() if key != name}))


def test_concurrence_by_language() -> None:
    one = {"text": "a b c d", "light": "a b", "heavy": "a"}
    found = concurrence(
        [record(**one, grades="2100"), record(**one, grades="1110"), record(**one, grades="2100", lang="fr")]
    )
    assert found == {"en": Concurrence(2, 8, 6, 7, 7), "fr": Concurrence(1, 4, 4, 4, 4)}
    assert found["en"].shares() == {"grades": 0.75, "light": 0.875, "heavy": 0.875}
    assert Concurrence().shares() == {"grades": 0, "light": 0, "heavy": 0}


@pytest.mark.parametrize("grades", ["210", "21003", "2 00"])
def test_grades_that_do_not_fit(grades: str) -> None:
    with pytest.raises(DataError, match="must be a digit 0, 1 or 2 for each of 4 units"):
        concurrence([record(text="a b c d", light="a b", heavy="a", grades=grades)])
