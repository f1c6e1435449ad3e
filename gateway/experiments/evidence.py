"""What the ledger knows of one version of an experiment, as a verdict is made of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Protocol

from gateway.experiments.records import ExperimentState, JudgeVerdict
from policies.outcomes import TIE, Outcomes
from policies.verdict import Evidence, JudgeCounts


class Record(Protocol):
    """The part of the ledger that is asked. Raises ConfigError when it cannot be read."""

    async def outcomes(self, experiment: str, version: str, since: float = 0.0) -> Outcomes:
        """Of every unit that began at `since` or later."""

    async def verdicts(self, experiment: str, version: str) -> list[JudgeVerdict]:
        """In the order in which they came."""


async def gather(
    record: Record, experiment: str, version: str, control: str, state: ExperimentState | None = None
) -> Evidence:
    """Everything on record of one version: since its last reset, and which arms are rolled back."""
    since = state.at if state is not None and state.state == "running" else 0.0
    withdrawn = frozenset(state.arms if state is not None and state.state == "rolled_back" else ())
    outcomes = await record.outcomes(experiment, version, since)
    judged = [one for one in await record.verdicts(experiment, version) if one.at >= since]
    return Evidence(experiment, version, outcomes, judge_counts(judged, control), withdrawn=withdrawn)


def judge_counts(verdicts: Iterable[JudgeVerdict], control: str) -> tuple[JudgeCounts, ...]:
    """Wins by arm. Of one unit and arm the first verdict counts: its answers are not independent."""
    first: dict[tuple[str, str], str] = {}
    for one in verdicts:
        if one.winner in (control, one.arm, TIE):
            first.setdefault((one.arm, one.unit), one.winner)
    wins = Counter((arm, winner) for (arm, _), winner in first.items())
    return tuple(
        JudgeCounts(arm, wins[arm, control], wins[arm, arm], wins[arm, TIE])
        for arm in dict.fromkeys(arm for arm, _ in wins)
    )
