"""Keyed bytes in Redis 7 or newer (or Valkey): one server, the primary that Sentinels name, or a Cluster.

Only this file speaks to Redis, and only processes with such a cache import it. What a server answers is an
answer or a `CacheError` in words of ours. Used are MGET, SET, EVAL and PEXPIRE on keys `pith:*`, besides what
logging in, Sentinels and a Cluster need.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final, TypeAlias, TypeVar

import redis.asyncio as client
from redis import exceptions as faults
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

from gateway.cache.guard import ABANDON_S, SLOTS, Counts, Guard
from gateway.cache.location import Login, RedisLocation, Tls
from gateway.errors import CacheDown, CacheRefused

PREFIX: Final = b"pith:"
PROBE_KEY: Final = PREFIX + b"probe"
PROBE_TTL_MS: Final = 60_000
BATCH: Final = 500
"""Keys of one pipeline when TTLs are renewed."""

MAX_CODE: Final = 16

_REPLACE: Final = """
if redis.call('TYPE', KEYS[1]).ok == 'string' then
  local held = redis.call('GET', KEYS[1])
  if held ~= ARGV[1] then return held end
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return ARGV[2]
"""
"""Replaces a value if it is still the unwanted one, or none at all, or no string; answers what is stored."""

_FAULTS: Final[Sequence[tuple[type[Exception], str]]] = (
    (faults.AuthenticationError, "refuses the user name or password"),
    (faults.AuthorizationError, "refuses the user name or password"),
    (faults.NoPermissionError, "allows its user too little: docs/operations.md lists the commands"),
    (faults.BusyLoadingError, "is loading its data"),
    (faults.OutOfMemoryError, "is full: give it more memory, or a maxmemory-policy that evicts"),
    (faults.ReadOnlyError, "is a read-only replica: name its primary"),
    (faults.TimeoutError, "does not answer in time"),
    (faults.ConnectionError, "cannot be reached"),
)
"""What to say of an error; the first that fits. Never the server's own words."""

Client: TypeAlias = "client.Redis | client.RedisCluster"
T = TypeVar("T")


class RedisStore:
    """A `gateway.cache.store.Store`, and its health."""

    def __init__(self, location: RedisLocation, guard: Guard | None = None) -> None:
        """Nothing is connected before the first command."""
        self.guard = guard or Guard()
        self._sentinel = _sentinel(location) if location.kind == "sentinel" else None
        self._client = _client(location, self._sentinel)

    async def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """One value or None a key, in order."""
        return await self.guard.run("get", lambda: self._get(list(map(_name, keys))))

    async def put_if_absent(self, key: bytes, value: bytes, ttl_s: float) -> bytes:
        """Store unless there is something; what is stored then, or nothing where that is no string."""
        return await self.guard.run("put", lambda: self._put(_name(key), value, _ms(ttl_s)))

    async def replace(self, key: bytes, unwanted: bytes, value: bytes, ttl_s: float) -> bytes:
        """Store where `unwanted` still is, or nothing, or no string; what is stored then."""
        arguments = (_REPLACE, 1, _name(key), unwanted, value, _ms(ttl_s))
        return await self.guard.run("replace", lambda: self._bytes("EVAL", *arguments))

    async def renew(self, ttls: Mapping[bytes, float]) -> list[bytes]:
        """Let keys live so many seconds from now; those that are not there any more."""
        lost: list[bytes] = []
        keys = list(ttls)
        for start in range(0, len(keys), BATCH):
            batch = keys[start : start + BATCH]
            answers = await self.guard.run("renew", partial(self._renew, batch, ttls))
            lost += [key for key, is_there in zip(batch, answers, strict=True) if is_there == 0]
        return lost

    @property
    def degraded(self) -> str | None:
        """What is wrong with Redis, or None."""
        return self.guard.degraded

    @property
    def counts(self) -> Counts:
        """What became of commands."""
        return self.guard.counts

    async def probe(self) -> None:
        """Ask a store in trouble whether it is well again."""
        await self.guard.probe("put", lambda: self._put(PROBE_KEY, b"", PROBE_TTL_MS))
        await self.guard.probe("get", lambda: self._get([PROBE_KEY]))

    async def aclose(self) -> None:
        """Close every connection."""
        await self.guard.aclose()
        await self._client.aclose()
        if self._sentinel is not None:
            await self._sentinel.aclose()

    async def _get(self, names: list[bytes]) -> list[bytes | None]:
        if isinstance(self._client, client.RedisCluster):
            values = await _answer(self._client.mget_nonatomic(names))
        else:
            values = await _answer(self._client.mget(names))
        if not isinstance(values, list) or len(values) != len(names):
            raise CacheDown("does not answer as Redis does")
        return [value if isinstance(value, bytes) else None for value in values]

    async def _put(self, name: bytes, value: bytes, ttl_ms: int) -> bytes:
        try:
            return await self._bytes("SET", name, value, "NX", "GET", "PX", ttl_ms, otherwise=value)
        except CacheRefused as refused:
            if "WRONGTYPE" in str(refused.__cause__):
                return b""
            raise

    async def _renew(self, keys: Sequence[bytes], ttls: Mapping[bytes, float]) -> list[object]:
        pipeline: Any = self._client.pipeline(transaction=False)
        for key in keys:
            pipeline.execute_command("PEXPIRE", _name(key), _ms(ttls[key]))
        answers: list[object] = await _answer(pipeline.execute(raise_on_error=False))
        return answers

    async def _bytes(self, *command: bytes | str | int, otherwise: bytes | None = None) -> bytes:
        """The answer to a command that is answered by bytes, or by nothing."""
        # `get=True`: redis-py is to hand out what SET answers, not whether it is OK.
        answer = await _answer(self._client.execute_command(*command, get=True))
        if answer is None and otherwise is not None:
            return otherwise
        if not isinstance(answer, bytes):
            raise CacheDown("does not answer as Redis does")
        return answer


async def _answer(call: Awaitable[T]) -> T:
    """What a call comes to. Raises `CacheError`, saying why in our words."""
    try:
        return await call
    except faults.ResponseError as error:
        raise CacheRefused(_words(error) or _refusal(str(error))) from error
    except (faults.RedisError, faults.RedisClusterException, OSError) as error:
        raise CacheDown(_words(error) or "cannot be reached") from error


def _words(error: Exception) -> str | None:
    return next((words for kind, words in _FAULTS if isinstance(error, kind)), None)


def _refusal(said: str) -> str:
    """An error answer that has no type of its own: its code, which is a word in capitals."""
    if "syntax error" in said:  # SET with NX and GET
        return "is older than version 7.0, which Pith needs"
    code = said.partition(" ")[0]
    is_code = code.isascii() and code.isalpha() and code.isupper() and len(code) <= MAX_CODE
    return f"refuses commands ({code})" if is_code else "refuses commands"


@asynccontextmanager
async def connected(location: RedisLocation) -> AsyncIterator[Client]:
    """A client of redis-py's own, for a library that wants one; at most SLOTS commands at a time."""
    sentinel = _sentinel(location) if location.kind == "sentinel" else None
    opened = _client(location, sentinel)
    try:
        yield opened
    finally:
        await opened.aclose()
        if sentinel is not None:
            await sentinel.aclose()


def _name(key: bytes) -> bytes:
    return PREFIX + b2a_base64(key, newline=False)


def _ms(seconds: float) -> int:
    return max(1, int(seconds * 1e3))


def _client(location: RedisLocation, sentinel: Sentinel | None) -> Client:
    common = {**_options(location.login, location.tls), "max_connections": SLOTS}
    if sentinel is not None:
        primary: client.Redis = sentinel.master_for(location.service, db=location.db, **common)
        return primary
    if location.kind == "cluster":
        nodes = [ClusterNode(host, port) for host, port in location.hosts]
        return client.RedisCluster(startup_nodes=nodes, require_full_coverage=False, **common)
    if location.kind == "socket":
        return client.Redis(unix_socket_path=location.path, db=location.db, **common)
    [(host, port)] = location.hosts
    return client.Redis(host=host, port=port, db=location.db, **common)


def _sentinel(location: RedisLocation) -> Sentinel:
    options = _options(location.sentinel_login, location.tls)
    return Sentinel(location.hosts, sentinel_kwargs=options)  # type: ignore[no-untyped-call]  # redis-py


def _options(login: Login, tls: Tls | None) -> dict[str, Any]:
    """No limits of time but the one for connecting: the guard has those, and these cost 10 us a command."""
    options: dict[str, Any] = {
        "username": login.user,
        "password": login.password,
        "protocol": 2,  # nothing is pushed, so an answer that nobody asked for gives a connection away
        "driver_info": None,
        "socket_timeout": None,
        "socket_connect_timeout": ABANDON_S,
        "retry": Retry(NoBackoff(), 1),  # a connection that the server closed meanwhile is no failure
    }
    if tls is not None:
        options |= {"ssl": True, "ssl_check_hostname": True, "ssl_ca_certs": tls.ca}
        options |= {"ssl_certfile": tls.cert, "ssl_keyfile": tls.key}
    return options
