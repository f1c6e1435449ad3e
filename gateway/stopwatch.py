"""Milliseconds by stage of one request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stopwatch:
    """Adds up how long each named stage took; a stage entered twice counts twice."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began = clock()
        self.ms: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the block, whether or not it succeeds."""
        began = self._clock()
        try:
            yield
        finally:
            self.add(name, self._clock() - began)

    def add(self, name: str, seconds: float) -> None:
        """Count `seconds` to a stage."""
        self.ms[name] = round(self.ms.get(name, 0.0) + seconds * 1e3, 3)

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
