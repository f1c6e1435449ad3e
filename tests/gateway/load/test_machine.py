"""Cores, given and given back."""

from __future__ import annotations

import os
import threading

from gateway.load.machine import confined, cores


def test_confined_to_a_core_and_free_again() -> None:
    before = os.sched_getaffinity(0)
    core = min(before)
    seen: list[set[int]] = []

    with confined(core):
        thread = threading.Thread(target=lambda: seen.append(os.sched_getaffinity(0)))
        thread.start()
        thread.join()

    assert seen == [{core}]
    assert os.sched_getaffinity(0) == before


def test_two_cores_are_shared_out() -> None:
    own, other = cores()
    assert (own is None) == (other is None)
    if own is not None:
        assert own != other
