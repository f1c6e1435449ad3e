from __future__ import annotations

import os
import tracemalloc
from collections.abc import Coroutine
from typing import TypeVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.cache.memory import ENTRY_OVERHEAD, MemoryCache
from gateway.types import Cache


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def cache_of(entries: int) -> tuple[MemoryCache, Clock]:
    """Room for so many entries of one byte each in key and value."""
    clock = Clock()
    return MemoryCache(entries * (ENTRY_OVERHEAD + 2), clock), clock


async def put(cache: Cache, key: bytes, value: bytes = b"v", ttl_s: float = 10.0) -> bytes:
    return await cache.put_if_absent(key, value, ttl_s)


async def held(cache: Cache, keys: str) -> str:
    values = await cache.get_many([key.encode() for key in keys])
    return "".join(key for key, value in zip(keys, values, strict=True) if value is not None)


async def test_values_come_back_in_order() -> None:
    cache, _ = cache_of(3)
    await put(cache, b"a", b"1")
    await put(cache, b"b", b"2")
    assert await cache.get_many([b"b", b"x", b"a", b"b"]) == [b"2", None, b"1", b"2"]
    assert await cache.get_many([]) == []


async def test_the_first_writer_wins() -> None:
    cache, _ = cache_of(2)
    assert await put(cache, b"a", b"1") == b"1"
    assert await put(cache, b"a", b"2") == b"1"
    assert await cache.get_many([b"a"]) == [b"1"]


async def test_the_least_recently_used_goes_first() -> None:
    cache, _ = cache_of(3)
    for key in (b"a", b"b", b"c"):
        await put(cache, key)
    await cache.get_many([b"a"])
    await put(cache, b"b", b"other")  # finding is using
    await put(cache, b"d")
    assert await held(cache, "abcd") == "abd"


async def test_bytes_count_not_entries() -> None:
    cache, _ = cache_of(3)
    for key in (b"a", b"b", b"c"):
        await put(cache, key)
    await put(cache, b"d", b"v" * (ENTRY_OVERHEAD + 3))
    assert await held(cache, "abcd") == "cd"
    assert cache.size_bytes == 3 * (ENTRY_OVERHEAD + 2)


async def test_an_entry_expires_when_it_was_not_used() -> None:
    cache, clock = cache_of(2)
    await put(cache, b"a", ttl_s=10.0)
    clock.now = 9.9
    assert await held(cache, "a") == "a"
    clock.now = 19.8
    assert await put(cache, b"a", b"other") == b"v"
    clock.now = 29.8
    assert await held(cache, "a") == ""
    assert (len(cache), cache.size_bytes) == (0, 0)
    assert await put(cache, b"a", b"new") == b"new"


async def test_expired_entries_make_room_before_live_ones() -> None:
    cache, clock = cache_of(3)
    await put(cache, b"a", ttl_s=1.0)
    await put(cache, b"b", ttl_s=1.0)
    await put(cache, b"c", ttl_s=9.0)
    clock.now = 1.0
    await put(cache, b"d")
    assert len(cache) == 2
    assert await held(cache, "abcd") == "cd"


async def test_what_is_too_large_is_not_stored_and_costs_nobody_a_place() -> None:
    cache, _ = cache_of(2)
    await put(cache, b"a")
    large = b"v" * (2 * (ENTRY_OVERHEAD + 2))
    assert await put(cache, b"b", large) == large
    assert await held(cache, "ab") == "a"


async def test_a_cache_of_no_size_keeps_nothing() -> None:
    cache = MemoryCache(0, Clock())
    assert await put(cache, b"a") == b"v"
    assert await held(cache, "a") == ""


def test_a_negative_size_is_an_error() -> None:
    with pytest.raises(ValueError, match="max_bytes is -1: must be 0"):
        MemoryCache(-1, Clock())


async def test_the_overhead_is_what_an_entry_costs() -> None:
    cache = MemoryCache(10**9, Clock())
    entries = 20_000
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for _ in range(entries):
        await put(cache, os.urandom(32), os.urandom(100))
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (after - before) / entries - 132 == pytest.approx(ENTRY_OVERHEAD, rel=0.25)


T = TypeVar("T")


def run(coroutine: Coroutine[object, object, T]) -> T:
    """The result of a coroutine that never waits, as none of the cache's does."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    raise AssertionError("the cache waited")


class AgainstAModel(RuleBasedStateMachine):
    """The cache beside a plain list of (key, value, ttl, deadline), least recently used first."""

    keys = st.sampled_from([b"a", b"b", b"c", b"d", b"e"])

    def __init__(self) -> None:
        super().__init__()
        self.cache, self.clock = cache_of(3)
        self.entries: list[tuple[bytes, bytes, float, float]] = []

    def find(self, key: bytes) -> bytes | None:
        found = next((entry for entry in self.entries if entry[0] == key), None)
        if found is None:
            return None
        self.entries.remove(found)
        if found[3] <= self.clock.now:
            return None
        self.entries.append((*found[:3], self.clock.now + found[2]))
        return found[1]

    @rule(key=keys, value=st.binary(max_size=3 * ENTRY_OVERHEAD), ttl_s=st.integers(1, 5))
    def put(self, key: bytes, value: bytes, ttl_s: int) -> None:
        expected = self.find(key)
        cost = ENTRY_OVERHEAD + 1 + len(value)
        room = 3 * (ENTRY_OVERHEAD + 2)
        if expected is None and cost <= room:
            while self.entries and (
                sum(ENTRY_OVERHEAD + 1 + len(entry[1]) for entry in self.entries) + cost > room
                or self.entries[0][3] <= self.clock.now
            ):
                self.entries.pop(0)
            self.entries.append((key, value, float(ttl_s), self.clock.now + ttl_s))
        assert run(self.cache.put_if_absent(key, value, float(ttl_s))) == (
            value if expected is None else expected
        )

    @rule(keys=st.lists(keys, max_size=3))
    def get(self, keys: list[bytes]) -> None:
        assert run(self.cache.get_many(keys)) == [self.find(key) for key in keys]

    @rule(seconds=st.integers(1, 3))
    def wait(self, seconds: int) -> None:
        self.clock.now += seconds

    @invariant()
    def sizes_agree(self) -> None:
        assert len(self.cache) == len(self.entries)
        assert self.cache.size_bytes == sum(ENTRY_OVERHEAD + 1 + len(entry[1]) for entry in self.entries)
        assert self.cache.size_bytes <= 3 * (ENTRY_OVERHEAD + 2)


TestAgainstAModel = AgainstAModel.TestCase
