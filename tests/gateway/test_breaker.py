"""When a place is no longer tried, and when it is again."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.breaker import Breaker


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def opened(clock: Clock) -> Breaker:
    breaker = Breaker(clock, failures=3, window_s=10, open_s=5)
    for _ in range(3):
        assert breaker.allows()
        breaker.failed()
    return breaker


def test_it_opens_at_the_last_of_so_many_failures_in_a_row() -> None:
    breaker = Breaker(Clock(), failures=3)
    for _ in range(2):
        breaker.failed()
        assert (breaker.state, breaker.allows(), breaker.wait_s) == ("closed", True, 0)
    breaker.failed()
    assert (breaker.state, breaker.allows(), breaker.wait_s) == ("open", False, 5)


def test_a_success_between_begins_the_count_anew() -> None:
    breaker = Breaker(Clock(), failures=3)
    for is_failure in (True, True, False, True, True):
        breaker.failed() if is_failure else breaker.succeeded()
    assert breaker.state == "closed"


@pytest.mark.parametrize(("step_s", "expected"), [(5.0, "open"), (5.1, "closed")])
def test_failures_count_together_within_the_window(step_s: float, expected: str) -> None:
    clock = Clock()
    breaker = Breaker(clock, failures=3, window_s=10)
    for _ in range(3):
        breaker.failed()
        clock.now += step_s
    clock.now -= step_s
    assert breaker.state == expected


def test_half_open_lets_one_through() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += 5
    assert (breaker.state, breaker.wait_s) == ("half_open", 0)
    assert [breaker.allows() for _ in range(3)] == [True, False, False]


def test_a_probe_that_fails_keeps_it_open_for_as_long_again() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += 5
    assert breaker.allows()
    clock.now += 1
    breaker.failed()
    assert (breaker.state, breaker.wait_s) == ("open", 4)
    clock.now += 4
    assert breaker.allows()


def test_a_probe_that_succeeds_closes_it() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += 5
    assert breaker.allows()
    breaker.succeeded()
    assert (breaker.state, breaker.allows()) == ("closed", True)
    breaker.failed()
    assert breaker.state == "closed"


def test_a_probe_that_never_reports_does_not_wedge_it() -> None:
    clock = Clock()
    breaker = opened(clock)
    for _ in range(3):
        clock.now += 5
        assert [breaker.allows(), breaker.allows()] == [True, False]


def test_late_failures_of_earlier_attempts_do_not_keep_it_open_longer() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += 4
    breaker.failed()
    assert breaker.wait_s == 1


@given(st.lists(st.tuples(st.sampled_from(["allows", "failed", "succeeded"]), st.integers(0, 20))))
def test_at_most_one_attempt_every_open_s_while_it_is_not_closed(events: list[tuple[str, int]]) -> None:
    clock = Clock()
    breaker = Breaker(clock, failures=2, window_s=10, open_s=5)
    last_probe = float("-inf")
    for name, pause_s in events:
        clock.now += pause_s
        was_closed = breaker.state == "closed"
        is_allowed = getattr(breaker, name)()
        if name == "succeeded":
            assert (breaker.state, breaker.wait_s) == ("closed", 0)
        elif is_allowed and not was_closed:
            assert breaker.state == "open"
            assert clock.now >= last_probe + 5
            last_probe = clock.now
