"""What ends experiments by itself, and what every process obeys.

Each process reads every `poll_s` which arms are rolled back, and obeys; while the ledger does not answer,
what was read last holds. It looks at the guardrails of the experiments in force as often as that is cheap,
and counts by itself which of its requests failed (`policies/rollback.py` has that rule): what it finds holds
here at once, and elsewhere once it is written. A person's reset lets the arms run again; judged is from then
on what began after it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from gateway.errors import ConfigError
from gateway.experiments.evidence import judge_counts
from gateway.experiments.records import ExperimentState, JudgeVerdict
from gateway.ledger.experiment_sums import SummedFigures, Sums
from gateway.ledger.unit_sums import CLIENT_GONE, FAILED
from gateway.trouble import Trouble
from gateway.types import Entry
from policies.match import PolicySet
from policies.outcomes import JUDGE, METRICS, Metric
from policies.rollback import LAST, RolledBack, Trial, fails_alone
from policies.schema import Policy
from policies.strictness import treated_arms
from policies.verdict import Harm, harms_of

logger = logging.getLogger(__name__)

Key = tuple[str, str]
"""Policy and version."""

LOOK_S: Final = 10.0
_TIMES_AS_LONG: Final = 50.0
"""As a look took: at most a fiftieth of a core and of the database goes into this, of all workers."""


class Books(Protocol):
    """The ledger, as far as it knows of experiments. Everything raises ConfigError."""

    async def states(self) -> list[ExperimentState]: ...

    async def set_state(self, state: ExperimentState) -> None: ...

    async def sums(
        self, experiment: str, version: str, metrics: Sequence[Metric], since: float = 0.0
    ) -> dict[str, Sums]: ...

    async def verdicts(self, experiment: str, version: str) -> list[JudgeVerdict]: ...


@dataclass(slots=True)
class Rollbacks:
    """What is rolled back: as the ledger says, and what this process found and has not written yet."""

    policies: Callable[[], PolicySet]
    clock: Callable[[], float] = time.time
    arms: RolledBack = field(default_factory=dict)
    """In force here."""
    found: dict[Key, ExperimentState] = field(default_factory=dict)
    """Still to be written."""
    states: dict[Key, ExperimentState] = field(default_factory=dict)
    """As last read."""
    _trials: dict[Key, dict[str, deque[Trial]]] = field(default_factory=dict)

    def note(self, entry: Entry) -> None:
        """A request has ended. Cheap, from the event loop.

        What has no unit counts for no experiment: its client, or the operator, wanted it left alone.
        """
        if entry.variant is None or entry.policy is None or entry.policy_version is None:
            return
        if entry.unit is None:
            return
        key, has_failed = (entry.policy, entry.policy_version), _has_failed(entry)
        trials = self._trials.setdefault(key, {}).setdefault(entry.variant, deque(maxlen=LAST))
        trials.append(Trial(entry.created_at, has_failed, entry.unit))
        policy = self.policies().named(key[0]) if has_failed and self._is_in_force(key) else None
        if policy is not None:
            self._judge(policy, entry.variant)

    def take(self, states: Sequence[ExperimentState]) -> None:
        """What the ledger says, read anew."""
        before, self.states = self.states, {(one.experiment, one.version): one for one in states}
        for key, state in self.states.items():
            if (old := before.get(key)) is not None and old.at == state.at and old.state == state.state:
                continue
            if state.state == "rolled_back":
                # of older versions only conversations remember anything: no news at every start
                level = logging.WARNING if self._is_in_force(key) else logging.DEBUG
                logger.log(
                    level, "experiment %s %s is rolled back (%s): %s", *key, _list(state), state.reason
                )
            elif old is not None:
                logger.warning("experiment %s %s is %s: %s", *key, state.state, state.reason)
                self._trials.pop(key, None)
                self.found.pop(key, None)
        self._obey()

    def roll_back(self, policy: Policy, harms: Sequence[Harm]) -> None:
        """These arms get what control gets, here from now on."""
        key = (policy.name, policy.version)
        arms = self.arms.get(key, frozenset())
        new = [harm for harm in harms if harm.arm not in arms]
        if not new:
            return
        reason = " ".join(harm.reason for harm in new)
        together = tuple(sorted({*arms, *(harm.arm for harm in new)}))
        state = ExperimentState(*key, "rolled_back", self.clock(), reason, together)
        logger.warning("rolling back experiment %s %s (%s): %s", *key, _list(state), reason)
        self.found[key] = state
        self._obey()

    def since(self, key: Key) -> float:
        """What began before the last reset is not judged again."""
        state = self.states.get(key)
        return state.at if state is not None and state.state == "running" else 0.0

    def _is_in_force(self, key: Key) -> bool:
        policy = self.policies().named(key[0])
        return policy is not None and policy.version == key[1]

    def _judge(self, policy: Policy, arm: str) -> None:
        experiment, key = policy.experiment, (policy.name, policy.version)
        if experiment is None or arm not in treated_arms(experiment) or arm in self.arms.get(key, ()):
            return
        trials = self._trials[key]
        treated, control = trials[arm], trials.get(experiment.control_name, ())
        if fails_alone(tuple(treated), tuple(control)):
            n_failed = sum(trial.has_failed for trial in treated)
            reason = (
                f"{n_failed} of the last {len(treated)} requests of {arm!r} failed, and control's did not."
            )
            self.roll_back(policy, [Harm(arm, "errors", reason)])

    def _obey(self) -> None:
        arms: dict[Key, frozenset[str]] = {}
        for key, state in (*self.states.items(), *self.found.items()):
            if state.state == "rolled_back":
                arms[key] = arms.get(key, frozenset()) | frozenset(state.arms)
        self.arms = arms


class Watch:
    """Keeps `Rollbacks` in step with the ledger, and looks at guardrails."""

    def __init__(self, rollbacks: Rollbacks, books: Books, *, n_sharing: int = 1, turn: int = 0) -> None:
        """`n_sharing`: so many processes look by turns; `turn`: which of them is this."""
        self._rollbacks, self._books, self._n_sharing = rollbacks, books, n_sharing
        self._next_look = time.monotonic() + LOOK_S * turn
        self._trouble = Trouble(
            logger, "experiments cannot be read, what was read last holds: %s", "experiments are read again"
        )

    async def read(self) -> None:
        """What holds, before anything is served."""
        try:
            self._rollbacks.take(await self._books.states())
        except ConfigError as error:
            self._trouble.see(str(error))

    async def run(self, poll_s: float) -> None:
        """For ever."""
        while True:
            await self.step()
            await asyncio.sleep(poll_s)

    async def step(self) -> None:
        """Write what was found, read what holds, and look when it is time."""
        if not self._has_work():
            return
        try:
            self._rollbacks.take(await self._books.states())
            await self._write()
            if time.monotonic() >= self._next_look:
                await self._look()
                if self._rollbacks.found:
                    self._rollbacks.take(await self._books.states())
                    await self._write()
        except ConfigError as error:
            self._trouble.see(str(error))
        else:
            self._trouble.see(None)

    def _has_work(self) -> bool:
        rollbacks = self._rollbacks
        return bool(rollbacks.found or rollbacks.states) or any(
            policy.experiment is not None for policy in rollbacks.policies().policies
        )

    async def _write(self) -> None:
        """What was found, besides what others found meanwhile: the states have just been read."""
        for key, state in tuple(self._rollbacks.found.items()):
            together = replace(state, arms=tuple(sorted(self._rollbacks.arms[key])))
            known = self._rollbacks.states.get(key)
            if known is None or known.state != "rolled_back" or known.arms != together.arms:
                await self._books.set_state(together)
                self._rollbacks.states[key] = together
            if self._rollbacks.found.get(key) is state:  # else one more was found while it was written
                self._rollbacks.found.pop(key)

    async def _look(self) -> None:
        began = time.monotonic()
        for policy in self._rollbacks.policies().policies:
            if policy.experiment is not None:
                await self._look_at_one(policy)
        ended = time.monotonic()
        self._next_look = ended + max(LOOK_S, _TIMES_AS_LONG * (ended - began)) * self._n_sharing

    async def _look_at_one(self, policy: Policy) -> None:
        experiment, key = policy.experiment, (policy.name, policy.version)
        assert experiment is not None
        since = self._rollbacks.since(key)
        metrics = [METRICS[name] for name in experiment.guardrails if name != JUDGE]
        figures = SummedFigures(experiment, await self._books.sums(*key, metrics, since))
        judged = [one for one in await self._books.verdicts(*key) if one.at >= since]
        harms = await asyncio.to_thread(harms_of, figures, judge_counts(judged, experiment.control_name))
        self._rollbacks.roll_back(policy, harms)


def _has_failed(entry: Entry) -> bool:
    """As the ledger counts errors."""
    is_refused = entry.status >= 400 and entry.status != CLIENT_GONE
    return is_refused or bool(entry.is_broken) or entry.finish == FAILED


def _list(state: ExperimentState) -> str:
    return ", ".join(state.arms)
