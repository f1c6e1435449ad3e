"""That the soak says "leak" when something leaks, and runs; half an hour of it is run by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from click.testing import CliRunner

from tests.e2e.soak import Sample, judge, main

REST = Sample(0, rss_mib=100, fds=20, threads=5, tasks=9, requests=0, turns=0, idle=0)


def samples(*rss_mib: float) -> list[Sample]:
    return [replace(REST, at_s=60.0 * n, rss_mib=rss) for n, rss in enumerate(rss_mib)]


def test_nothing_that_stays_the_same_is_a_leak() -> None:
    verdict = judge(samples(100, 104, 99, 103, 100), REST, replace(REST, fds=19), 0)
    assert verdict.faults == ()
    assert abs(verdict.grown_mib) < 1


@pytest.mark.parametrize("name", ["fds", "tasks", "requests", "turns", "idle"])
def test_anything_left_at_rest_is(name: str) -> None:
    after = replace(REST, **{name: getattr(REST, name) + 1})
    [fault] = judge(samples(100, 100), REST, after, 0).faults
    assert fault.startswith(f"{name}: ")


def test_memory_that_grows_is() -> None:
    verdict = judge(samples(100, 103, 106, 109, 112), REST, REST, 0)
    assert verdict.slope_mib_h == pytest.approx(180)
    assert verdict.faults == ("memory grew by 12.0 MiB, more than 8.0",)


def test_a_soak_whose_requests_fail_shows_nothing() -> None:
    assert judge(samples(100, 100), REST, REST, 3).faults == ("3 requests failed",)


def test_a_short_one_runs() -> None:
    ran = CliRunner().invoke(main, ["--minutes", "0.05", "--clients", "4", "--interval", "1"])
    leaks = [line for line in ran.output.splitlines() if line.startswith("LEAK")]
    assert [leak for leak in leaks if "memory" not in leak] == [], ran.output  # which still fills its caches
    assert "verdict: " in ran.output
