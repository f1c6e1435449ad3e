"""gateway.access.keys: what a key is called, what is kept of it, and what it may say."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gateway.access.keys import VirtualKey, digest_of, hash_of, id_of, make_key
from tests.gateway.access.issued import issue

IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)
HASH = "sha256:" + "0" * 64


@given(IDS)
def test_the_id_is_read_back_from_any_key(key_id: str) -> None:
    assert id_of(make_key(key_id).encode()) == key_id


def test_a_key_has_its_own_192_bits() -> None:
    first, second = make_key("a"), make_key("a")
    assert re.fullmatch(r"pith-a-[0-9a-f]{48}", first)
    assert first != second


def test_what_is_kept_is_the_hash_of_the_whole_key() -> None:
    text, key = issue("a")
    assert key.hash == hash_of(text.decode())
    assert key.digest == digest_of(text)
    assert text.decode() not in key.model_dump_json()


def test_a_repr_shows_no_hash() -> None:
    _, key = issue()
    assert key.hash.removeprefix("sha256:") not in repr(key)


@pytest.mark.parametrize("text", [b"", b"pith-", b"pith-a", b"sk-1", b"pith-\xff-1", b"-"])
def test_what_is_no_key_has_no_id_of_a_key(text: bytes) -> None:
    _, key = issue("a")
    assert id_of(text) != key.id


def test_a_team_shares_a_tenant_and_a_key_without_one_is_its_own() -> None:
    assert VirtualKey(id="a", team="t", hash=HASH).tenant == VirtualKey(id="b", team="t", hash=HASH).tenant
    assert VirtualKey(id="t", hash=HASH).tenant != VirtualKey(id="b", team="t", hash=HASH).tenant


@pytest.mark.parametrize("name", ["shared", "anonymous", "f" * 64])
def test_no_team_is_taken_for_another_kind_of_tenant(name: str) -> None:
    assert VirtualKey(id="a", team=name, hash=HASH).tenant != name


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2027-01-31", datetime(2027, 1, 31, tzinfo=UTC)),
        ("2027-01-31T12:00:00+02:00", datetime(2027, 1, 31, 10, tzinfo=UTC)),
        (None, None),
    ],
)
def test_a_key_ends_when_it_says(written: str | None, moment: datetime | None) -> None:
    key = VirtualKey.model_validate({"id": "a", "hash": HASH, "expires": written})
    assert key.expires == moment
    if moment is not None:
        assert key.is_expired(moment)
        assert not key.is_expired(datetime(2026, 1, 1, tzinfo=UTC))
    else:
        assert not key.is_expired(datetime.max.replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("grants", "said"),
    [
        ({"models": []}, "an empty list would allow nothing"),
        ({"paths": ["/v1/*", ""]}, "an empty glob would allow nothing"),
        ({"expires": "soon"}, "must be a date or time"),
        ({"usd_per_day": 0.0}, "must be above 0"),
        ({"requests_per_minute": 0}, "greater than or equal to 1"),
        ({"team": "a b"}, "use up to 64 letters"),
        ({"hash": "pith-a-hunter2"}, "must be sha256: and 64 hex digits"),
        ({"unknown": 1}, "Extra inputs"),
    ],
)
def test_what_makes_no_sense_is_said_without_the_value_of_a_hash(
    grants: dict[str, object], said: str
) -> None:
    with pytest.raises(ValidationError, match=said) as caught:
        VirtualKey.model_validate({"id": "a", "hash": HASH, **grants})
    assert "hunter2" not in str(caught.value)


def test_a_key_survives_the_store() -> None:
    _, key = issue(team="t", models=("gpt-*",), expires=datetime(2027, 1, 1, tzinfo=UTC), usd_per_month=3.5)
    assert VirtualKey.model_validate_json(key.model_dump_json(exclude_none=True)) == key
    assert key.has_budget
