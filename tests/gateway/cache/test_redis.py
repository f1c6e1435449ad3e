"""gateway.cache.redis against real servers: one, behind a socket, with TLS, with Sentinels, as a Cluster."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import trustme

from gateway.breaker import Breaker
from gateway.cache.guard import SLOTS, Guard
from gateway.cache.location import parse_location
from gateway.cache.redis import PREFIX, RedisStore
from gateway.errors import CacheError, CacheRefused
from tests.redis_server import (
    PATIENCE_S,
    RedisServer,
    comes,
    free_port,
    redis_cluster,
    redis_sentinel,
    redis_server,
)

KEYS = [bytes([number]) * 32 for number in range(40)]


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[RedisStore]:
    store = RedisStore(parse_location(url), Guard(command_s=PATIENCE_S))  # a busy machine is no silence
    try:
        yield store
    finally:
        await store.aclose()


async def works(store: RedisStore) -> None:
    """Everything a store does, once; the first command connects, which may take longer than anyone waits."""

    async def connects() -> bool:
        await store.probe()
        return store.guard.counts.answered > 0

    await comes(connects, "a connection")
    assert await store.put_if_absent(KEYS[0], b"one", 60) == b"one"
    assert await store.put_if_absent(KEYS[0], b"two", 60) == b"one"
    assert await store.put_if_absent(KEYS[1], b"\x00\xff\r\n", 60) == b"\x00\xff\r\n"
    assert await store.get_many([KEYS[1], KEYS[2], KEYS[0], KEYS[1]]) == [
        b"\x00\xff\r\n",
        None,
        b"one",
        b"\x00\xff\r\n",
    ]
    assert await store.replace(KEYS[0], b"two", b"three", 60) == b"one"
    assert await store.replace(KEYS[0], b"one", b"three", 60) == b"three"
    assert await store.replace(KEYS[3], b"", b"new", 60) == b"new"
    assert await store.get_many([KEYS[0], KEYS[3]]) == [b"three", b"new"]
    assert await store.renew(dict.fromkeys(KEYS, 600.0)) == [KEYS[2], *KEYS[4:]]
    assert store.degraded is None


async def test_one_server(server: RedisServer) -> None:
    async with opened(server.url) as store:
        await works(store)
    assert all(key.startswith(PREFIX) for key in server.stored())


async def test_another_database(server: RedisServer) -> None:
    async with opened(server.url + "/3") as store:
        await works(store)
    assert server.stored() == []
    assert len(server.stored(3)) == 4


async def test_a_socket(server: RedisServer) -> None:
    async with opened(f"unix://{server.socket}?db=1") as store:
        await works(store)
    assert len(server.stored(1)) == 4


async def test_a_login(tmp_path: Path) -> None:
    """With the rights that the documentation says are enough, and with those alone."""
    page = (Path(__file__).parents[3] / "docs/operations.md").read_text(encoding="utf-8")
    [rights] = re.findall(r"^    user (pith on .*)$", page, re.MULTILINE)
    rights = rights.replace(">PASSWORD", ">p@ss:w/rd")
    with redis_server(tmp_path / "redis", "--user", *rights.split(), "--requirepass", "other") as server:
        async with opened(f"redis://pith:p%40ss%3Aw%2Frd@127.0.0.1:{server.port}") as store:
            await works(store)


async def test_tls_with_certificates_on_both_sides(tmp_path: Path) -> None:
    authority = trustme.CA()
    files = {name: str(tmp_path / name) for name in ("ca", "cert", "key")}
    issued = authority.issue_cert("localhost", "127.0.0.1")
    authority.cert_pem.write_to_path(files["ca"])
    issued.cert_chain_pems[0].write_to_path(files["cert"])
    issued.private_key_pem.write_to_path(files["key"])
    port = free_port()
    tls = [f"--tls-port {port}", f"--tls-cert-file {files['cert']}", f"--tls-key-file {files['key']}"]
    arguments = " ".join([*tls, f"--tls-ca-cert-file {files['ca']}"]).split()
    with redis_server(tmp_path / "redis", *arguments):
        parameters = "&".join(f"{name}={path}" for name, path in files.items())
        async with opened(f"rediss://localhost:{port}?{parameters}") as store:
            await works(store)
        async with opened(f"rediss://localhost:{port}") as stranger:
            await stranger.probe()
            assert stranger.degraded == "cannot be reached", "the authority is unknown"


async def test_a_sentinel_names_the_primary_and_its_successor(tmp_path: Path) -> None:
    with redis_sentinel(tmp_path) as (sentinel, [primary, replica]):
        url = f"redis+sentinel://127.0.0.1:{free_port()},127.0.0.1:{sentinel.port}/pith/0"
        async with opened(url) as store:
            await works(store)
            primary.stop()

            async def is_back() -> bool:
                await store.probe()
                with suppress(CacheError):
                    return await store.put_if_absent(KEYS[9], b"after", 60) == b"after"
                return False

            await comes(is_back, "the failover")
        assert len(replica.stored()) >= 1


async def test_a_cluster(tmp_path: Path) -> None:
    with redis_cluster(tmp_path) as servers:
        hosts = ",".join(f"127.0.0.1:{port}" for port in (free_port(), servers[1].port))
        async with opened(f"redis+cluster://{hosts}") as store:
            await works(store)
            for key in KEYS:
                await store.put_if_absent(key, key, 60)
            assert (await store.get_many(KEYS))[4:] == KEYS[4:]
        assert all(server.ask("DBSIZE") > 0 for server in servers)


async def test_what_is_no_string_is_replaced(server: RedisServer) -> None:
    async with opened(server.url) as store:
        await store.put_if_absent(KEYS[0], b"one", 60)
        [name] = server.stored()
        server.ask("DEL", name)
        server.ask("RPUSH", name, "a", "list")
        assert await store.get_many([KEYS[0]]) == [None]
        assert await store.put_if_absent(KEYS[0], b"one", 60) == b""
        assert await store.replace(KEYS[0], b"", b"one", 60) == b"one"
        assert await store.get_many([KEYS[0]]) == [b"one"]


async def test_values_live_as_long_as_they_are_put_and_renewed_for(server: RedisServer) -> None:
    async with opened(server.url) as store:
        await store.put_if_absent(KEYS[0], b"one", 60)
        [name] = server.stored()
        assert 50_000 < server.ask("PTTL", name) <= 60_000
        await store.put_if_absent(KEYS[0], b"two", 600)
        assert server.ask("PTTL", name) <= 60_000, "finding is not writing"
        await store.renew({KEYS[0]: 600})
        assert 590_000 < server.ask("PTTL", name) <= 600_000
        await store.replace(KEYS[0], b"one", b"three", 6_000)
        assert 5_990_000 < server.ask("PTTL", name) <= 6_000_000


async def test_more_keys_than_one_pipeline_takes_are_renewed(server: RedisServer) -> None:
    keys = [number.to_bytes(4, "big") for number in range(1200)]
    async with opened(server.url) as store:
        await store.put_if_absent(keys[700], b"v", 60)
        assert await store.renew(dict.fromkeys(keys, 60.0)) == keys[:700] + keys[701:]


async def test_two_writers_agree(server: RedisServer) -> None:
    async with opened(server.url) as one, opened(server.url) as two:
        await asyncio.gather(one.get_many(KEYS[:1]), two.get_many(KEYS[:1]))
        for key in KEYS:
            written = await asyncio.gather(
                *(store.put_if_absent(key, bytes([n]), 60) for n, store in enumerate([one, two] * 5))
            )
            assert len(set(written)) == 1


async def test_a_refusal_is_told_apart_from_silence(server: RedisServer) -> None:
    async with opened(server.url) as store:
        server.ask("CONFIG", "SET", "maxmemory", "1")
        try:
            with pytest.raises(CacheRefused, match="is full"):
                await store.put_if_absent(KEYS[0], b"one", 60)
            assert await store.get_many(KEYS[:1]) == [None]
            assert store.degraded == "is full: give it more memory, or a maxmemory-policy that evicts"
        finally:
            server.ask("CONFIG", "SET", "maxmemory", "0")
        await store.probe()
        assert store.degraded is None


async def test_connections_are_few_however_many_ask(server: RedisServer) -> None:
    never_opens = Breaker(time.monotonic, failures=1_000_000)
    store = RedisStore(parse_location(server.url), Guard(never_opens))
    try:
        await asyncio.gather(*(store.get_many(KEYS) for _ in range(300)), return_exceptions=True)
        n_asking = 1
        assert n_asking + 1 < server.ask("INFO", "clients")["connected_clients"] <= n_asking + SLOTS
    finally:
        await store.aclose()
