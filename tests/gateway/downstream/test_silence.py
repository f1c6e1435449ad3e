from __future__ import annotations

import math
from typing import get_args

import pytest

from gateway.downstream.silence import For, Limits, Silence, Wait

LIMITS = Limits(header_read_s=10, body_read_s=60, write_stall_s=30, idle_s=75, linger_s=2)


@pytest.mark.parametrize("what", get_args(For))
def test_every_wait_has_its_limit(what: For) -> None:
    limit_s = LIMITS.of(what)
    silence, wait = Silence(), Wait(what, 0)
    assert not silence.is_too_long(wait, 100.0, LIMITS)
    assert not silence.is_too_long(wait, 100.0 + min(limit_s, 1e9) - 0.1, LIMITS)
    assert silence.is_too_long(wait, 100.0 + limit_s, LIMITS) or limit_s == math.inf


def test_only_what_waits_for_us_waits_without_limit() -> None:
    assert {what for what in get_args(For) if LIMITS.of(what) == math.inf} == {"us"}


def test_what_moves_is_not_silent() -> None:
    silence = Silence()
    for second in range(0, 300, 20):
        assert not silence.is_too_long(Wait("body", second), second, LIMITS)


def test_waiting_for_something_else_begins_anew() -> None:
    silence = Silence()
    waits: list[tuple[float, For]] = [(0, "idle"), (70, "header"), (79, "body"), (130, "us"), (990, "idle")]
    for second, what in waits:
        assert not silence.is_too_long(Wait(what, 0), second, LIMITS)
    assert silence.is_too_long(Wait("idle", 0), 990 + 75, LIMITS)


def test_a_look_is_a_fraction_of_the_shortest_limit() -> None:
    assert Limits().look_s == 0.5
    assert Limits(linger_s=60).look_s == 1.0
    assert Limits(body_read_s=0.2).look_s == 0.05
