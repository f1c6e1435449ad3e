"""What is known of the experiments, for the command line, the admin listener and the metrics (pure)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, TypeAlias

from policies.verdict import Verdict

Standing: TypeAlias = Literal["running", "rolled_back", "ended"]
"""`ended`: no policy in force has this version of the experiment any more."""

STANDINGS: Final[tuple[Standing, ...]] = ("running", "rolled_back", "ended")


@dataclass(frozen=True, slots=True)
class Change:
    """One change of an experiment's state."""

    at: float
    """Unix seconds."""
    state: str
    reason: str | None = None
    arms: tuple[str, ...] = ()
    """That were rolled back."""


@dataclass(frozen=True, slots=True)
class Known:
    """One version of one experiment."""

    name: str
    """Its policy's."""
    version: str
    standing: Standing
    withdrawn: tuple[str, ...] = ()
    """Arms that get what control gets, until a reset."""
    verdict: Verdict | None = None
    """None: nobody has taken part, or nobody knows any more how it was planned."""
    n_units: int = 0
    last_at: float | None = None
    """Of its last request."""
    changes: tuple[Change, ...] = ()
    """The latest first."""

    @property
    def is_open(self) -> bool:
        return self.standing != "ended"


@dataclass(frozen=True, slots=True)
class Census:
    """All of them, those in force first."""

    experiments: tuple[Known, ...]
    read_at: float

    def named(self, name: str) -> Known | None:
        """The one in force, else the latest version on record."""
        return next((known for known in self.experiments if known.name == name), None)


def as_json(census: Census) -> dict[str, Any]:
    """The same from `pith experiment list --json` and `/v1/experiments`. A number that is none is null."""
    return {"read_at": census.read_at, "experiments": [one_as_json(known) for known in census.experiments]}


def one_as_json(known: Known) -> dict[str, Any]:
    """One experiment; orjson writes infinities and NaN as null."""
    said = asdict(known)
    if known.verdict is not None:
        said["verdict"]["withdrawn"] = sorted(known.verdict.withdrawn)
    return said
