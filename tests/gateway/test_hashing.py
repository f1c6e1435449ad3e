from __future__ import annotations

import hashlib
import hmac
import stat
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ConfigError
from gateway.hashing import ANONYMOUS, Secret, load_secret, tenant_of

SECRET = Secret(b"0123456789abcdef")


def test_keyed_is_hmac_sha256_of_length_prefixed_parts() -> None:
    message = b"\0\0\0\0\0\0\0\2ab" + b"\0\0\0\0\0\0\0\1c"
    assert SECRET.keyed(b"ab", b"c") == hmac.new(SECRET.key, message, hashlib.sha256).digest()


@given(st.lists(st.binary(max_size=4), max_size=4), st.lists(st.binary(max_size=4), max_size=4))
def test_different_parts_never_share_a_hash(one: list[bytes], other: list[bytes]) -> None:
    assert (SECRET.keyed(*one) == SECRET.keyed(*other)) == (one == other)


def test_where_parts_are_split_matters() -> None:
    assert SECRET.keyed(b"ab", b"c") != SECRET.keyed(b"a", b"bc")
    assert SECRET.keyed() != SECRET.keyed(b"")


def test_another_secret_gives_another_hash() -> None:
    assert SECRET.keyed(b"a") != Secret(b"another secret...").keyed(b"a")


def test_the_secret_is_not_shown() -> None:
    assert "0123456789" not in repr(SECRET)


def test_the_environment_wins(tmp_path: Path) -> None:
    assert load_secret({"PITH_SECRET": "sixteen byte key"}, tmp_path / "pith.db") == Secret(
        b"sixteen byte key"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_short_secret_is_refused_without_showing_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"PITH_SECRET is 5 bytes long: use at least 16.*openssl") as caught:
        load_secret({"PITH_SECRET": "hello"}, tmp_path / "pith.db")
    assert "hello" not in str(caught.value)


@pytest.mark.parametrize("is_shared", [True, False])
def test_what_replicas_share_wants_a_secret_they_share(tmp_path: Path, is_shared: bool) -> None:
    beside = tmp_path / "pith.db" if is_shared else None  # a ledger in PostgreSQL is no file to be beside
    with pytest.raises(
        ConfigError, match=f"a shared {'cache' if is_shared else 'ledger'} wants the same one"
    ):
        load_secret({}, beside, is_shared=is_shared)
    assert (
        load_secret({"PITH_SECRET": "sixteen byte key"}, beside, is_shared=is_shared).key
        == b"sixteen byte key"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("env", [{}, {"PITH_SECRET": ""}])
def test_a_secret_is_made_once_and_kept(tmp_path: Path, env: dict[str, str]) -> None:
    ledger = tmp_path / "pith.db"
    made = load_secret(env, ledger)
    assert len(made.key) == 32
    assert load_secret(env, ledger) == made
    assert [path.name for path in tmp_path.iterdir()] == ["pith.db.secret"]
    assert stat.S_IMODE((tmp_path / "pith.db.secret").stat().st_mode) == 0o600


def test_two_ledgers_have_two_secrets(tmp_path: Path) -> None:
    assert load_secret({}, tmp_path / "a.db") != load_secret({}, tmp_path / "b.db")


def load_here(ledger: Path) -> bytes:
    return load_secret({}, ledger).key


def test_processes_that_start_at_once_agree(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        for round_ in range(10):
            keys = set(pool.map(load_here, [tmp_path / f"{round_}.db"] * 4))
            assert len(keys) == 1
    assert len(list(tmp_path.iterdir())) == 10


@pytest.mark.parametrize("content", [b"", b"\n", b"not hex", b"abcd\n", b"\xff\xfe", b"ab" * 15])
def test_a_file_without_a_secret_is_refused(tmp_path: Path, content: bytes) -> None:
    kept = tmp_path / "pith.db.secret"
    kept.write_bytes(content)
    with pytest.raises(ConfigError, match=r"pith\.db\.secret does not hold a secret .*PITH_SECRET"):
        load_secret({}, tmp_path / "pith.db")
    assert kept.read_bytes() == content


def test_a_missing_folder_is_named_with_its_remedy(tmp_path: Path) -> None:
    folder = tmp_path / "missing"
    with pytest.raises(ConfigError) as caught:
        load_secret({}, folder / "pith.db")
    assert str(caught.value) == (
        f"ledger {folder / 'pith.db'}: the folder {folder} does not exist; create it or set another ledger"
    )


@pytest.mark.parametrize("ledger", ["file/pith.db", "pith.db"])
def test_where_nothing_can_be_kept_the_error_says_so(tmp_path: Path, ledger: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "pith.db.secret").mkdir()
    with pytest.raises(ConfigError, match=r"cannot keep a secret in .*pith\.db\.secret .*set PITH_SECRET"):
        load_secret({}, tmp_path / ledger)


def test_a_dangling_link_is_an_error(tmp_path: Path) -> None:
    # Absent to look at, in the way of writing: what a process sees that loses the race.
    (tmp_path / "pith.db.secret").symlink_to("nowhere")
    with pytest.raises(ConfigError, match="cannot keep a secret"):
        load_secret({}, tmp_path / "pith.db")
    assert [path.name for path in tmp_path.iterdir()] == ["pith.db.secret"]


def test_the_same_key_is_the_same_tenant_under_either_header() -> None:
    tenant = tenant_of([b"Bearer sk-1"], SECRET)
    assert tenant == tenant_of([b"sk-1"], SECRET)
    assert tenant == tenant_of([b"bearer  sk-1 ", b"sk-1", b""], SECRET)
    assert len(tenant) == 64
    assert bytes.fromhex(tenant)


def test_different_credentials_are_different_tenants() -> None:
    tenants = [
        tenant_of(credentials, SECRET)
        for credentials in (
            [b"Bearer sk-1"],
            [b"Bearer sk-2"],
            [b"Basic sk-1"],
            [b"sk-1", b"sk-2"],
            [b"Bearer"],
        )
    ]
    assert len(set(tenants)) == 5
    assert tenant_of([b"sk-2", b"sk-1"], SECRET) == tenants[3]
    assert tenant_of([b"sk-1"], Secret(b"another secret...")) != tenants[0]


@pytest.mark.parametrize("credentials", [[], [b""], [b"  "], [b"Bearer "], [b"Bearer"]])
def test_without_a_credential_the_tenant_is_anonymous(credentials: list[bytes]) -> None:
    assert tenant_of(credentials, SECRET) == ANONYMOUS
