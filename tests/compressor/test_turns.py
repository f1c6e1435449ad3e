"""That work gives way after a turn, each thread for itself, and not more often."""

from __future__ import annotations

import threading

from compressor.turns import PAUSE_S, TURN_S, Turns


class Time:
    """Passes when it is told to, and in sleep."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.slept: list[str] = []

    def clock(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        assert seconds == PAUSE_S
        self.slept.append(threading.current_thread().name)
        self.now_s += seconds


def test_a_thread_pauses_at_first_and_after_each_turn() -> None:
    time = Time()
    turns = Turns(time.clock, time.sleep)
    pauses = []
    for _ in range(5):
        turns.give_way()
        pauses.append(len(time.slept))
        time.now_s += 0.6 * TURN_S
    assert pauses == [1, 1, 2, 2, 3]


def test_threads_take_turns_of_their_own() -> None:
    time = Time()
    turns = Turns(time.clock, time.sleep)
    turns.give_way()
    other = threading.Thread(target=turns.give_way, name="other")
    other.start()
    other.join()
    turns.give_way()
    assert time.slept == ["MainThread", "other"]
