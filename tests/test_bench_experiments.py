"""The measurement of experiments prints every table; what it measures is tested where that lives."""

from __future__ import annotations

from pathlib import Path

from tests import bench_experiments as bench
from tests.experiment_replays import dealt
from tests.policies.made_outcomes import outcomes


def test_false_alarms_are_told_for_every_question() -> None:
    table = bench.false_alarms("few", outcomes(400), dealt([str(i) for i in range(400)], ["a", "b"]))
    assert table.row_count == 8


def test_what_is_found_is_told_by_size() -> None:
    assert bench.power(2).row_count == len(bench.EFFECTS)
    assert bench.detection(1).row_count == 3


def test_the_price_is_told(tmp_path: Path) -> None:
    assert bench.times(tmp_path, 1_000).row_count == 5
