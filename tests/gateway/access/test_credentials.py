"""gateway.access.credentials: one function finds a key, and no virtual key goes on."""

from __future__ import annotations

from urllib.parse import quote_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.access.credentials import callers_own, find_virtual_key, has_conflict
from gateway.headers import CREDENTIALS
from gateway.refusal import Refusal
from gateway.types import RawHeaders
from tests.gateway.access.issued import issue

KEY, _ = issue()
OTHER, _ = issue()
FIELDS = sorted(CREDENTIALS)
SPELLINGS = (KEY, b"Bearer " + KEY, b"bearer  " + KEY, b" BEARER " + KEY + b" ")


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("value", SPELLINGS)
def test_it_is_found_in_every_field_and_spelling(name: bytes, value: bytes) -> None:
    assert find_virtual_key([(b"host", b"h"), (name, value)], b"/v1/x") == KEY


def test_the_same_key_twice_is_one_key() -> None:
    assert find_virtual_key([(b"authorization", b"Bearer " + KEY), (b"x-api-key", KEY)], b"/") == KEY


@pytest.mark.parametrize(
    "headers",
    [
        [(b"authorization", b"Bearer " + KEY), (b"x-api-key", OTHER)],
        [(b"authorization", b"Bearer " + KEY), (b"x-api-key", b"sk-1")],
        [(b"authorization", b"Basic eA=="), (b"api-key", KEY)],
        [(b"x-api-key", KEY), (b"x-api-key", OTHER)],
    ],
)
def test_two_keys_are_refused(headers: RawHeaders) -> None:
    with pytest.raises(Refusal) as caught:
        find_virtual_key(headers, b"/")
    assert (caught.value.status, caught.value.code) == (401, "invalid_api_key")
    assert has_conflict(headers)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"authorization", b"Bearer sk-1")],
        [(b"authorization", b"Bearer sk-1"), (b"x-api-key", b"sk-2")],
        [(b"authorization", b"")],
        [(b"user-agent", b"pith-client/1.0"), (b"x-request-id", b"pith-0123456789abcdef01234567")],
    ],
)
def test_callers_own_keys_are_not_ours_to_judge(headers: RawHeaders) -> None:
    assert find_virtual_key(headers, b"/v1/x?y=pith-1") is None
    assert callers_own(headers) == headers


@pytest.mark.parametrize(
    "headers",
    [
        [(b"cookie", b"session=" + KEY)],
        [(b"authorization", b"Basic " + KEY)],
        [(b"authorization", b"Bearer\t" + KEY)],
        [(b"authorization", b"Bearer sk-1, Bearer " + KEY)],
        [(b"sec-websocket-protocol", b"realtime, openai-insecure-api-key." + KEY)],
    ],
)
def test_a_key_in_another_place_is_refused_and_not_quoted(headers: RawHeaders) -> None:
    with pytest.raises(Refusal) as caught:
        find_virtual_key(headers, b"/")
    assert caught.value.status == 401
    assert KEY.decode() not in caught.value.message
    assert headers[0][0].decode() in caught.value.message


@pytest.mark.parametrize("spelled", [KEY, KEY.replace(b"pith", b"%70ith"), KEY.replace(b"-", b"%2D")])
def test_a_key_in_the_url_is_refused(spelled: bytes) -> None:
    with pytest.raises(Refusal, match="the URL"):
        find_virtual_key([], b"/v1/models?key=" + spelled)


@given(st.lists(st.tuples(st.sampled_from([*FIELDS, b"cookie", b"x-other"]), st.sampled_from(SPELLINGS))))
def test_whatever_is_admitted_without_a_key_carries_none(headers: RawHeaders) -> None:
    """Law: a key is found, or refused, or not there."""
    try:
        found = find_virtual_key(headers, b"/")
    except Refusal:
        return
    assert found == KEY if headers else found is None
    assert not any(KEY in value for _, value in callers_own(headers))


@given(st.binary(max_size=40))
def test_any_target_is_looked_at(target: bytes) -> None:
    assert find_virtual_key([], b"/" + quote_from_bytes(target).encode()) is None
