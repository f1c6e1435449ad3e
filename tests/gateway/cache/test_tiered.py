"""gateway.cache.tiered: what this process has used stays; the store decides on the rest while it answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence

import pytest

from gateway.cache.guard import Counts
from gateway.cache.memory import RENEW_SHARE, MemoryCache
from gateway.cache.store import Held
from gateway.cache.tiered import MAX_DUE, TieredCache
from gateway.errors import CacheDown, CacheError, CacheRefused

TTL_S = 100.0


class Shared:
    """A shared store and its health, which fails when told to. Notes what it is asked."""

    def __init__(self) -> None:
        self.entries: dict[bytes, Held] = {}
        self.error: CacheError | None = None
        self.degraded: str | None = None
        self.counts = Counts()
        self.n_unopened = 0
        self.asked: list[tuple[str, tuple[bytes, ...]]] = []
        self.now = 1000.0

    def clock(self) -> float:
        return self.now

    async def get_many(self, keys: Sequence[bytes]) -> list[Held | None]:
        self._note("get", keys)
        return [self.entries.get(key) for key in keys]

    async def put_if_absent(self, key: bytes, value: bytes, ttl_s: float) -> Held:
        self._note("put", [key])
        return self.entries.setdefault(key, Held(value, ttl_s, self.now))

    async def renew(self, ttls: Mapping[bytes, float]) -> list[bytes]:
        self._note("renew", list(ttls))
        return [key for key in ttls if key not in self.entries]

    async def probe(self) -> None:
        self.asked.append(("probe", ()))

    def take(self, *kinds: str) -> list[tuple[str, tuple[bytes, ...]]]:
        """What was asked of these kinds since the last time."""
        asked, self.asked = self.asked, []
        return [one for one in asked if one[0] in (kinds or ("get", "put", "renew"))]

    def _note(self, kind: str, keys: Sequence[bytes]) -> None:
        self.asked.append((kind, tuple(keys)))
        if self.error is not None:
            raise self.error


def replica(shared: Shared) -> TieredCache:
    return TieredCache(MemoryCache(1 << 20, shared.clock), shared, shared, shared.clock)


@pytest.fixture
def shared() -> Shared:
    return Shared()


async def test_what_one_replica_put_another_gets_once(shared: Shared) -> None:
    one, two = replica(shared), replica(shared)
    assert await one.put_if_absent(b"a", b"1", TTL_S) == b"1"
    assert await two.get_many([b"x", b"a"]) == [None, b"1"]
    shared.take()
    assert await two.get_many([b"a"]) == await one.get_many([b"a"]) == [b"1"]
    assert shared.take() == []
    assert (two.counts.local_hits, two.counts.shared_hits, two.counts.misses) == (1, 1, 1)


async def test_only_what_is_not_here_is_asked_for_and_in_one_go(shared: Shared) -> None:
    cache = replica(shared)
    await cache.put_if_absent(b"b", b"2", TTL_S)
    shared.take()
    await cache.get_many([b"a", b"b", b"c"])
    assert shared.take() == [("get", (b"a", b"c"))]
    assert await cache.get_many([]) == []


async def test_the_first_writer_wins(shared: Shared) -> None:
    one, two = replica(shared), replica(shared)
    assert await one.put_if_absent(b"a", b"1", TTL_S) == b"1"
    assert await two.put_if_absent(b"a", b"2", TTL_S) == b"1"
    assert await two.get_many([b"a"]) == [b"1"]
    shared.take()
    assert await two.put_if_absent(b"a", b"3", TTL_S) == b"1"
    assert shared.take() == []


@pytest.mark.parametrize("error", [CacheDown("gone"), CacheRefused("full")])
async def test_without_the_store_the_process_goes_on_alone(shared: Shared, error: CacheError) -> None:
    shared.error = error
    cache = replica(shared)
    assert await cache.get_many([b"a"]) == [None]
    assert await cache.put_if_absent(b"a", b"1", TTL_S) == b"1"
    assert await cache.put_if_absent(b"a", b"2", TTL_S) == b"1"
    assert await cache.get_many([b"a", b"b"]) == [b"1", None]


async def test_what_was_put_without_the_store_stays_here_and_goes_there_when_used_again(
    shared: Shared,
) -> None:
    cache, other = replica(shared), replica(shared)
    shared.error = CacheDown("gone")
    await cache.put_if_absent(b"a", b"ours", TTL_S)
    await cache.put_if_absent(b"b", b"ours", TTL_S)
    shared.error = None
    await other.put_if_absent(b"b", b"theirs", TTL_S)
    assert await cache.get_many([b"a", b"b"]) == [b"ours", b"ours"], "used here already"
    await cache.upkeep()
    assert await other.get_many([b"a", b"b"]) == [b"ours", b"theirs"]
    assert await cache.get_many([b"a", b"b"]) == [b"ours", b"ours"]


async def test_ttls_slide_in_the_background_and_only_now_and_then(shared: Shared) -> None:
    cache = replica(shared)
    await cache.put_if_absent(b"a", b"1", TTL_S)
    shared.now += RENEW_SHARE * TTL_S - 1
    await cache.get_many([b"a"])
    await cache.upkeep()
    assert shared.take("renew") == []
    shared.now += 1
    for _ in range(3):
        await cache.get_many([b"a"])
        await cache.put_if_absent(b"a", b"2", TTL_S)
    assert shared.take() == [], "no request waits for it"
    await cache.upkeep()
    await cache.upkeep()
    assert shared.take("renew", "put") == [("renew", (b"a",))]


async def test_what_another_replica_wrote_long_ago_is_renewed_soon(shared: Shared) -> None:
    shared.entries[b"old"] = Held(b"1", TTL_S, shared.now - 0.5 * TTL_S)
    shared.entries[b"new"] = Held(b"1", TTL_S, shared.now - 0.1 * TTL_S)
    shared.entries[b"ahead"] = Held(b"1", TTL_S, shared.now + 5)  # another machine's clock
    cache = replica(shared)
    keys = [b"old", b"new", b"ahead"]
    for _ in range(2):
        await cache.get_many(keys)
    await cache.upkeep()
    assert shared.take("renew") == [("renew", (b"old",))]


async def test_what_the_store_lost_is_written_again(shared: Shared) -> None:
    cache = replica(shared)
    await cache.put_if_absent(b"a", b"1", TTL_S)
    await cache.put_if_absent(b"b", b"2", TTL_S)
    del shared.entries[b"a"]
    shared.now += RENEW_SHARE * TTL_S
    await cache.get_many([b"a", b"b"])
    await cache.upkeep()
    assert shared.entries[b"a"] == Held(b"1", TTL_S, shared.now)
    assert cache.counts.lost == 1


async def test_what_is_here_no_more_is_not_written_again(shared: Shared) -> None:
    cache = TieredCache(MemoryCache(300, shared.clock), shared, shared, shared.clock)
    await cache.put_if_absent(b"a", b"1", TTL_S)
    shared.now += RENEW_SHARE * TTL_S
    await cache.get_many([b"a"])
    await cache.put_if_absent(b"b", b"2", TTL_S)  # there is room for one
    shared.entries.clear()
    await cache.upkeep()
    assert (shared.entries, cache.counts.lost) == ({}, 1)


async def test_after_an_outage_everything_in_use_is_renewed(
    shared: Shared, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "gateway.cache.tiered")
    cache = replica(shared)
    await cache.put_if_absent(b"a", b"1", TTL_S)
    shared.degraded = "cannot be reached"
    for _ in range(3):
        await cache.upkeep()
    assert cache.degraded == "cannot be reached"
    shared.now += 1
    shared.degraded = None
    shared.entries.clear()
    await cache.upkeep()
    await cache.get_many([b"a"])
    await cache.upkeep()
    assert shared.entries.keys() == {b"a"}
    assert [record.message for record in caplog.records] == [
        "cache degraded, requests go on without it: cannot be reached",
        "cache answers again",
    ]


async def test_an_outage_between_two_upkeeps_is_made_up_for_too(shared: Shared) -> None:
    cache = replica(shared)
    await cache.put_if_absent(b"a", b"1", TTL_S)
    shared.entries.clear()
    shared.counts.outages += 1
    for expected in (1, 0):
        await cache.upkeep()
        shared.now += 1
        await cache.get_many([b"a"])
        await cache.upkeep()
        assert len(shared.take("renew")) == expected
    assert shared.entries.keys() == {b"a"}


async def test_a_renewal_that_fails_is_made_up_for_unless_it_is_refused(shared: Shared) -> None:
    cache = replica(shared)
    for error, renewals in ((CacheRefused("full"), 1), (CacheDown("gone"), 2)):
        await cache.put_if_absent(b"a", b"1", TTL_S)
        shared.now += RENEW_SHARE * TTL_S
        await cache.get_many([b"a"])
        shared.error = error
        await cache.upkeep()
        shared.error = None
        shared.now += 1
        await cache.get_many([b"a"])
        await cache.upkeep()
        assert len(shared.take("renew")) == renewals


async def test_renewals_that_wait_are_bounded(shared: Shared) -> None:
    cache = TieredCache(MemoryCache(1 << 30, shared.clock), shared, shared, shared.clock)
    keys = [number.to_bytes(4, "big") for number in range(MAX_DUE + 10)]
    for key in keys:
        await cache.put_if_absent(key, b"1", TTL_S)
    shared.now += RENEW_SHARE * TTL_S
    for key in keys:
        await cache.get_many([key])
    await cache.upkeep()
    [(_, renewed)] = shared.take("renew")
    assert len(renewed) == MAX_DUE
    await cache.get_many(keys)
    await cache.upkeep()
    [(_, others)] = shared.take("renew")
    assert set(renewed) | set(others) == set(keys)


async def test_upkeep_goes_on_until_it_is_cancelled(shared: Shared) -> None:
    keeping = asyncio.create_task(replica(shared).keep_up(0))
    for _ in range(20):
        await asyncio.sleep(0)
    keeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeping
    assert shared.asked.count(("probe", ())) > 1
