"""Whether the process is about to stop: told by the server, read by whoever speaks of readiness."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Draining:
    """Once on, it stays on: answers end their connections, and `/pith/readyz` says 503."""

    is_on: bool = False
