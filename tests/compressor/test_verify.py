"""compressor.verify: each promise, kept and broken."""

from __future__ import annotations

import numpy as np
import pytest

from compressor.types import Span
from compressor.verify import broken_promise
from compressor.words import split

TEXT = "alpha beta gamma delta"
ALL = [[0, len(TEXT)]]


@pytest.mark.parametrize(
    ("spans", "protected", "forced_words", "broken"),
    [
        (ALL, [(6, 16)], [1], None),
        ([[0, 5], [10, 16]], [], [0, 2], None),
        ([[10, 16], [0, 5]], [], [], "order"),
        ([[0, 8], [6, 16]], [], [], "order"),
        ([[0, 99]], [], [], "order"),
        (
            [[0, 5], [6, 10]],
            [(0, 10)],
            [],
            "protected",
        ),  # both words are there, the blank between them is not
        ([[6, 10]], [(0, 5)], [], "protected"),
        ([[6, 10]], [], [0], "forced"),
        ([[0, 3]], [], [0], "forced"),
        ([], [], [3], "forced"),
        ([], [], [], None),
    ],
)
def test_promises(
    spans: list[list[int]], protected: list[Span], forced_words: list[int], broken: str | None
) -> None:
    words = split(TEXT)
    forced = np.zeros(len(words), np.bool_)
    forced[forced_words] = True
    assert broken_promise(words, np.array(spans, np.int32).reshape(-1, 2), protected, forced) == broken
