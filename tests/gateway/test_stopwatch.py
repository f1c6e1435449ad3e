"""gateway.stopwatch: milliseconds by stage, on a clock of the test's own."""

from __future__ import annotations

import pytest

from gateway.stopwatch import Lap, Stopwatch


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_stages_add_up_and_are_told_in_order() -> None:
    clock = Clock()
    watch = Stopwatch(clock)
    with watch.stage("parse"):
        clock.now += 0.0015
    with watch.stage("compress"):
        clock.now += 2.0
    with watch.stage("parse"):
        clock.now += 0.0005
    clock.now += 1.0
    assert watch.ms == {"parse": 2.0, "compress": 2000.0}
    assert watch.elapsed_s == pytest.approx(3.002)
    said = watch.header(upstream_s=0.5)
    assert said == b"parse;dur=2, compress;dur=2000, upstream;dur=500, total;dur=3002"


def test_a_stage_that_fails_is_timed_too() -> None:
    clock = Clock()
    watch = Stopwatch(clock)

    def work() -> None:
        with watch.stage("splice"):
            clock.now += 0.25
            raise KeyError

    with pytest.raises(KeyError):
        work()
    assert watch.ms == {"splice": 250.0}


def test_what_was_added_is_neither_the_upstreams_time_nor_the_readings() -> None:
    watch = Stopwatch(Clock())
    assert watch.added_ms == 0.0
    for name, seconds in (("read", 0.5), ("compress", 0.25), ("upstream", 2.0), ("total", 2.75)):
        watch.add(name, seconds)
    assert watch.added_ms == 250.0


def test_what_was_only_sent_on_tells_of_the_upstream() -> None:
    assert Stopwatch(Clock()).header(upstream_s=0.25) == b"upstream;dur=250, total;dur=0"


def test_laps_tell_when_each_stage_was() -> None:
    clock = Clock()
    watch = Stopwatch(clock)
    clock.now += 1.0
    with watch.stage("parse"):
        clock.now += 0.5
    began_s = watch.elapsed_s
    clock.now += 2.0
    assert watch.lap("upstream", began_s) == 2.0
    assert watch.laps == [Lap("parse", 1.0, 1.5), Lap("upstream", 1.5, 3.5)]
    assert watch.ms == {"parse": 500.0}, "a lap that is noted is not added up"
