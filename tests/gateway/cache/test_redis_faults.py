"""Whatever becomes of Redis costs hits and nothing else: the whole shared cache, and answers spoilt."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import TracebackType

import pytest

from gateway.breaker import Breaker
from gateway.cache.guard import FAILURES, SLOTS, Guard
from gateway.cache.location import parse_location
from gateway.cache.memory import MemoryCache
from gateway.cache.redis import PREFIX, RedisStore
from gateway.cache.sealed import SealedStore
from gateway.cache.tiered import TieredCache
from gateway.errors import CacheError
from gateway.hashing import Secret
from tests.redis_server import PATIENCE_S, RedisServer, comes, free_port, redis_server

SECRET = Secret(b"s" * 32)
KEYS = [bytes([number]) * 32 for number in range(64)]
TTL_S = 60.0
COMMAND_S = 0.25
"""More than a busy machine needs for an answer; one that does not come is waited for three times a test."""
SILENT = "no answer within 250 ms"

Spoil = Callable[[bytes, asyncio.StreamWriter], None]
"""What to do with a piece of an answer on its way to the client."""


class SpoilingProxy:
    """Between a client and Redis. Asks nothing of either, and does to answers what it is told to."""

    def __init__(self, target: int) -> None:
        self._target = target
        self.spoil: Spoil | None = None
        self.n_requests = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> SpoilingProxy:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_connection("127.0.0.1", self._target)
        for work in (self._there(reader, ours), self._back(theirs, writer)):
            task = asyncio.create_task(work)
            self._tasks.add(task)

    async def _there(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1 << 16):
                self.n_requests += 1
                writer.write(data)
        except ConnectionError:
            pass  # the client's end
        finally:
            writer.close()

    async def _back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1 << 16):
                if self.spoil is None:
                    writer.write(data)
                else:
                    self.spoil(data, writer)
        finally:
            writer.close()


def says(answer: bytes) -> Spoil:
    return lambda data, writer: writer.write(answer)


def resets_at(length: int) -> Spoil:
    def spoil(data: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(data[:length])
        asyncio.get_running_loop().call_soon(writer.transport.abort)

    return spoil


@dataclass
class Replica:
    """One process's shared cache."""

    store: RedisStore
    sealed: SealedStore
    cache: TieredCache

    @property
    def degraded(self) -> str | None:
        return self.cache.degraded

    async def is_well(self) -> bool:
        await self.cache.upkeep()
        return self.degraded is None and self.store.guard.counts.answered > 0


@asynccontextmanager
async def replica(url: str) -> AsyncIterator[Replica]:
    """As a process opens it; a store that is down is probed without much waiting."""
    guard = Guard(Breaker(time.monotonic, failures=FAILURES, open_s=0.02), command_s=COMMAND_S)
    store = RedisStore(parse_location(url), guard)
    sealed = SealedStore(store, SECRET)
    try:
        yield Replica(store, sealed, TieredCache(MemoryCache(8 << 20, time.monotonic), sealed, store))
    finally:
        await store.aclose()


async def use(one: Replica, number: int) -> None:
    """A request's use of the cache: what is put is in force here, whatever is wrong with Redis."""
    key, value = KEYS[number], b"%d" % number
    async with asyncio.timeout(PATIENCE_S):
        assert await one.cache.get_many([key]) == [None]
        assert await one.cache.put_if_absent(key, value, TTL_S) == value
        assert await one.cache.get_many([key]) == [value]


HELLO = b"*1\r\n$5\r\nhello\r\n"

SPOILS: dict[str, tuple[Spoil, str | None]] = {
    "black hole": (lambda data, writer: None, SILENT),
    "slow drip": (lambda data, writer: writer.write(data[:1]), SILENT),
    "reset at byte 0": (resets_at(0), "cannot be reached"),
    "reset at byte 1": (resets_at(1), "cannot be reached"),
    "reset at byte 4": (resets_at(4), "cannot be reached"),
    "half close": (lambda data, writer: writer.write_eof(), "cannot be reached"),
    "garbage": (says(b"\xff\x00\r\n garbage"), "cannot be reached"),
    "an endless line": (says(b"+" * 100_000), SILENT),
    "an HTTP server": (says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "cannot be reached"),
    "a number": (says(b":7\r\n"), "does not answer as Redis does"),
    "too many values": (says(b"*3\r\n$-1\r\n$-1\r\n$-1\r\n"), "does not answer as Redis does"),
    "another's answer": (says(HELLO), None),
    "loading": (says(b"-LOADING Redis is loading the dataset in memory\r\n"), "is loading its data"),
    "too many clients": (says(b"-ERR max number of clients reached\r\n"), "cannot be reached"),
    "an older version": (says(b"-ERR syntax error\r\n"), "is older than version 7.0, which Pith needs"),
    "no space on disk": (says(b"-MISCONF Errors writing to the AOF file\r\n"), "refuses commands (MISCONF)"),
}
"""What becomes of every answer, and what is said of the cache then."""


@pytest.mark.parametrize("name", SPOILS)
async def test_a_spoilt_answer_costs_hits_and_nothing_else(server: RedisServer, name: str) -> None:
    spoil, expected = SPOILS[name]
    async with SpoilingProxy(server.port) as proxy, AsyncExitStack() as stack:
        one = await stack.enter_async_context(replica(f"redis://127.0.0.1:{proxy.port}"))
        two = await stack.enter_async_context(replica(server.url))
        await use(one, 0)
        assert await two.cache.get_many(KEYS[:1]) == [b"0"]
        proxy.spoil = spoil
        for number in range(1, 8):
            await use(one, number)
        assert one.degraded == expected
        if one.store.guard.is_down:
            n_requests = proxy.n_requests
            for number in range(8, 16):
                await use(one, number)
            assert proxy.n_requests == n_requests, "it is not even asked"
        assert await one.cache.get_many(KEYS[:1]) == [b"0"], "what is here stays"
        proxy.spoil = None
        await comes(one.is_well, "the cache is well again")
        await use(one, 20)
        await one.cache.get_many(KEYS[:8])
        await one.cache.upkeep()
        assert await two.cache.get_many([*KEYS[:8], KEYS[20]]) == [*(b"%d" % n for n in range(8)), b"20"]


async def test_a_server_that_dies_and_returns_empty(tmp_path: Path) -> None:
    port = free_port()
    async with replica(f"redis://127.0.0.1:{port}") as one:
        await use(one, 0)
        assert await one.is_well() is False
        assert one.degraded == "cannot be reached", "there is none yet"
        for life in (1, 10):
            with redis_server(tmp_path, port=port) as server:
                await comes(one.is_well, "the connection")
                await use(one, life)
                assert len(server.stored()) >= 2
            for number in range(life + 1, life + 8):
                await use(one, number)
            assert one.degraded == "cannot be reached"
        with redis_server(tmp_path, port=port) as server:
            await comes(one.is_well, "the connection")
            used = [0, *range(1, 9), *range(10, 18)]
            await one.cache.get_many([KEYS[number] for number in used])
            await one.cache.upkeep()
            async with replica(server.url) as two:
                found = await two.cache.get_many([KEYS[number] for number in used])
            assert found == [b"%d" % number for number in used], "what is in use is written again"


async def test_a_restart_between_two_commands_is_not_noticed(tmp_path: Path) -> None:
    port = free_port()
    async with replica(f"redis://127.0.0.1:{port}") as one:
        for life in range(3):
            with redis_server(tmp_path, port=port):
                await comes(one.is_well, "the connection")
                await use(one, life)
                assert one.degraded is None


async def test_a_server_that_stands_still(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        async with replica(server.url) as one:
            await use(one, 0)
            os.kill(server.pid, signal.SIGSTOP)
            try:
                for number in range(1, 8):
                    await use(one, number)
                assert one.degraded == SILENT
            finally:
                os.kill(server.pid, signal.SIGCONT)
            await comes(one.is_well, "the cache is well again")


@pytest.mark.parametrize("rest", ["", "pith:wrong@", ":wrong@"])
async def test_a_wrong_password(tmp_path: Path, rest: str) -> None:
    with redis_server(tmp_path, "--requirepass", "right") as server:
        async with replica(f"redis://{rest}127.0.0.1:{server.port}") as one:
            await one.cache.upkeep()
            await use(one, 0)
            assert one.degraded == "refuses the user name or password"


async def test_a_user_who_may_only_read(tmp_path: Path) -> None:
    rights = "--user pith on >right ~pith:* +mget"
    with redis_server(tmp_path, *rights.split()) as server:
        async with replica(f"redis://pith:right@127.0.0.1:{server.port}") as one:
            await use(one, 0)
            assert one.degraded == "allows its user too little: docs/operations.md lists the commands"


async def test_a_server_that_is_full_is_still_read(server: RedisServer) -> None:
    async with replica(server.url) as one, replica(server.url) as two:
        await use(one, 0)
        server.ask("CONFIG", "SET", "maxmemory", "1")
        try:
            await use(two, 1)
            assert await two.cache.get_many(KEYS[:1]) == [b"0"]
            assert two.degraded == "is full: give it more memory, or a maxmemory-policy that evicts"
        finally:
            server.ask("CONFIG", "SET", "maxmemory", "0")
        await comes(two.is_well, "the cache is well again")


async def test_a_replica_is_read_and_its_primary_asked_for(server: RedisServer, tmp_path: Path) -> None:
    async with replica(server.url) as writer:
        await use(writer, 0)
    with redis_server(tmp_path, "--replicaof", f"127.0.0.1 {server.port}") as follower:

        async def follows() -> bool:
            return len(follower.stored()) > 0

        await comes(follows, "the replica's copy")
        async with replica(follower.url) as one:
            await use(one, 1)
            assert await one.cache.get_many(KEYS[:1]) == [b"0"]
            assert one.degraded == "is a read-only replica: name its primary"


@pytest.mark.parametrize("plant", [("SET", "garbage"), ("SET", ""), ("RPUSH", "a"), ("HSET", "a", "b")])
async def test_what_others_planted_is_a_miss_and_goes(server: RedisServer, plant: tuple[str, ...]) -> None:
    async with replica(server.url) as one, replica(server.url) as two:
        await use(one, 0)
        [name] = server.stored()
        server.ask("DEL", name)
        server.ask(plant[0], name, *plant[1:])
        assert await two.cache.get_many(KEYS[:1]) == [None]
        assert await two.cache.put_if_absent(KEYS[0], b"again", TTL_S) == b"again"
        assert two.sealed.n_unopened > 0
        assert two.degraded is None
        async with replica(server.url) as three:
            assert await three.cache.get_many(KEYS[:1]) == [b"again"]


async def test_an_entry_moved_to_another_key_is_a_miss(server: RedisServer) -> None:
    async with replica(server.url) as one, replica(server.url) as two:
        await use(one, 0)
        [name] = server.stored()
        await use(one, 1)
        [other] = set(server.stored()) - {name}
        server.ask("COPY", name, other, "REPLACE")
        assert await two.cache.get_many(KEYS[:2]) == [b"0", None]
        assert two.sealed.n_unopened == 1


async def test_nothing_in_redis_shows_what_it_is(server: RedisServer) -> None:
    async with replica(server.url) as one:
        await one.cache.put_if_absent(KEYS[0], b"the canary sings", TTL_S)
    [name] = server.stored()
    assert name.startswith(PREFIX)
    assert KEYS[0] not in name
    dumped = server.ask("GET", name)
    assert b"canary" not in dumped
    assert 0 < server.ask("PTTL", name) <= TTL_S * 1e3


def answer_for(key: bytes) -> bytes:
    """A value that tells its key, of a length that differs from its neighbours'."""
    return key * (1 + key[0] * 7 % 50)


async def _ask_and_leave(store: RedisStore, random: Random) -> int:
    """Ask for several keys; leave after a random number of turns of the loop, or check what came."""
    keys = random.sample(KEYS, random.randint(1, 8))
    asking = asyncio.create_task(store.get_many(keys))
    for _ in range(random.choice((0, 1, 2, 3, 5, 8, 13, 1000))):
        if asking.done():
            break
        await asyncio.sleep(0)
    asking.cancel()
    [found] = await asyncio.gather(asking, return_exceptions=True)
    if isinstance(found, BaseException):
        return 0
    assert found == [answer_for(key) for key in keys]
    return 1


@pytest.mark.parametrize("abandon_s", [1.0, 0.002])
async def test_a_cancelled_command_never_answers_another_caller(
    server: RedisServer, abandon_s: float
) -> None:
    """Callers that leave, and commands that are cut off in the middle of the client library."""
    async with AsyncExitStack() as stack:
        filling = await stack.enter_async_context(replica(server.url))
        for key in KEYS:
            await filling.store.put_if_absent(key, answer_for(key), TTL_S)
        never_opens = Breaker(time.monotonic, failures=1_000_000)
        store = RedisStore(parse_location(server.url), Guard(never_opens, abandon_s=abandon_s))
        stack.push_async_callback(store.aclose)
        random = Random(7)
        n_answered = 0
        for _ in range(40):
            n_answered += sum(await asyncio.gather(*(_ask_and_leave(store, random) for _ in range(25))))
        assert n_answered < 40 * 25 - 300, "hundreds were cancelled"
        assert abandon_s == 1.0 or store.guard.counts.failed > 0, "some were cut off"

        async def answers_rightly() -> bool:
            with suppress(CacheError):
                assert await store.get_many(KEYS[:8]) == [answer_for(key) for key in KEYS[:8]]
                return True
            return False

        for _ in range(2 * SLOTS):
            await comes(answers_rightly, "an answer on every connection")
