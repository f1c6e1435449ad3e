"""What the measurement of assignment measures: a request that is dealt, and nothing left out of the sum."""

from __future__ import annotations

from tests.bench_assignment import CONVERSATION, EXPERIMENT, decided, policies, steps


def test_the_request_that_is_timed_is_dealt() -> None:
    assert decided(policies(EXPERIMENT)).variant in ("control", "half")
    assert decided(policies(None)).variant is None
    assert len(CONVERSATION) == 64


def test_every_step_runs() -> None:
    assert all(step() is not None for step in steps().values())
