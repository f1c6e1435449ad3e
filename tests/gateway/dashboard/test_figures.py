"""gateway.dashboard.figures: numbers as a page shows them."""

from __future__ import annotations

import math

import pytest

from gateway.dashboard import figures


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (0.0, "$0.0000"),
        (-0.0, "$0.0000"),
        (12345.678, "$12,345.68"),
        (-1.5, "−$1.50"),
        (0.25, "$0.2500"),
        (-0.0175, "−$0.017500"),
        (0.000001, "$0.000001"),
        (-1e-9, "$0.000000"),
        (0.999, "$1.00"),
    ],
)
def test_dollars(value: float | None, shown: str) -> None:
    assert figures.usd(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "–"), (0, "0"), (1234567, "1,234,567"), (-12, "−12"), (-0.2, "0")]
)
def test_counts(value: float | None, shown: str) -> None:
    assert figures.count(value) == shown


@pytest.mark.parametrize(
    ("part", "whole", "shown"), [(1, 0, "–"), (1, 3, "33.3 %"), (-1, 8, "−12.5 %"), (-1, 100_000, "0.0 %")]
)
def test_shares(part: float, whole: float, shown: str) -> None:
    assert figures.share(part, whole) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "–"), (0.04, "0.0 ms"), (99.5, "99.5 ms"), (1234, "1,234 ms")]
)
def test_milliseconds(value: float | None, shown: str) -> None:
    assert figures.milliseconds(value) == shown


@pytest.mark.parametrize("absurd", [None, 1e300, -1e300, math.nan, math.inf])
def test_a_clock_may_say_anything(absurd: float | None) -> None:
    assert figures.moment(absurd) == "–"


def test_moments_and_means() -> None:
    assert figures.moment(1.0) == "1970-01-01 00:00:01"
    assert figures.mean(6, 4) == 1.5
    assert figures.mean(6, 0) is None
