"""All experiments as they stand: those of the policies in force, and what is on record besides.

A reading of many units takes seconds and a core. Whoever asks meanwhile waits for the same one, and what was
read is told again for a while, the longer the longer it took.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from gateway.experiments.evidence import Record, gather
from gateway.experiments.known import Census, Change, Known, Standing
from gateway.experiments.records import ExperimentState, Seen
from gateway.refusal import Refusal
from policies.match import PolicySet
from policies.schema import Policy
from policies.validate import shown, suggestion
from policies.verdict import Verdict, verdict

FRESH_S: Final = 3.0
_TIMES_AS_LONG: Final = 20.0
"""As it took: at most a twentieth of a core goes into this, however often somebody looks."""
MOST_ENDED: Final = 100
RESET_REASON: Final = "reset by a person"


class Books(Record, Protocol):
    """The ledger, as far as it knows of experiments. Everything raises ConfigError."""

    async def seen(self) -> list[Seen]:
        """Every version of which there are units."""

    async def states(self) -> list[ExperimentState]:
        """What holds."""

    async def changes(self, experiment: str | None = None) -> list[ExperimentState]:
        """Every state there was, the latest first."""

    async def set_state(self, state: ExperimentState) -> None:
        """Put it in force."""


async def take_census(books: Books, policies: PolicySet, now: float) -> Census:
    """Everything, read now."""
    record = await _read(books)
    planned = [policy for policy in policies.policies if policy.experiment is not None]
    open_ones = [await _open(books, record, policy, now) for policy in planned]
    in_force = {(known.name, known.version) for known in open_ones}
    ended = [_ended(record, seen) for seen in record.seen if (seen.experiment, seen.version) not in in_force]
    return Census((*open_ones, *ended[:MOST_ENDED]), now)


async def reset(books: Books, policies: PolicySet, name: str, now: float) -> None:
    """All arms of a rolled back experiment run again. Raises Refusal where there is nothing to reset."""
    planned = {one.name: one for one in policies.policies if one.experiment is not None}
    policy = planned.get(name)
    if policy is None:
        hint = suggestion(name, planned) or f"; there are {', '.join(planned) or 'none'}"
        raise Refusal(
            404, code="not_found", message=f"no policy in force has an experiment {shown(name)}{hint}"
        )
    states = {(one.experiment, one.version): one.state for one in await books.states()}
    state = states.get((name, policy.version), "running")
    if state != "rolled_back":
        raise Refusal(
            409, code="nothing_to_reset", message=f"experiment {name} is {state}, not rolled back: it goes on"
        )
    await books.set_state(ExperimentState(name, policy.version, "running", now, RESET_REASON))


@dataclass(frozen=True, slots=True)
class _Record:
    seen: Sequence[Seen]
    states: Sequence[ExperimentState]
    changes: Sequence[ExperimentState]

    def state(self, name: str, version: str) -> ExperimentState | None:
        return next((one for one in self.states if (one.experiment, one.version) == (name, version)), None)

    def found(self, name: str, version: str) -> Seen | None:
        return next((one for one in self.seen if (one.experiment, one.version) == (name, version)), None)

    def history(self, name: str, version: str) -> tuple[Change, ...]:
        return tuple(
            Change(one.at, one.state, one.reason or None, one.arms)
            for one in self.changes
            if (one.experiment, one.version) == (name, version)
        )


async def _read(books: Books) -> _Record:
    return _Record(await books.seen(), await books.states(), await books.changes())


async def _open(books: Books, record: _Record, policy: Policy, now: float) -> Known:
    name, version = policy.name, policy.version
    state, seen = record.state(name, version), record.found(name, version)
    standing: Standing = "running" if state is None else _STANDINGS.get(state.state, "running")
    return Known(
        name=name,
        version=version,
        standing=standing,
        withdrawn=state.arms if state is not None and standing == "rolled_back" else (),
        verdict=None if seen is None else await _verdict(books, policy, state, now),
        n_units=0 if seen is None else seen.n_units,
        last_at=None if seen is None else seen.last_at,
        changes=record.history(name, version),
    )


_STANDINGS: Final[dict[str, Standing]] = {"running": "running", "rolled_back": "rolled_back"}


async def _verdict(books: Books, policy: Policy, state: ExperimentState | None, now: float) -> Verdict:
    experiment = policy.experiment
    assert experiment is not None
    evidence = await gather(books, policy.name, policy.version, experiment.control_name, state)
    return await asyncio.to_thread(verdict, evidence, experiment, now)


def _ended(record: _Record, seen: Seen) -> Known:
    return Known(
        name=seen.experiment,
        version=seen.version,
        standing="ended",
        n_units=seen.n_units,
        last_at=seen.last_at,
        changes=record.history(seen.experiment, seen.version),
    )


class LedgerDesk:
    """A `Desk` over the ledger and the policies in force at the moment."""

    def __init__(
        self,
        books: Books,
        policies: Callable[[], PolicySet],
        clock: Callable[[], float] = time.time,
        *,
        fresh_s: float = FRESH_S,
    ) -> None:
        self._books, self._policies, self._clock, self._fresh_s = books, policies, clock, fresh_s
        self._reading: asyncio.Task[Census] | None = None
        self._latest: Census | None = None
        self._fresh_until = 0.0

    async def census(self) -> Census:
        """All experiments as they stand."""
        return await asyncio.shield(self._current())

    def latest(self) -> Census | None:
        """As last read; a newer reading is begun where that is stale."""
        self._current().add_done_callback(_heard)
        return self._latest

    async def reset(self, name: str) -> None:
        """Let all arms run again."""
        await reset(self._books, self._policies(), name, self._clock())
        self._reading = None

    def _current(self) -> asyncio.Task[Census]:
        reading = self._reading
        if reading is None or (reading.done() and not self._is_fresh(reading)):
            reading = self._reading = asyncio.create_task(self._take(), name="experiments' census")
        return reading

    def _is_fresh(self, reading: asyncio.Task[Census]) -> bool:
        return (
            not reading.cancelled() and reading.exception() is None and time.monotonic() < self._fresh_until
        )

    async def _take(self) -> Census:
        began = time.monotonic()
        census = await take_census(self._books, self._policies(), self._clock())
        ended = time.monotonic()
        self._fresh_until = ended + max(self._fresh_s, _TIMES_AS_LONG * (ended - began))
        self._latest = census
        return census


def _heard(reading: asyncio.Task[Census]) -> None:
    """Nobody waits for it: that it failed is said by whoever asks for it."""
    if not reading.cancelled():
        reading.exception()
