from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cache.memory import MemoryCache
from gateway.conversation import PIN_TTL_S, Conversations, Pins
from gateway.hashing import Secret
from gateway.offload import Offload
from gateway.types import Cache

SECRET = Secret(b"0123456789abcdef")
OFFLOAD = Offload(threads=1)
SYSTEM, ASK, ANSWER, MORE = (
    b'{"role":"system","content":"be brief"}',
    b'{"role":"user","content":"canary question"}',
    b'{"role":"assistant","content":"canary answer"}',
    b'{"role":"user","content":"and then?"}',
)


class DictCache:
    """A cache that keeps everything and shows what it was given."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}
        self.ttls: set[float] = set()
        self.reads = 0

    async def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        self.reads += 1
        return [self.values.get(key) for key in keys]

    async def put_if_absent(self, key: bytes, value: bytes, ttl_s: float) -> bytes:
        self.ttls.add(ttl_s)
        return self.values.setdefault(key, value)


class GarbageCache(DictCache):
    """A cache whose every entry was planted."""

    def __init__(self, garbage: bytes) -> None:
        super().__init__()
        self.garbage = garbage

    async def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return [self.garbage for _ in keys]

    async def put_if_absent(self, key: bytes, value: bytes, ttl_s: float) -> bytes:
        return self.garbage


async def identify(
    cache: Cache,
    *messages: bytes,
    tenant: str = "t",
    unit: str | None = None,
    prompt_cache_key: str | None = None,
    secret: Secret = SECRET,
) -> str:
    conversations = Conversations(cache, secret, OFFLOAD)
    return await conversations.identify(tenant, messages, unit=unit, prompt_cache_key=prompt_cache_key)


async def test_a_conversation_that_grows_keeps_its_name() -> None:
    cache = DictCache()
    first = await identify(cache, SYSTEM, ASK)
    assert await identify(cache, SYSTEM, ASK, ANSWER, MORE) == first
    assert await identify(cache, SYSTEM, ASK, ANSWER, MORE, ANSWER, MORE) == first
    assert await identify(cache, SYSTEM, ASK) == first


async def test_conversations_that_begin_alike_are_told_apart() -> None:
    cache = DictCache()
    assert await identify(cache, SYSTEM, ASK) != await identify(cache, SYSTEM, MORE)
    assert await identify(cache, ASK, SYSTEM) != await identify(cache, SYSTEM, ASK)


async def test_the_longest_recorded_prefix_decides() -> None:
    cache = DictCache()
    short = await identify(cache, SYSTEM, ASK, MORE)
    long = await identify(cache, SYSTEM, ASK, ANSWER)
    only_system = await identify(cache, SYSTEM)
    assert len({short, long, only_system}) == 3
    assert await identify(cache, SYSTEM, ASK, ANSWER, MORE) == long
    assert await identify(cache, SYSTEM, MORE) == only_system


async def test_forks_share_the_name() -> None:
    cache = DictCache()
    name = await identify(cache, SYSTEM, ASK)
    assert await identify(cache, SYSTEM, ASK, ANSWER, ASK) == name
    assert await identify(cache, SYSTEM, ASK, ANSWER, MORE) == name


async def test_a_message_spelled_differently_is_another_conversation() -> None:
    cache = DictCache()
    name = await identify(cache, SYSTEM, ASK)
    assert await identify(cache, SYSTEM, ASK.replace(b":", b": "), ANSWER) != name


async def test_where_messages_are_split_matters() -> None:
    cache = DictCache()
    assert await identify(cache, b"ab", b"c") != await identify(cache, b"a", b"bc")
    assert await identify(cache, b"ab") != await identify(cache, b"a", b"b")


async def test_tenants_and_secrets_never_share() -> None:
    cache = DictCache()
    names = [
        await identify(cache, SYSTEM, ASK),
        await identify(cache, SYSTEM, ASK, tenant="u"),
        await identify(cache, SYSTEM, ASK, secret=Secret(b"another secret...")),
        await identify(cache, unit="a"),
        await identify(cache, unit="a", tenant="u"),
        await identify(cache, prompt_cache_key="a"),
        await identify(cache, prompt_cache_key="a", tenant="u"),
    ]
    assert len(set(names)) == 7


async def test_the_clients_own_name_goes_first() -> None:
    cache = DictCache()
    unit = await identify(cache, SYSTEM, ASK, unit="a", prompt_cache_key="k")
    assert await identify(cache, MORE, unit="a") == unit
    key = await identify(cache, SYSTEM, ASK, prompt_cache_key="k")
    assert await identify(cache, MORE, unit="", prompt_cache_key="k") == key
    assert key != unit
    assert cache.reads == 0
    assert cache.values == {}


@pytest.mark.parametrize("named", [{"unit": "a"}, {"prompt_cache_key": "k"}, {}])
async def test_what_continues_a_kept_answer_belongs_to_its_conversation(named: dict[str, str]) -> None:
    """Such a turn holds nothing of how the conversation opened, by which a client's name is told apart."""
    conversations = Conversations(MemoryCache(1 << 20, lambda: 0.0), SECRET, OFFLOAD)
    names = {"unit": None, "prompt_cache_key": None, **named}
    first = await conversations.identify("t", [ASK], n_opening=1, **names)
    later = await conversations.identify("t", [MORE], n_opening=1, chain="resp_1", chained=first, **names)
    assert later == first


async def test_what_a_client_calls_by_one_name_is_told_apart_by_how_it_opens() -> None:
    async def named(*messages: bytes, n_opening: int = 2) -> str:
        conversations = Conversations(DictCache(), SECRET, OFFLOAD)
        return await conversations.identify(
            "t", messages, unit=None, prompt_cache_key="app", n_opening=n_opening
        )

    name = await named(SYSTEM, ASK)
    assert await named(SYSTEM, ASK, ANSWER, MORE) == name
    assert await named(SYSTEM, MORE) != name
    assert await named(SYSTEM, ASK, n_opening=1) != name


async def test_a_clients_name_may_be_anything() -> None:
    assert await identify(DictCache(), unit="\ud83d é") != await identify(DictCache(), unit="\ude00 é")


@given(st.lists(st.binary(max_size=3), min_size=1, max_size=6), st.data())
async def test_replicas_name_alike(messages: list[bytes], data: st.DataObject) -> None:
    """Also when they do not share a cache: the name is a function of the first request."""
    turn = data.draw(st.integers(1, len(messages)))
    one, other = DictCache(), DictCache()
    assert await identify(one, *messages[:turn]) == await identify(other, *messages[:turn])
    assert await identify(one, *messages) == await identify(other, *messages)


async def test_a_replica_that_was_faster_decides() -> None:
    class Raced(DictCache):
        async def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
            return [None for _ in keys]

    cache = Raced()
    await identify(cache, SYSTEM)
    whole = next(iter(cache.values))
    cache.values[whole] = b"ab" * 32
    assert await identify(cache, SYSTEM) == "ab" * 32


async def test_no_messages_is_a_conversation_too() -> None:
    cache = DictCache()
    assert await identify(cache) == await identify(cache)
    assert await identify(cache) != await identify(cache, SYSTEM)


@pytest.mark.parametrize(
    "garbage", [b"", b"x" * 64, b"AB" * 32, b"ab" * 31, b"ab" * 33, b"\xff" * 64, b"ab" * 32 + b"\n"]
)
async def test_garbage_names_nothing(garbage: bytes) -> None:
    assert await identify(GarbageCache(garbage), SYSTEM, ASK) == await identify(DictCache(), SYSTEM, ASK)


async def test_a_conversation_lives_while_it_is_used() -> None:
    now = 0.0
    cache = MemoryCache(10**6, lambda: now)
    name = await identify(cache, SYSTEM)
    messages = [SYSTEM]
    for _ in range(5):
        now += PIN_TTL_S - 1
        messages.append(ASK)
        assert await identify(cache, *messages) == name
    now += PIN_TTL_S
    assert await identify(cache, *messages) != name


async def test_nothing_a_client_wrote_is_stored() -> None:
    cache = DictCache()
    await identify(cache, SYSTEM, ASK, ANSWER, tenant="canary team")
    pins = Pins(cache, SECRET, OFFLOAD)
    await pins.leave_whole("canary team", "c", SECRET.keyed(b"canary text"), "deadline")
    assert len(cache.values) == 2
    assert all(len(key) == 32 for key in cache.values)
    assert not any(b"canary" in key + value for key, value in cache.values.items())
    assert cache.ttls == {PIN_TTL_S}


async def test_the_first_decision_is_in_force() -> None:
    pins = Pins(DictCache(), SECRET, OFFLOAD)
    first, second = b'{"policy":"rag","version":"1"}', b'{"policy":"rag","version":"2"}'
    assert await pins.decide("t", "c", first) == first
    assert await pins.decide("t", "c", second) == first
    assert await pins.decide("t", "d", second) == second
    assert await pins.decide("u", "c", second) == second
    assert await Pins(DictCache(), SECRET, OFFLOAD).decide("t", "c", second) == second


@pytest.mark.parametrize(
    "garbage",
    [b"", b"{", b"[]", b"1", b"\xff", b"{}", b'{"skip":1}', b'{"skip":null}', b'{"reason":"deadline"}'],
)
async def test_a_reason_must_be_one(garbage: bytes) -> None:
    assert await Pins(GarbageCache(garbage), SECRET, OFFLOAD).left_whole("t", "c", [b"1"]) == [None]


async def test_texts_left_whole_are_remembered() -> None:
    cache = DictCache()
    pins = Pins(cache, SECRET, OFFLOAD)
    await pins.leave_whole("t", "c", b"1", "deadline")
    await pins.leave_whole("t", "c", b"1", "no_gain")
    await pins.leave_whole("t", "c", b"2", "no_gain")
    assert await pins.left_whole("t", "c", [b"3", b"2", b"1"]) == [None, "no_gain", "deadline"]
    assert await pins.left_whole("t", "d", [b"1"]) == [None]
    assert await pins.left_whole("u", "c", [b"1"]) == [None]
    assert await pins.left_whole("t", "c", []) == []
    assert all(isinstance(json.loads(value), dict) for value in cache.values.values())


async def test_a_decision_that_should_be_on_record_and_is_not_is_counted() -> None:
    pins = Pins(DictCache(), SECRET, OFFLOAD)
    assert await pins.decide("t", "begun", b"1") == b"1"
    assert await pins.decide("t", "begun", b"2", is_continued=True) == b"1"
    assert pins.n_unrecorded == 0
    assert await pins.decide("t", "lost", b"2", is_continued=True) == b"2"
    assert await pins.decide("t", "lost", b"3", is_continued=True) == b"2"
    assert pins.n_unrecorded == 1
