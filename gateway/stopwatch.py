"""Milliseconds by stage of one request, and when each stage was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple


class Lap(NamedTuple):
    """One time that a stage was entered and left, in seconds since the request was accepted."""

    stage: str
    began_s: float
    ended_s: float


class Stopwatch:
    """Adds up how long each named stage took; a stage entered twice counts twice."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began = clock()
        self.ms: dict[str, float] = {}
        self.laps: list[Lap] = []
        """In the order in which they ended."""

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the block, whether or not it succeeds."""
        began_s = self.elapsed_s
        try:
            yield
        finally:
            self.add(name, self.lap(name, began_s))

    def add(self, name: str, seconds: float) -> None:
        """Count `seconds` to a stage."""
        self.ms[name] = round(self.ms.get(name, 0.0) + seconds * 1e3, 3)

    def lap(self, name: str, began_s: float) -> float:
        """Note that a stage lasted from then till now; returns how long that was."""
        ended_s = self.elapsed_s
        self.laps.append(Lap(name, began_s, ended_s))
        return ended_s - began_s

    @property
    def elapsed_s(self) -> float:
        """Since the request was accepted."""
        return self._clock() - self._began

    @property
    def added_ms(self) -> float:
        """Of the whole (stage `total`), what neither the upstream nor reading the request took."""
        spent = self.ms.get("upstream", 0.0) + self.ms.get("read", 0.0)
        return max(0.0, self.ms.get("total", 0.0) - spent)

    def header(self, upstream_s: float) -> bytes:
        """As the value of x-pith-timing, in the syntax of Server-Timing (W3C): `parse;dur=0.4, …`.

        `upstream_s`: how long the upstream took until its answer began, which is now.
        """
        now = {**self.ms, "upstream": upstream_s * 1e3, "total": self.elapsed_s * 1e3}
        return ", ".join(f"{name};dur={ms:.6g}" for name, ms in now.items()).encode()
