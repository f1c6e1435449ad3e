"""gateway.dashboard.intervals: what is drawn lies in the box, and where it says."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dashboard.intervals import WIDTH, Drawing, Span, draw

numbers = st.floats(allow_nan=True, allow_infinity=True)


def test_nought_is_in_the_middle_and_the_sides_are_what_they_say() -> None:
    [drawn] = draw([Span(-0.3, -0.1, -0.2, 0.05)])
    assert drawn is not None
    assert drawn.zero_x == WIDTH / 2
    assert drawn.bar_x < drawn.bar_x + drawn.bar_width < drawn.zero_x
    assert drawn.bar_x < drawn.mark_x < drawn.bar_x + drawn.bar_width
    assert drawn.margin_x is not None
    assert drawn.margin_x > drawn.zero_x
    assert not drawn.is_cut


def test_arms_of_a_metric_have_one_scale() -> None:
    small, large = draw([Span(-0.1, 0.1, 0.0), Span(-0.2, 0.2, 0.1)])
    assert small is not None
    assert large is not None
    assert large.bar_width == pytest.approx(2 * small.bar_width)


def test_an_interval_far_wider_than_all_else_is_cut_at_the_edge() -> None:
    [drawn] = draw([Span(-50.0, 50.0, 0.0, 0.01)])
    assert drawn is not None
    assert (drawn.bar_x, drawn.bar_width, drawn.is_cut) == (0.0, WIDTH, True)


def test_what_has_no_ends_is_not_drawn() -> None:
    assert draw([None, Span(math.nan, 1.0, 0.0), Span(0.0, 1.0, math.inf)]) == [None, None, None]
    assert draw([]) == []


@given(st.lists(st.builds(Span, numbers, numbers, numbers, st.none() | st.floats(0, 1)), max_size=4))
def test_whatever_is_drawn_lies_in_the_box(spans: list[Span]) -> None:
    for drawn in draw(spans):
        if isinstance(drawn, Drawing):
            assert 0 <= drawn.bar_x <= WIDTH
            assert 0 < drawn.bar_width <= WIDTH + 0.5
            assert 0 <= drawn.mark_x <= WIDTH
            assert drawn.margin_x is None or 0 <= drawn.margin_x <= WIDTH
