"""Turns between threads: work that takes many milliseconds gives way to whoever waits for the interpreter.

A thread that asks for the interpreter lock gets it after the switch interval, unless the one that has it lets
go in between: then it begins to wait anew. numpy lets go for microseconds at every larger array, so an event
loop can lose that race for 20 ms on end. A pause that is longer than waking a thread takes ends it.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

TURN_S = 0.004
"""Work between two pauses. Half as long costs a tenth of the time on a machine with other things to do."""
PAUSE_S = 0.000_05
"""Some 0.1 ms with what the system adds."""


class Turns(threading.local):
    """Each thread has its own."""

    def __init__(self, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._clock = clock
        self._sleep = sleep
        self._began_s = -math.inf

    def give_way(self) -> None:
        """Pause if this thread has worked for a turn: called between pieces of work, off the event loop."""
        if self._clock() - self._began_s >= TURN_S:
            self._sleep(PAUSE_S)
            self._began_s = self._clock()


give_way = Turns(time.perf_counter, time.sleep).give_way
