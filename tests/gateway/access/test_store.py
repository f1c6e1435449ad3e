"""gateway.access.store: the same table in SQLite and in PostgreSQL, real ones."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.access.store import KeyStore
from gateway.errors import ConfigError, KeyStoreError
from gateway.ledger.database import open_writer
from tests.gateway.access.issued import issue
from tests.postgres_server import PASSWORD, PostgresServer, postgres_server


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture(params=["file", "ledger", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str | None]]:
    """A store that is not there yet: its URL, and the ledger's where that is the same."""
    if request.param != "postgres":
        path = f"sqlite:///{tmp_path / 'pith.db'}"
        yield path, path if request.param == "ledger" else None
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    yield server.url, None
    server.change("DROP TABLE IF EXISTS virtual_keys, key_schema")


def test_a_store_is_made_and_keeps_what_it_is_given(url: tuple[str, str | None]) -> None:
    _, key = issue(team="search", models=("gpt-*",), expires=datetime(2027, 1, 1, tzinfo=UTC))
    store, other = KeyStore(*url), KeyStore(*url)
    assert store.load() == []
    store.add(key)
    assert other.load() == [key]
    assert other.revoke(key.id)
    assert not store.revoke(key.id)
    assert not store.revoke("nobody")
    assert store.load() == []
    [row] = store.rows()
    assert row.key == key
    assert row.revoked_at is not None
    assert row.revoked_at >= row.created_at
    store.close()
    other.close()


def test_an_id_is_given_once_for_ever(url: tuple[str, str | None]) -> None:
    store = KeyStore(*url)
    _, key = issue()
    store.add(key)
    store.revoke(key.id)
    with pytest.raises(KeyStoreError, match="there is a key 'search-prod' already"):
        store.add(issue()[1])
    store.close()


def test_several_may_make_it_at_once(url: tuple[str, str | None]) -> None:
    stores = [KeyStore(*url) for _ in range(6)]
    keys = [issue(f"k{number}")[1] for number in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda pair: pair[0].add(pair[1]), zip(stores, keys, strict=True)))
    assert {key.id for key in stores[0].load()} == {key.id for key in keys}
    for store in stores:
        store.close()


def test_a_store_of_another_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys.db"
    KeyStore(f"sqlite:///{path}").add(issue()[1])
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE key_schema SET version = 9")
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="its schema is version 9, this Pith knows version 1"):
        KeyStore(f"sqlite:///{path}").load()
    assert path.read_bytes() == before


def test_a_row_that_is_not_understood_is_no_key(tmp_path: Path) -> None:
    path = tmp_path / "keys.db"
    store = KeyStore(f"sqlite:///{path}")
    _, key = issue("good")
    store.add(key)
    with sqlite3.connect(path) as connection:
        for name, grants in (
            ("a", "not JSON"),
            ("b", '{"id":"b"}'),
            ("c", key.model_dump_json()[:-1] + ',"new":1}'),
        ):
            connection.execute("INSERT INTO virtual_keys VALUES (?, ?, 0, NULL)", (name, grants))
    assert store.load() == [key]


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys.db"
    KeyStore(f"sqlite:///{path}").load()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_ledger_takes_the_file_that_pith_keys_made_first(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'pith.db'}"
    KeyStore(url, url).add(issue()[1])
    open_writer(tmp_path / "pith.db").close()
    assert len(KeyStore(url, url).load()) == 1


def test_a_store_that_cannot_be_reached_says_so_and_nothing_secret(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    for url in (
        f"postgresql://pith:hunter2@127.0.0.1:{unused_tcp_port}/x",
        f"sqlite:///{tmp_path}/none/x.db",
    ):
        with pytest.raises(KeyStoreError) as caught:
            KeyStore(url).load()
        assert str(caught.value).startswith("key store: ")
        assert "hunter2" not in str(caught.value)
        assert str(unused_tcp_port) not in str(caught.value)


def test_a_server_that_ends_and_returns(postgres: PostgresServer) -> None:
    store = KeyStore(postgres.url)
    store.add(issue("k1")[1])
    postgres.stop()
    with pytest.raises(KeyStoreError) as caught:
        store.load()
    assert PASSWORD not in str(caught.value)
    postgres.start()
    assert [key.id for key in store.load()] == ["k1"]
    store.close()
