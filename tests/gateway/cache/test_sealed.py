"""gateway.cache.sealed: what opens, what does not, and what becomes of what does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from gateway.cache.sealed import MAX_VALUE_BYTES, Seal, SealedStore
from gateway.cache.store import Held
from gateway.errors import CacheRefused
from gateway.hashing import Secret

SECRET = Secret(b"s" * 32)
HELD = Held(b"value", 60.0, 1_700_000_000.0)


@dataclass
class DictStore:
    """A `Store` in a dict."""

    entries: dict[bytes, bytes] = field(default_factory=dict)
    planted: bytes | None = None
    """Put in place of what is there just before a replacement, as another writer might."""

    async def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return [self.entries.get(key) for key in keys]

    async def put_if_absent(self, key: bytes, value: bytes, ttl_s: float) -> bytes:
        return self.entries.setdefault(key, value)

    async def replace(self, key: bytes, unwanted: bytes, value: bytes, ttl_s: float) -> bytes:
        if self.planted is not None:
            self.entries[key] = self.planted
        if self.entries.get(key) in (unwanted, None):
            self.entries[key] = value
        return self.entries[key]

    async def renew(self, ttls: Mapping[bytes, float]) -> list[bytes]:
        return [key for key in ttls if key not in self.entries]


@given(st.binary(max_size=64), st.binary(max_size=500), st.floats(0, 1e9), st.integers(0, 2**32 - 1))
def test_what_is_sealed_opens(key: bytes, value: bytes, ttl_s: float, written_at: int) -> None:
    held = Held(value, ttl_s, float(written_at))
    seal = Seal(SECRET)
    sealed = seal.seal(key, held)
    assert seal.open(key, sealed) == held
    assert len(value) < 8 or value not in sealed
    assert sealed != seal.seal(key, held), "nonces are not repeated"


@given(st.data())
def test_nothing_else_opens(data: st.DataObject) -> None:
    sealed = bytearray(Seal(SECRET).seal(b"key", HELD))
    position = data.draw(st.integers(0, len(sealed) - 1))
    sealed[position] ^= 1 << data.draw(st.integers(0, 7))
    assert Seal(SECRET).open(b"key", bytes(sealed)) is None


@given(st.binary(max_size=100))
def test_garbage_does_not_open(garbage: bytes) -> None:
    assert Seal(SECRET).open(b"key", garbage) is None
    assert Seal(SECRET).open(b"key", b"\x01" + garbage) is None


def test_no_value_opens_under_another_key_or_secret() -> None:
    sealed = Seal(SECRET).seal(b"key", HELD)
    assert Seal(SECRET).open(b"kez", sealed) is None
    assert Seal(Secret(b"t" * 32)).open(b"key", sealed) is None


def test_a_truncated_value_does_not_open() -> None:
    sealed = Seal(SECRET).seal(b"key", HELD)
    assert all(Seal(SECRET).open(b"key", sealed[:length]) is None for length in range(len(sealed)))


def test_the_keys_are_those_of_hkdf() -> None:
    """RFC 5869 as the library that does the rest of the cryptography has it."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    hkdf = HKDF(SHA256(), 32, b"pith cache", b"pith cache value 1" + b"key")
    sealed = Seal(SECRET).seal(b"key", HELD)
    head, nonce, body = sealed[:13], sealed[13:25], sealed[25:]
    assert AESGCM(hkdf.derive(SECRET.key)).decrypt(nonce, body, head + b"key") == b"value"


async def test_the_first_writer_wins() -> None:
    store = DictStore()
    one, two = (SealedStore(store, SECRET, lambda: 100.0) for _ in range(2))
    assert await one.put_if_absent(b"key", b"one", 60) == Held(b"one", 60, 100)
    assert await two.put_if_absent(b"key", b"two", 90) == Held(b"one", 60, 100)
    assert await two.get_many([b"other", b"key"]) == [None, Held(b"one", 60, 100)]
    assert await two.renew({b"key": 60, b"other": 60}) == [b"other"]
    assert two.n_unopened == 0


@pytest.mark.parametrize("garbage", [b"", b"\x01", b"x" * 100, Seal(SECRET).seal(b"other", HELD)])
async def test_garbage_is_a_miss_is_counted_and_is_replaced(garbage: bytes) -> None:
    store = DictStore({b"key": garbage})
    sealed = SealedStore(store, SECRET, lambda: 100.0)
    assert await sealed.get_many([b"key"]) == [None]
    assert await sealed.put_if_absent(b"key", b"one", 60) == Held(b"one", 60, 100)
    assert sealed.n_unopened == 2
    assert await SealedStore(store, SECRET).get_many([b"key"]) == [Held(b"one", 60, 100)]


async def test_of_two_who_replace_garbage_the_first_wins() -> None:
    store = DictStore({b"key": b"garbage"}, planted=Seal(SECRET).seal(b"key", HELD))
    assert await SealedStore(store, SECRET).put_if_absent(b"key", b"second", 60) == HELD


async def test_a_store_that_is_garbage_again_leaves_us_our_value() -> None:
    store = DictStore({b"key": b"garbage"}, planted=b"other garbage")
    sealed = SealedStore(store, SECRET, lambda: 100.0)
    assert await sealed.put_if_absent(b"key", b"ours", 60) == Held(b"ours", 60, 100)


async def test_what_is_too_large_stays_in_the_process() -> None:
    store = DictStore()
    with pytest.raises(CacheRefused, match=f"value of {MAX_VALUE_BYTES + 1} bytes"):
        await SealedStore(store, SECRET).put_if_absent(b"key", b"v" * (MAX_VALUE_BYTES + 1), 60)
    assert store.entries == {}
