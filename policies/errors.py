"""Errors of the policies package.

PolicyError              a policy or configuration document is wrong; carries every problem found
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value came from: a line of a file, or an environment variable or flag (no line)."""

    source: str
    line: int | None = None

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: `file:line: path: what is wrong; remedy`."""

    place: Place
    message: str
    path: str = ""

    def __str__(self) -> str:
        where = f"{self.place}: {self.path}" if self.path else str(self.place)
        return f"{where}: {self.message}"


class PolicyError(Exception):
    """A policy or configuration document is wrong. The message lists every problem, one a line."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


def unreadable(path: Path, error: OSError) -> PolicyError:
    """For a file that cannot be opened or read."""
    reason = f"cannot be read ({error.strerror}); check the path and its permissions"
    return PolicyError([Problem(Place(str(path)), reason)])
