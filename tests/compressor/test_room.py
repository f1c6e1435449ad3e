"""How large a batch memory takes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from compressor.room import HOLD_S, Room


def test_nothing_learned_is_the_configured_bound() -> None:
    assert Room(16_384).bound(1e9) == 16_384


def test_what_was_learned_holds_for_a_while_and_grows_back() -> None:
    room = Room(16_384)
    room.failed(16_384, 100.0)
    room.failed(8192, 100.0)
    ages = (0.0, HOLD_S - 1, HOLD_S, 2 * HOLD_S - 1, 2 * HOLD_S, 10 * HOLD_S, 1e12)
    assert [room.bound(100.0 + age) for age in ages] == [4096, 4096, 8192, 8192, 16_384, 16_384, 16_384]


def test_a_clock_that_steps_back_changes_nothing() -> None:
    room = Room(100)
    room.failed(100, 50.0)
    assert room.bound(0.0) == 50


@given(st.integers(1, 1 << 20), st.integers(0, 1 << 20), st.floats(0, 1e9))
def test_halving_ends_at_one_and_growing_at_the_bound(most: int, failed: int, age: float) -> None:
    room = Room(most)
    room.failed(failed, 0.0)
    assert 1 <= room.bound(age) <= most
    assert room.bound(1e9) == most
