"""Which chunks go to the device next: a queue with a token budget. Decides only: no clock, no device, no
lock.

Law 7, as an invariant: every job that was added is in exactly one place. It waits here, or it was handed out
once: in a batch, as dropped, by `cancel` or by `drain`. Whoever calls answers what is handed out.

Owners (one a request) take turns by tokens served, so a request of 10,000 chunks delays a small one by a
batch, not by 10,000 chunks. A background job is one whose scores are wanted even after its deadline: it then
waits on, behind everything that can still be in time, and is the first to be dropped when the queue is full.

A queue whose oldest turn is too old is behind: whoever comes with a deadline is then refused at once,
whatever the recent pace promises, for the device may hang.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from compressor.errors import Overloaded
from compressor.pace import Pace
from compressor.room import Room
from compressor.types import Chunk

_MISFITS = 8
"""Owners whose next chunk does not fit that are passed over before a batch is closed."""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One chunk to be scored by `deadline`, on the caller's clock; `math.inf` for none."""

    id: int
    chunk: Chunk
    deadline: float
    owner: int
    is_background: bool = False


@dataclass(frozen=True, slots=True)
class Admission:
    """`is_late`: admitted as background work only, the deadline cannot be met. `dropped` made room for it."""

    is_late: bool
    dropped: list[Job]


@dataclass(frozen=True, slots=True)
class Batch:
    """`jobs` for one forward pass, longest first; `dropped` came too late."""

    jobs: list[Job]
    dropped: list[Job]

    @property
    def n_tokens(self) -> int:
        """Tokens to be scored, padding not counted."""
        return sum(job.chunk.n_tokens for job in self.jobs)


@dataclass(slots=True)
class _Line:
    """An owner's jobs. `served` counts tokens from where all stood when it joined; `order` breaks ties;
    `since` is when it joined or last had its turn."""

    served: int
    order: int
    since: float
    jobs: deque[Job] = field(default_factory=deque)
    n_tokens: int = 0
    deadline: float = math.inf

    def push(self, job: Job) -> None:
        self.jobs.append(job)
        self.n_tokens += job.chunk.n_tokens
        self.deadline = min(self.deadline, job.deadline)

    def pop(self) -> Job:
        job = self.jobs.popleft()
        self.n_tokens -= job.chunk.n_tokens
        self.served += job.chunk.n_tokens
        return job


@dataclass(slots=True)
class _Packing:
    """A batch being filled: its cost is the longest chunk times the number of chunks."""

    max_tokens: int
    jobs: list[Job] = field(default_factory=list)
    longest: int = 0

    def fits(self, job: Job) -> bool:
        """Anything fits alone: a chunk above the budget has to go some time."""
        longest = max(self.longest, job.chunk.n_tokens)
        return not self.jobs or longest * (len(self.jobs) + 1) <= self.max_tokens

    def add(self, job: Job) -> None:
        self.jobs.append(job)
        self.longest = max(self.longest, job.chunk.n_tokens)


class Batcher:
    """The queue. Not thread-safe: whoever owns it holds a lock."""

    def __init__(self, max_batch_tokens: int, max_queue_tokens: int, max_age_s: float = math.inf) -> None:
        self._room = Room(max_batch_tokens)
        self._max_queue_tokens = max_queue_tokens
        self._max_age_s = max_age_s
        self._lines: dict[int, _Line] = {}
        self._late: deque[Job] = deque()
        self._n_queued = 0
        self._n_late = 0
        self._n_running = 0
        self._running_since = math.inf
        self._served = 0
        self._order = 0
        self._pace = Pace()

    def __len__(self) -> int:
        """Jobs waiting, late ones included."""
        return sum(len(line.jobs) for line in self._lines.values()) + len(self._late)

    def __bool__(self) -> bool:
        return bool(self._lines or self._late)

    def add(self, jobs: Sequence[Job], now: float) -> Admission:
        """Queue the chunks of one text, all or none; they share owner, deadline and `is_background`.

        Raises Overloaded when the queue is full, when it is too old, or when the deadline cannot be met at
        the recent pace; in the latter two cases background jobs are admitted late. With nothing waiting or
        running all is admitted: the pace may be stale.
        """
        first, n_tokens = jobs[0], sum(job.chunk.n_tokens for job in jobs)
        is_idle = not self and not self._n_running
        has_room = is_idle or self._n_queued + n_tokens <= self._max_queue_tokens
        wait_s = 0.0 if is_idle else self.wait_s(first.owner, n_tokens)
        is_stuck = first.deadline < math.inf and self.age_s(now) > self._max_age_s
        is_late = is_stuck or now + wait_s > first.deadline
        if not has_room or (is_late and not first.is_background):
            raise Overloaded(
                f"{self._n_queued} tokens wait (at most {self._max_queue_tokens}), {self._n_running} run, "
                f"the oldest since {self.age_s(now):.3f} s: about {wait_s:.3f} s, and the deadline is in "
                f"{first.deadline - now:.3f} s: allow more time or add a device"
            )
        dropped = self._make_room(n_tokens)
        for job in jobs:
            if is_late:
                self._push_late(job)
            else:
                self._push(job, now)
        return Admission(is_late, dropped)

    @property
    def n_tokens(self) -> int:
        """What waits in time or runs: how much comes before newcomers."""
        return self._n_queued + self._n_running

    def age_s(self, now: float) -> float:
        """Since when somebody waits for a turn, or the device for its batch; not what is late anyway.

        Of an owner with many chunks the age is that of its last turn: who is served is not behind.
        """
        oldest = min((line.since for line in self._lines.values()), default=math.inf)
        return max(0.0, now - min(oldest, self._running_since))

    def batch_bound(self, now: float) -> int:
        """Most tokens of a batch, padding included: as configured, or less where memory was short."""
        return self._room.bound(now)

    def wait_s(self, owner: int, n_tokens: int) -> float:
        """Seconds until `n_tokens` more of `owner` would be scored: others delay it by their turns only."""
        own = n_tokens + (self._lines[owner].n_tokens if owner in self._lines else 0)
        others = sum(min(line.n_tokens, own) for at, line in self._lines.items() if at != owner)
        ahead = self._n_running + others + own
        return self._pace.estimate_s(ahead, -(-ahead // self._room.most))

    def next_batch(self, now: float) -> Batch:
        """What to score next. Report it with `finished`."""
        dropped = self._expire(now)
        packing = _Packing(self._room.bound(now))
        self._take_turns(packing, now)
        while self._late and packing.fits(self._late[0]):
            packing.add(self._pop_late())
        packing.jobs.sort(key=lambda job: -job.chunk.n_tokens)
        batch = Batch(packing.jobs, dropped)
        if batch.jobs and not self._n_running:
            self._running_since = now
        self._n_running += batch.n_tokens
        return batch

    def too_large(self, jobs: Sequence[Job], now: float) -> None:
        """These did not fit the device's memory together."""
        self._room.failed(_cost(jobs), now)

    def fitting(self, jobs: Sequence[Job], now: float) -> Sequence[Job]:
        """As many of the first as fit one pass, at least one; they are ordered longest first."""
        n = max(1, self._room.bound(now) // max(1, jobs[0].chunk.n_tokens))
        return jobs[:n]

    def finished(self, batch: Batch, seconds: float | None) -> None:
        """`batch` left the device after `seconds`; None if it failed, which says nothing about the pace."""
        self._n_running -= batch.n_tokens
        if not self._n_running:
            self._running_since = math.inf
        if seconds is not None and batch.jobs:
            self._pace.record(batch.n_tokens, seconds)

    def cancel(self, owner: int) -> list[Job]:
        """Take out the jobs of an owner that has gone."""
        line = self._lines.pop(owner, None)
        jobs = list(line.jobs) if line else []
        self._n_queued -= line.n_tokens if line else 0
        late = [job for job in self._late if job.owner == owner]
        if late:
            self._late = deque(job for job in self._late if job.owner != owner)
            self._n_late -= sum(job.chunk.n_tokens for job in late)
        return jobs + late

    def drain(self) -> list[Job]:
        """Take out everything."""
        jobs = [job for line in self._lines.values() for job in line.jobs] + list(self._late)
        self._lines.clear()
        self._late.clear()
        self._n_queued = self._n_late = 0
        return jobs

    def _take_turns(self, packing: _Packing, now: float) -> None:
        """Fill the batch, each time from the owner served least."""
        turns = [(line.served, line.order, owner) for owner, line in self._lines.items()]
        heapq.heapify(turns)
        n_misfits = 0
        while turns and n_misfits < _MISFITS:
            served, order, owner = heapq.heappop(turns)
            line = self._lines[owner]
            if not packing.fits(line.jobs[0]):
                n_misfits += 1
                continue
            self._served = max(self._served, served)
            job = line.pop()
            line.since = now
            packing.add(job)
            self._n_queued -= job.chunk.n_tokens
            if line.jobs:
                heapq.heappush(turns, (line.served, order, owner))
            else:
                del self._lines[owner]

    def _expire(self, now: float) -> list[Job]:
        """Take out jobs whose deadline has passed; background ones wait on as late."""
        dropped = []
        for owner, line in list(self._lines.items()):
            if line.deadline > now:
                continue
            del self._lines[owner]
            self._n_queued -= line.n_tokens
            for job in line.jobs:
                if job.deadline > now:
                    self._push(job, line.since)
                elif job.is_background:
                    self._push_late(job)
                else:
                    dropped.append(job)
        return dropped

    def _make_room(self, n_tokens: int) -> list[Job]:
        """Drop late jobs, oldest first, until `n_tokens` more are within the bound."""
        dropped = []
        while self._late and self._n_queued + self._n_late + n_tokens > self._max_queue_tokens:
            dropped.append(self._pop_late())
        return dropped

    def _push(self, job: Job, since: float) -> None:
        if job.owner not in self._lines:
            self._order += 1
            self._lines[job.owner] = _Line(self._served, self._order, since)
        self._lines[job.owner].push(job)
        self._n_queued += job.chunk.n_tokens

    def _push_late(self, job: Job) -> None:
        self._late.append(job)
        self._n_late += job.chunk.n_tokens

    def _pop_late(self) -> Job:
        job = self._late.popleft()
        self._n_late -= job.chunk.n_tokens
        return job


def _cost(jobs: Sequence[Job]) -> int:
    """Tokens of one pass, padding included."""
    return max(job.chunk.n_tokens for job in jobs) * len(jobs)
