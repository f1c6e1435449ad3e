"""What goes on record of experiments beside the requests' entries: values, no I/O.

Nothing here holds a prompt or an answer. Two fields hold words that somebody wrote, `Feedback.reason` and
`JudgeVerdict.reason`; both are None unless the operator chose to keep them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

MAX_REASON: Final = 1_000
"""Characters of a reason that are kept."""

ExperimentStanding: TypeAlias = Literal["running", "rolled_back", "shipped"]


@dataclass(frozen=True, slots=True)
class Exposure:
    """A unit meets its arm: on record before the request goes on, so before anything can come of it."""

    experiment: str
    """Its policy's name."""
    version: str
    unit: str
    """Keyed hash."""
    arm: str
    at: float
    """Unix seconds."""
    first_tokens: int | None = None
    """Of the request as it came."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """What somebody thought of an answer."""

    id: str
    """Of the request."""
    at: float
    score: float
    """From 0 to 1, the best."""
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class JudgeVerdict:
    """Which of two answers to one request a judge preferred."""

    id: str
    """Of the request; there is one verdict a request."""
    experiment: str
    version: str
    unit: str
    at: float
    arm: str
    """The treated arm of the two."""
    winner: str
    """The control's name, `arm`, or `tie`."""
    cost_usd: float = 0.0
    """Of the mirrored request and of the judge."""
    reason: str | None = None


Note: TypeAlias = Exposure | Feedback | JudgeVerdict
"""What the ledger's writer takes beside entries."""


@dataclass(frozen=True, slots=True)
class ExperimentState:
    """What a person or the watch decided about one version of an experiment."""

    experiment: str
    version: str
    state: ExperimentStanding
    at: float
    """Since when."""
    reason: str = ""
    arms: tuple[str, ...] = ()
    """That were rolled back."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One version of one experiment, as far as it is on record."""

    experiment: str
    version: str
    n_units: int
    first_at: float
    last_at: float
