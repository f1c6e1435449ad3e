from __future__ import annotations

import numpy as np
import pytest

from compressor.eval.fates import Kept, ink


def kept(text: str, *parts: str) -> Kept:
    """The parts of the text, in order."""
    spans = []
    at = 0
    for part in parts:
        at = text.index(part, at)
        spans.append((at, at + len(part)))
        at += len(part)
    return Kept.of(text, np.array(spans, np.int32).reshape(-1, 2), ink(text))


def fate(text: str, literal: str, *parts: str) -> str:
    start = text.index(literal)
    return kept(text, *parts).fate((start, start + len(literal)))


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (["costs $5.00 in"], "intact"),
        (["costs", " $5.00"], "intact"),
        (["costs $5", " 00"], "changed"),
        (["costs $5", "00"], "changed"),
        (["costs ", "5.00"], "changed"),
        (["costs ", " in all"], "gone"),
    ],
)
def test_a_number_in_part_is_changed(parts: list[str], expected: str) -> None:
    text = "costs $5. 00 in all" if parts[-1] == " 00" else "costs $5.00 in all"
    assert fate(text, "$5. 00" if parts[-1] == " 00" else "$5.00", *parts) == expected


def test_a_number_that_grows_together_is_changed() -> None:
    assert fate("3 or 4 men", "4", "3", "4 men") == "changed"
    assert fate("3 or 4 men", "4", "3 ", "4 men") == "intact"
    assert fate("up 5 to 7%", "5", "5", "7%") == "changed"
    assert fate("minus - x 5", "5", "-", "5") == "changed"


def test_a_full_stop_that_moves_up_changes_nothing() -> None:
    assert fate("of 5 in all. Then", "5", "of 5", ".", " Then") == "intact"
    assert fate("of 5 in all.7", "5", "of 5", ".7") == "changed"


def test_what_never_stood_apart_may_stay_together() -> None:
    assert fate("제3조에", "3", "제3조") == "intact"
    assert fate("第一条约5人", "5", "第", "5人") == "intact"


def test_whole_and_gone() -> None:
    one = kept("New  York is far", "New", "  York")
    assert one.is_whole((0, 9))
    assert not one.is_gone((0, 9))
    assert one.is_gone((10, 16))
    nothing = kept("a b")
    assert nothing.is_gone((0, 3))
    assert nothing.fate((0, 1)) == "gone"
