"""compressor.choice: what is asked anew when the tokens paid for are not those planned."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compressor.analysis import Analysis, analyse
from compressor.choice import TOLERANCE, corrected
from compressor.params import CompressionParams, Protect, RateStep

WORDS = 400
TEXT = "committee " * WORDS
PARAMS = CompressionParams(rate=0.5)


def analysed(params: CompressionParams = PARAMS) -> Analysis:
    found = analyse(TEXT, params)
    assert isinstance(found, Analysis)
    assert found.origin_tokens == pytest.approx(WORDS, abs=1)
    return found


@pytest.mark.parametrize(
    ("params", "excess_tokens", "expected"),
    [
        (PARAMS, 40, replace(PARAMS, rate=0.4)),
        (PARAMS, -40, replace(PARAMS, rate=0.6)),
        (PARAMS, int(TOLERANCE * WORDS), None),
        (PARAMS, -int(TOLERANCE * WORDS), None),
        (CompressionParams(rates=(RateStep(0.9, 100), RateStep(0.3))), 40, CompressionParams(rate=0.2)),
        (CompressionParams(rate=0.05), 100, CompressionParams(rate=0.01)),
        (CompressionParams(rate=0.95), -100, CompressionParams(rate=1.0)),
        (CompressionParams(rate=1.0), 100, None),
        (CompressionParams(threshold=0.5), 100, None),
        (CompressionParams(target_tokens=100), 7, CompressionParams(target_tokens=93)),
        (CompressionParams(target_tokens=100), -7, None),
        (CompressionParams(target_tokens=100), 0, None),
        (CompressionParams(target_tokens=5), 7, None),
    ],
)
def test_corrections(
    params: CompressionParams, excess_tokens: int, expected: CompressionParams | None
) -> None:
    better = corrected(analysed(), params, excess_tokens)
    if expected is None or better is None:
        assert better is expected
        return
    assert replace(better, rate=0.5) == replace(expected, rate=0.5)
    assert better.rate == pytest.approx(expected.rate, abs=0.005)


def test_nothing_free_leaves_nothing_to_correct() -> None:
    analysis = analysed()
    protected = analysis.protected | True
    assert corrected(replace(analysis, protected=protected), PARAMS, 100) is None


def test_the_rate_of_a_head_is_not_spent_on_the_rest() -> None:
    params = CompressionParams(rate=0.5, protect=Protect(head_tokens=200))
    better = corrected(analysed(params), params, 40)
    assert better is not None
    assert better.rate == pytest.approx(0.3, abs=0.01), "40 of the 200 tokens that are free"
