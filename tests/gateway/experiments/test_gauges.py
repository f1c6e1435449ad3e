"""gateway.experiments.gauges: what Prometheus is told of experiments."""

from __future__ import annotations

from gateway.experiments.gauges import snapshot
from tests.gateway.experiments.known_ones import CENSUS, NOTHING


def test_of_those_in_force_units_state_verdict_and_rollbacks() -> None:
    told = snapshot(CENSUS)
    assert told.gauges["pith_experiment_units", ("rag", "half")] == 3_990
    assert told.gauges["pith_experiment_state", ("support", "rolled_back")] == 1
    assert told.gauges["pith_experiment_state", ("support", "running")] == 0
    assert told.gauges["pith_experiment_verdict", ("agents", "ship")] == 1
    assert told.gauges["pith_experiment_verdict", ("agents", "keep_running")] == 0
    assert told.gauges["pith_experiment_sample_ratio_alarm", ("mail",)] == 1
    assert told.gauges["pith_experiment_sample_ratio_alarm", ("rag",)] == 0
    assert told.counters["pith_experiment_rollbacks_total", ("support",)] == 1
    assert told.counters["pith_experiment_rollbacks_total", ("rag",)] == 0


def test_one_without_units_has_a_state_and_no_verdict() -> None:
    told = snapshot(CENSUS).gauges
    assert told["pith_experiment_state", ("new", "running")] == 1
    assert not [key for key in told if key[0] == "pith_experiment_verdict" and key[1][0] == "new"]


def test_before_the_first_reading_and_without_experiments_there_is_nothing() -> None:
    assert not snapshot(None).gauges
    assert not snapshot(NOTHING).counters
