from __future__ import annotations

import pytest

from compressor.eval.reading import exact, f1, normalised, prompt


def test_the_prompt_holds_text_and_question() -> None:
    assert "Text:\nIt rained.\n\nQuestion: Did it?" in prompt("It rained.", "Did it?")


def test_case_punctuation_and_articles_do_not_count() -> None:
    assert normalised("  The Kiln, a “red” one! ") == "kiln red one"


@pytest.mark.parametrize(
    ("answer", "expected", "is_exact", "overlap"),
    [
        ("The kiln.", ["a kiln"], 1, 1),
        ("the old kiln", ["kiln"], 0, 2 / 3),
        ("a bus", ["a kiln", "bus"], 1, 1),
        ("nothing", ["kiln"], 0, 0),
        ("", ["kiln"], 0, 0),
        ("5월 3일", ["5월 3일에"], 0, 2 * 4 / 9),
        ("新包装", ["包装"], 0, 0.8),
        ("kiln", [], 0, 0),
    ],
)
def test_exact_match_and_f1(answer: str, expected: list[str], is_exact: float, overlap: float) -> None:
    assert exact(answer, expected) == is_exact
    assert f1(answer, expected) == pytest.approx(overlap)
