"""gateway.access.ring: keys in memory, the store's copied, and what holds while the store is away."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.access.keys import VirtualKey
from gateway.access.ring import HOLD_S, KeyRing, StaleKeys
from gateway.errors import ConfigError, KeyStoreError
from tests.gateway.access.issued import issue

TEXT, KEY = issue("stored")
FIXED_TEXT, FIXED = issue("fixed")


class Store:
    """A store that a test fills and breaks; and a clock."""

    def __init__(self, *keys: VirtualKey) -> None:
        self.keys = list(keys)
        self.error: Exception | None = None
        self.at = 0.0

    def load(self) -> list[VirtualKey]:
        if self.error is not None:
            raise self.error
        return self.keys

    def ring(self) -> KeyRing:
        ring = KeyRing([FIXED], self.load, lambda: self.at, lambda: datetime(2026, 6, 1, tzinfo=UTC))
        ring.refresh()
        return ring


def test_keys_of_both_sources_are_found() -> None:
    ring = Store(KEY).ring()
    assert ring.find(TEXT) == KEY
    assert ring.find(FIXED_TEXT) == FIXED
    assert {key.id for key in ring.keys} == {"stored", "fixed"}


@given(st.binary(max_size=80))
def test_nothing_else_is(credential: bytes) -> None:
    assert Store(KEY).ring().find(credential) is None


@pytest.mark.parametrize("wrong", [TEXT[:-1], TEXT + b"0", TEXT.upper(), b"pith-stored-", b"pith-stored"])
def test_a_wrong_secret_is_as_good_as_no_key(wrong: bytes) -> None:
    assert Store(KEY).ring().find(wrong) is None


def test_an_expired_key_is_none() -> None:
    text, old = issue("old", expires=datetime(2026, 1, 1, tzinfo=UTC))
    later, young = issue("young", expires=datetime(2027, 1, 1, tzinfo=UTC))
    ring = Store(old, young).ring()
    assert ring.find(text) is None
    assert ring.find(later) == young


def test_the_configuration_goes_before_the_store() -> None:
    text, usurper = issue("fixed")
    ring = Store(usurper).ring()
    assert ring.find(text) is None
    assert ring.find(FIXED_TEXT) == FIXED


def test_a_change_of_the_store_counts_from_the_next_copy() -> None:
    store = Store()
    ring = store.ring()
    assert ring.find(TEXT) is None
    store.keys = [KEY]
    ring.refresh()
    assert ring.find(TEXT) == KEY
    store.keys = []
    ring.refresh()
    assert ring.find(TEXT) is None


def test_the_last_copy_holds_for_a_while_and_then_nobody_knows() -> None:
    store = Store(KEY)
    ring = store.ring()
    store.error, store.at = KeyStoreError("key store: gone"), HOLD_S
    ring.refresh()
    assert ring.degraded == "key store: gone"
    assert ring.find(TEXT) == KEY
    store.at += 0.001
    for credential in (TEXT, b"pith-unknown-" + b"0" * 48, TEXT[:-1]):
        with pytest.raises(StaleKeys):
            ring.find(credential)
    assert ring.find(FIXED_TEXT) == FIXED, "keys of the configuration do not depend on the store"
    assert ring.find(FIXED_TEXT[:-1]) is None
    store.error = None
    ring.refresh()
    assert ring.degraded is None
    assert ring.find(TEXT) == KEY


def test_a_store_that_never_answered_leaves_its_keys_unknown() -> None:
    store = Store(KEY)
    store.error = KeyStoreError("key store: gone")
    with pytest.raises(StaleKeys):
        store.ring().find(TEXT)


def test_a_store_that_is_not_ours_is_said_and_raised() -> None:
    store = Store(KEY)
    ring = store.ring()
    store.error = ConfigError("key store: its schema is version 9")
    with pytest.raises(ConfigError):
        ring.refresh()
    assert ring.degraded == "key store: its schema is version 9"
    assert ring.find(TEXT) == KEY
