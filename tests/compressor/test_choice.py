"""compressor.choice: what a choice may come to, and what is asked anew when it does not."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from compressor.analysis import Analysis, analyse
from compressor.choice import Goal, Tried, choose, correction, goal
from compressor.params import CompressionParams, RateStep

WORDS = 400
TEXT = "committee " * WORDS
PARAMS = CompressionParams(rate=0.5)


def analysed(params: CompressionParams = PARAMS) -> Analysis:
    found = analyse(TEXT, params)
    assert isinstance(found, Analysis)
    assert found.origin_tokens == WORDS + 1
    return found


@pytest.mark.parametrize(
    ("params", "planned_tokens", "expected"),
    [
        (PARAMS, 200, Goal(196, 204)),
        (CompressionParams(rates=(RateStep(0.9, 100), RateStep(0.3))), 120, Goal(116, 124)),
        (CompressionParams(rate=1.0), 400, None),
        (CompressionParams(rates=(RateStep(1.0, 1000),)), 400, None),
        (CompressionParams(threshold=0.5), 100, None),
        (CompressionParams(target_tokens=100), 99, Goal(91, 100, is_limit=True)),
        (CompressionParams(target_tokens=100), 130, Goal(122, 130, is_limit=True)),
    ],
)
def test_goals(params: CompressionParams, planned_tokens: int, expected: Goal | None) -> None:
    found = goal(analysed(), params, planned_tokens)
    if expected is None or found is None:
        assert found is expected
        return
    assert (round(found.least), round(found.most), found.is_limit) == (
        expected.least,
        expected.most,
        expected.is_limit,
    )


def test_how_far_off_a_result_is() -> None:
    assert [Goal(90, 110).miss(tokens) for tokens in (85, 90, 110, 117)] == [5, 0, 0, 7]
    assert [Goal(90, 110, is_limit=True).miss(tokens) for tokens in (85, 110, 111)] == [5, 0, math.inf]


@pytest.mark.parametrize(
    ("tried", "expected"),
    [
        ([Tried(0, 130)], -30),
        ([Tried(0, 70)], 30),
        ([Tried(0, 140), Tried(-40, 120)], -80),  # half of what was asked for came
        ([Tried(0, 140), Tried(-40, 90)], -32),  # more than was asked for
        ([Tried(0, 140), Tried(-40, 140)], -200),  # nothing came: not without limit
        ([Tried(0, 140), Tried(-40, 150)], -240),  # the other way
        ([Tried(0, 100)], -1),  # never the same again
    ],
)
def test_corrections(tried: list[Tried], expected: int) -> None:
    assert correction(tried, Goal(90, 110)) == expected


@pytest.mark.parametrize("params", [PARAMS, CompressionParams(target_tokens=200)])
@pytest.mark.parametrize("more", [-60, 0, 60])
def test_a_correction_is_spent(params: CompressionParams, more: int) -> None:
    analysis = analysed(params)
    scores = np.full(len(analysis.words), 7, np.uint16)
    assert choose(analysis, scores, params, more).planned_tokens == pytest.approx(200 + more, abs=1)


def test_protected_words_are_no_correction() -> None:
    analysis = analysed()
    protected = replace(analysis, protected=analysis.protected | True)
    scores = np.full(len(analysis.words), 7, np.uint16)
    assert choose(protected, scores, PARAMS, -300).kept.all()
