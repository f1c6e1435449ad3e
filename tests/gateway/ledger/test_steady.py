"""Nothing is deleted by a clock that has leapt ahead."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from gateway.ledger.steady import LEAP_S, SETTLED_S, SteadyClock

DAY_S = 86_400.0


@dataclass
class Times:
    wall: float = 1.8e9
    steady: float = 50.0

    def clock(self) -> SteadyClock:
        return SteadyClock(lambda: self.wall, lambda: self.steady)

    def pass_s(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


def test_a_clock_that_goes_on_is_believed() -> None:
    times = Times()
    clock = times.clock()
    for _ in range(3):
        times.pass_s(40 * DAY_S)
        times.wall += LEAP_S / 2  # adjusted
        assert clock.now() == times.wall


def test_a_leap_ahead_is_believed_after_a_day() -> None:
    times = Times()
    clock = times.clock()
    times.wall += 400 * DAY_S
    assert clock.now() is None
    times.pass_s(SETTLED_S - 1)
    assert clock.now() is None
    times.pass_s(1)
    assert clock.now() == times.wall


@pytest.mark.parametrize("too_far_s", [0.0, 3600.0])
def test_a_clock_set_back_is_believed_at_once(too_far_s: float) -> None:
    times = Times()
    clock = times.clock()
    times.wall += 400 * DAY_S
    assert clock.now() is None
    times.wall -= 400 * DAY_S + too_far_s
    assert clock.now() == times.wall
