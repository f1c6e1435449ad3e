"""gateway.fleet: counts of several workers add up, outlive them, and never fall; the mode reaches all."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.fleet import Alone, Fleet, SharedFolder
from gateway.metrics import SKIPS, Metrics, Snapshot
from tests.tracked import ROOT

KEY = (SKIPS.name, ("rag", "short"))


def counts(n: int, in_flight: float = 0.0) -> Snapshot:
    made = Metrics()
    made.add(SKIPS, KEY[1], n)
    return made.snapshot().plus(Snapshot(gauges={("pith_in_flight", ()): in_flight}))


@pytest.mark.parametrize("make", [lambda folder: Alone(), lambda folder: SharedFolder(folder, 0)])
def test_one_worker_hears_of_itself(make: Callable[[Path], Fleet], tmp_path: Path) -> None:
    fleet = make(tmp_path)
    assert fleet.total() == Snapshot()
    assert fleet.exchange(counts(1)) == "on"
    fleet.restrict("off")
    assert fleet.exchange(counts(2)) == "off"
    assert fleet.total() == counts(2)


def test_workers_add_up_and_the_mode_reaches_all(tmp_path: Path) -> None:
    one, two = SharedFolder(tmp_path, 0), SharedFolder(tmp_path, 1)
    one.exchange(counts(1, in_flight=2))
    two.exchange(counts(10, in_flight=3))
    assert one.total() == two.total() == counts(11, in_flight=5)
    one.restrict("shadow")
    assert two.exchange(counts(10)) == "shadow"
    two.restrict("on")
    assert one.exchange(counts(1)) == "on"


def test_who_replaces_a_worker_goes_on_counting_where_it_ended(tmp_path: Path) -> None:
    other, dead = SharedFolder(tmp_path, 0), SharedFolder(tmp_path, 1)
    other.exchange(counts(1))
    dead.exchange(counts(10, in_flight=3))
    replacement = SharedFolder(tmp_path, 1)
    assert other.total().counters == {KEY: 11}
    replacement.exchange(counts(5, in_flight=1))
    assert other.total() == counts(16, in_flight=1)


def test_gauges_of_a_process_that_is_gone_do_not_count(tmp_path: Path) -> None:
    program = (
        "from pathlib import Path; from gateway.fleet import SharedFolder\n"
        "from tests.gateway.test_fleet import counts\n"
        f"SharedFolder(Path({str(tmp_path)!r}), 0).exchange(counts(7, in_flight=3))"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=60)
    total = SharedFolder(tmp_path, 1).total()
    assert total.counters == {KEY: 7}
    assert total.gauges == {}


def test_a_folder_that_is_gone_is_an_os_error(tmp_path: Path) -> None:
    fleet = SharedFolder(tmp_path / "gone", 0)
    with pytest.raises(OSError, match="gone"):
        fleet.exchange(counts(1))
    with pytest.raises(OSError, match="gone"):
        fleet.restrict("off")
