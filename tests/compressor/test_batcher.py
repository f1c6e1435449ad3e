"""The queue: nothing lost or twice, batches within budget, turns by tokens, admission by recent pace."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from compressor.batcher import Batch, Batcher, Job
from compressor.errors import Overloaded
from compressor.room import HOLD_S
from compressor.types import Chunk


def jobs(
    sizes: Sequence[int],
    *,
    owner: int = 0,
    first: int = 0,
    deadline: float = math.inf,
    background: bool = False,
) -> list[Job]:
    return [Job(first + at, Chunk(size, None), deadline, owner, background) for at, size in enumerate(sizes)]


def sizes(batch: Batch) -> list[int]:
    return [job.chunk.n_tokens for job in batch.jobs]


def ids(found: Sequence[Job]) -> list[int]:
    return [job.id for job in found]


def paced(batcher: Batcher, n_tokens: int, seconds: float) -> None:
    """Let the batcher see a batch of that pace."""
    batcher.add(jobs([n_tokens], owner=-1, first=-1), 0.0)
    batcher.finished(batcher.next_batch(0.0), seconds)


class BatcherMachine(RuleBasedStateMachine):
    """Law 7: every job added is waiting or was handed out exactly once."""

    def __init__(self) -> None:
        super().__init__()
        self.batcher = Batcher(max_batch_tokens=64, max_queue_tokens=400)
        self.now = 0.0
        self.next_id = 0
        self.waiting: dict[int, Job] = {}
        self.handed_out: Counter[int] = Counter()
        self.running: list[Batch] = []

    def hand_out(self, found: Sequence[Job]) -> None:
        for job in found:
            self.handed_out[job.id] += 1
            assert self.waiting.pop(job.id) is job

    @rule(
        owner=st.integers(0, 4),
        lengths=st.lists(st.integers(1, 100), min_size=1, max_size=6),
        allowed_s=st.sampled_from([-1.0, 0.5, 3.0, math.inf]),
        background=st.booleans(),
    )
    def add(self, owner: int, lengths: list[int], allowed_s: float, background: bool) -> None:
        added = jobs(
            lengths, owner=owner, first=self.next_id, deadline=self.now + allowed_s, background=background
        )
        self.next_id += len(lengths)
        was_idle = not self.batcher and not self.running
        try:
            admission = self.batcher.add(added, self.now)
        except Overloaded:
            assert not was_idle or allowed_s < 0
            return
        self.waiting.update((job.id, job) for job in added)
        assert not admission.is_late or background
        assert all(job.is_background for job in admission.dropped)
        self.hand_out(admission.dropped)

    @rule()
    def next_batch(self) -> None:
        had_some = bool(self.waiting)
        batch = self.batcher.next_batch(self.now)
        assert bool(batch.jobs or batch.dropped) == had_some
        assert len(batch.jobs) <= 1 or sizes(batch)[0] * len(batch.jobs) <= 64
        assert sizes(batch) == sorted(sizes(batch), reverse=True)
        assert all(job.deadline > self.now or job.is_background for job in batch.jobs)
        assert all(job.deadline <= self.now and not job.is_background for job in batch.dropped)
        self.hand_out([*batch.jobs, *batch.dropped])
        self.running.append(batch)

    @rule(seconds=st.sampled_from([0.001, 0.1, 2.0, None]))
    def finish(self, seconds: float | None) -> None:
        if self.running:
            self.batcher.finished(self.running.pop(), seconds)

    @rule(owner=st.integers(0, 4))
    def cancel(self, owner: int) -> None:
        found = self.batcher.cancel(owner)
        assert sorted(ids(found)) == sorted(job.id for job in self.waiting.values() if job.owner == owner)
        self.hand_out(found)

    @rule(seconds=st.floats(0, 2))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def drain(self) -> None:
        self.hand_out(self.batcher.drain())
        assert not self.waiting

    @invariant()
    def counts_what_waits(self) -> None:
        assert len(self.batcher) == len(self.waiting)
        assert bool(self.batcher) == bool(self.waiting)

    @invariant()
    def nothing_is_handed_out_twice(self) -> None:
        assert not self.handed_out or max(self.handed_out.values()) == 1

    def teardown(self) -> None:
        """Going on long enough empties the queue."""
        for _ in range(len(self.waiting)):
            self.next_batch()
        assert not self.waiting


TestBatcher = BatcherMachine.TestCase
TestBatcher.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def test_a_batch_counts_padding() -> None:
    batcher = Batcher(100, 10_000)
    batcher.add(jobs([20, 30, 10, 30, 5]), 0.0)
    assert sizes(batcher.next_batch(0.0)) == [30, 20, 10]  # four of 30 would be 120
    assert sizes(batcher.next_batch(0.0)) == [30, 5]
    assert not batcher


def test_a_chunk_above_the_budget_goes_alone() -> None:
    batcher = Batcher(100, 10_000)
    batcher.add(jobs([250, 10]), 0.0)
    assert sizes(batcher.next_batch(0.0)) == [250]
    assert sizes(batcher.next_batch(0.0)) == [10]


def test_ten_thousand_chunks_do_not_starve_a_small_request() -> None:
    batcher = Batcher(1024, 10_000_000)
    batcher.add(jobs([512] * 10_000, owner=1), 0.0)
    batcher.next_batch(0.0)
    batcher.add(jobs([512, 512], owner=2, first=20_000), 0.0)
    served = [job for _ in range(3) for job in batcher.next_batch(0.0).jobs]
    assert {20_000, 20_001} <= set(ids(served))


def test_turns_are_by_tokens_not_by_chunks() -> None:
    batcher = Batcher(400, 10_000)
    batcher.add(jobs([100] * 10, owner=1), 0.0)
    batcher.add(jobs([25] * 40, owner=2, first=100), 0.0)
    served = Counter[int]()
    for _ in range(4):
        for job in batcher.next_batch(0.0).jobs:
            served[job.owner] += job.chunk.n_tokens
    assert abs(served[1] - served[2]) <= 100


def test_who_joins_late_does_not_catch_up_on_the_past() -> None:
    batcher = Batcher(100, 10_000)
    batcher.add(jobs([100] * 20, owner=1), 0.0)
    for _ in range(10):
        batcher.next_batch(0.0)
    batcher.add(jobs([100] * 10, owner=2, first=100), 0.0)
    owners = [batcher.next_batch(0.0).jobs[0].owner for _ in range(6)]
    assert sorted(owners) == [1, 1, 1, 2, 2, 2]


def test_a_batch_closes_after_a_few_misfits() -> None:
    batcher = Batcher(100, 100_000)
    batcher.add(jobs([60], owner=0), 0.0)
    for owner in range(1, 9):
        batcher.add(jobs([90], owner=owner, first=owner), 0.0)
    batcher.add(jobs([10], owner=9, first=9), 0.0)
    assert sizes(batcher.next_batch(0.0)) == [60]  # the eight before the last did not fit


def test_another_owner_fills_what_the_first_cannot() -> None:
    batcher = Batcher(100, 10_000)
    batcher.add(jobs([40], owner=0), 0.0)
    batcher.add(jobs([90], owner=1, first=1), 0.0)
    batcher.add(jobs([40], owner=2, first=2), 0.0)
    assert sizes(batcher.next_batch(0.0)) == [40, 40]
    assert sizes(batcher.next_batch(0.0)) == [90]


def test_what_is_too_late_is_handed_back() -> None:
    batcher = Batcher(100, 10_000)
    batcher.add(jobs([10], deadline=1.0), 0.0)
    batcher.add(jobs([10], first=1, deadline=5.0), 0.0)
    batch = batcher.next_batch(2.0)
    assert (ids(batch.jobs), ids(batch.dropped)) == ([1], [0])


def test_background_work_waits_behind_what_can_be_in_time() -> None:
    batcher = Batcher(100, 10_000)
    batcher.add(jobs([100], owner=1, deadline=1.0, background=True), 0.0)
    batcher.add(jobs([100, 100], owner=2, first=1), 0.0)
    order = [batcher.next_batch(2.0) for _ in range(3)]
    assert [ids(batch.jobs) for batch in order] == [[1], [2], [0]]
    assert not any(batch.dropped for batch in order)


def test_background_work_makes_room_oldest_first() -> None:
    batcher = Batcher(100, 250)
    batcher.add(jobs([100, 100, 100], deadline=1.0, background=True), 0.0)
    assert ids(batcher.next_batch(2.0).jobs) == [0]  # 1 and 2 are late by now
    admission = batcher.add(jobs([100], owner=1, first=3), 2.0)
    assert ids(admission.dropped) == [1]
    assert [ids(batcher.next_batch(2.0).jobs) for _ in range(2)] == [[3], [2]]


def test_a_full_queue_refuses() -> None:
    batcher = Batcher(100, 200)
    batcher.add(jobs([150]), 0.0)
    with pytest.raises(Overloaded, match=r"150 tokens wait \(at most 200\)"):
        batcher.add(jobs([60], owner=1, first=1), 0.0)
    batcher.add(jobs([50], owner=1, first=1), 0.0)


def test_an_idle_queue_admits_what_is_larger_than_its_bound() -> None:
    batcher = Batcher(100, 200)
    batcher.add(jobs([100] * 5), 0.0)
    assert len(batcher) == 5


def test_a_deadline_that_cannot_be_met_is_refused() -> None:
    batcher = Batcher(1000, 100_000)
    paced(batcher, 1000, 1.0)
    batcher.add(jobs([1000] * 3, owner=1), 0.0)
    with pytest.raises(Overloaded, match=r"about 2.000 s, and the deadline is in 1.500 s"):
        batcher.add(jobs([1000], owner=2, first=3, deadline=1.5), 0.0)
    assert batcher.add(jobs([1000], owner=2, first=3, deadline=2.0), 0.0).is_late is False


def test_background_work_is_admitted_late_instead() -> None:
    batcher = Batcher(1000, 100_000)
    paced(batcher, 1000, 1.0)
    batcher.add(jobs([1000], owner=1), 0.0)
    assert batcher.add(jobs([1000], owner=2, first=1, deadline=0.5, background=True), 0.0).is_late is True


def test_an_idle_queue_admits_whatever_the_pace_was() -> None:
    batcher = Batcher(1000, 100_000)
    paced(batcher, 1000, 100.0)
    assert batcher.add(jobs([1000], deadline=1.0), 0.0).is_late is False


def test_a_failed_batch_says_nothing_about_the_pace() -> None:
    batcher = Batcher(1000, 100_000)
    batcher.add(jobs([1000, 1000]), 0.0)
    batcher.finished(batcher.next_batch(0.0), None)
    assert batcher.wait_s(1, 1000) == 0.0


def test_the_batch_under_way_counts() -> None:
    batcher = Batcher(1000, 100_000)
    paced(batcher, 1000, 1.0)
    batcher.add(jobs([1000]), 0.0)
    batch = batcher.next_batch(0.0)
    assert batcher.wait_s(1, 1000) == pytest.approx(2.0)
    batcher.finished(batch, 1.0)
    assert batcher.wait_s(1, 1000) == pytest.approx(1.0)


def test_cancelling_takes_late_jobs_too() -> None:
    batcher = Batcher(100, 10_000)
    batcher.add(jobs([100], owner=1, deadline=1.0, background=True), 0.0)
    batcher.add(jobs([100], owner=2, first=1, deadline=1.0, background=True), 0.0)
    assert ids(batcher.next_batch(2.0).jobs) == [0]
    batcher.add(jobs([100], owner=2, first=2), 2.0)
    assert sorted(ids(batcher.cancel(2))) == [1, 2]
    assert not batcher
    assert batcher.cancel(2) == []


def test_a_batch_that_did_not_fit_is_halved_for_a_while() -> None:
    batcher = Batcher(100, 10_000)
    batcher.add(jobs([10] * 10), 0.0)
    batch = batcher.next_batch(0.0)
    assert list(batcher.fitting(batch.jobs, 0.0)) == batch.jobs
    batcher.too_large(batch.jobs, 0.0)
    assert batcher.batch_bound(1.0) == 50
    assert ids(batcher.fitting(batch.jobs, 1.0)) == [0, 1, 2, 3, 4]
    batcher.add(jobs([10] * 10, first=10), 1.0)
    assert len(batcher.next_batch(1.0).jobs) == 5
    assert batcher.batch_bound(HOLD_S) == 100


def test_a_chunk_that_does_not_fit_is_still_handed_out() -> None:
    batcher = Batcher(100, 10_000)
    [long, empty] = jobs([80, 0])
    batcher.too_large([long], 0.0)
    assert list(batcher.fitting([long, empty], 0.0)) == [long]
    assert list(batcher.fitting([empty], 0.0)) == [empty]


def test_who_has_a_turn_is_not_behind() -> None:
    batcher = Batcher(10, 10_000, max_age_s=2.0)
    batcher.add(jobs([10] * 4), 0.0)
    for now in (1.0, 2.0, 3.0):
        batch = batcher.next_batch(now)
        assert batcher.age_s(now + 0.5) == 0.5
        batcher.finished(batch, 1.0)
    batcher.finished(batcher.next_batch(4.0), 1.0)
    assert batcher.age_s(100.0) == 0.0


def test_an_old_queue_refuses_those_in_a_hurry() -> None:
    batcher = Batcher(10, 10_000, max_age_s=2.0)
    batcher.add(jobs([10]), 0.0)
    stuck = batcher.next_batch(0.0)
    batcher.add(jobs([10], owner=1, first=1), 1.0)
    in_time = jobs([10], owner=2, first=2, deadline=100.0)
    assert not batcher.add(in_time, 2.0).is_late
    with pytest.raises(Overloaded, match=r"the oldest since 2\.500 s"):
        batcher.add(jobs([10], owner=3, first=3, deadline=100.0), 2.5)
    assert not batcher.add(jobs([10], owner=4, first=4), 2.5).is_late  # it has said that it can wait
    assert batcher.add(jobs([10], owner=5, first=5, deadline=100.0, background=True), 2.5).is_late
    batcher.finished(stuck, 2.5)
    assert batcher.age_s(2.5) == 1.5  # those that wait


def test_what_expires_does_not_make_the_rest_younger() -> None:
    batcher = Batcher(10, 10_000)
    batcher.add(jobs([10]), 0.0)
    stuck = batcher.next_batch(0.0)
    batcher.add([*jobs([10], owner=1, first=1, deadline=2.0), *jobs([10], owner=1, first=2)], 1.0)
    batcher.finished(stuck, None)
    batcher.add(jobs([10], owner=2, first=3), 2.5)
    batch = batcher.next_batch(3.0)
    assert (ids(batch.dropped), ids(batch.jobs)) == ([1], [3])  # the rest has joined again, behind
    assert batcher.n_tokens == 20
    assert batcher.age_s(3.0) == 2.0
