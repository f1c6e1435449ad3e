from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.headers import HOP_BY_HOP, request_headers, response_headers, values, with_key, without
from gateway.types import RawHeaders

NAMES = st.sampled_from(
    [
        b"x-a",
        b"X-A",
        b"cookie",
        b"Set-Cookie",
        b"accept",
        b"Connection",
        b"TE",
        b"host",
        b"x-pith-mode",
        b"x-b",
    ]
)
VALUES = st.sampled_from([b"", b"1", b"x-a", b"close, X-B", b" x-a ,, te"])
HEADERS = st.lists(st.tuples(NAMES, VALUES), max_size=12)


def is_subsequence(part: RawHeaders, whole: RawHeaders) -> bool:
    rest = iter(whole)
    return all(field in rest for field in part)


@given(HEADERS)
def test_what_is_kept_keeps_order_spelling_and_duplicates(headers: RawHeaders) -> None:
    for kept in (request_headers(headers), response_headers(headers)):
        assert is_subsequence(kept, headers)
        assert response_headers(kept) == kept


@given(HEADERS)
def test_fields_that_no_rule_names_are_all_kept(headers: RawHeaders) -> None:
    named = {
        name.strip().lower() for value in values(headers, b"connection") for name in value.split(b",")
    } | HOP_BY_HOP
    expected = [field for field in headers if field[0].lower() not in named]
    assert response_headers(headers) == expected
    assert request_headers(headers) == without(expected, frozenset({b"host", b"x-pith-mode"}))


@pytest.mark.parametrize("name", sorted(HOP_BY_HOP))
def test_hop_by_hop_fields_go_no_further(name: bytes) -> None:
    field = (name.title(), b"x-named")
    assert request_headers([field, (b"x-kept", b"1")]) == [(b"x-kept", b"1")]
    assert response_headers([field, (b"x-kept", b"1")]) == [(b"x-kept", b"1")]


def test_our_own_fields_and_host_are_dropped_from_requests_only() -> None:
    headers = [(b"Host", b"h"), (b"X-Pith-Mode", b"off"), (b"x-pithy", b"1")]
    assert request_headers(headers) == [(b"x-pithy", b"1")]
    assert response_headers(headers) == headers


class TestAcceptEncoding:
    @pytest.mark.parametrize(
        "value", [b"gzip, br", b"*", b"", b"gzip;q=0, *", b"identity;q=0.5, *;q=0", b"*;q=0.01"]
    )
    def test_is_narrowed_where_the_stream_must_be_read(self, value: bytes) -> None:
        headers = [(b"Accept-Encoding", value), (b"accept", b"*/*")]
        assert request_headers(headers, identity_only=True) == [
            (b"accept", b"*/*"),
            (b"accept-encoding", b"identity"),
        ]

    def test_is_narrowed_where_the_client_left_it_open(self) -> None:
        assert request_headers([], identity_only=True) == [(b"accept-encoding", b"identity")]

    @pytest.mark.parametrize(
        "value", [b"gzip, identity;q=0", b"gzip, *;q=0", b"br, * ; q=0.000", b"Identity;Q=0."]
    )
    def test_is_never_widened_to_what_the_client_refuses(self, value: bytes) -> None:
        headers = [(b"accept-encoding", value)]
        assert request_headers(headers, identity_only=True) == headers

    def test_is_kept_otherwise(self) -> None:
        headers = [(b"accept-encoding", b"gzip"), (b"accept-encoding", b"br")]
        assert request_headers(headers) == headers


class TestKey:
    def test_replaces_the_bearer_token_in_its_place(self) -> None:
        headers = [(b"a", b"1"), (b"Authorization", b"Bearer client"), (b"b", b"2")]
        assert with_key(headers, "ours") == [(b"a", b"1"), (b"authorization", b"Bearer ours"), (b"b", b"2")]

    def test_replaces_x_api_key_where_the_client_speaks_it(self) -> None:
        headers = [(b"x-api-key", b"client"), (b"anthropic-version", b"2023-06-01")]
        assert with_key(headers, "ours") == [(b"x-api-key", b"ours"), (b"anthropic-version", b"2023-06-01")]

    @pytest.mark.parametrize("name", [b"x-api-key", b"Api-Key", b"x-goog-api-key"])
    def test_goes_where_the_clients_was(self, name: bytes) -> None:
        """Azure and Gemini take a key in a field of their own, and none elsewhere."""
        headers = with_key([(b"a", b"1"), (name, b"client"), (b"b", b"2")], "ours")
        assert headers == [(b"a", b"1"), (name.lower(), b"ours"), (b"b", b"2")]

    def test_an_empty_field_is_no_place_for_it(self) -> None:
        headers = [(b"X-Api-Key", b""), (b"Authorization", b"Bearer client")]
        assert with_key(headers, "ours") == [(b"authorization", b"Bearer ours")]

    def test_is_added_where_the_client_sent_none(self) -> None:
        assert with_key([(b"a", b"1")], "ours") == [(b"a", b"1"), (b"authorization", b"Bearer ours")]

    @given(
        st.lists(
            st.sampled_from(
                [b"authorization", b"Authorization", b"x-api-key", b"X-Goog-Api-Key", b"api-key", b"x"]
            ),
            max_size=6,
        )
    )
    def test_no_credential_of_the_client_is_left(self, names: list[bytes]) -> None:
        headers = with_key([(name, b"client" if name != b"x" else b"kept") for name in names], "ours")
        assert all(b"client" not in value for _, value in headers)
        assert sum(b"ours" in value for _, value in headers) == 1
        assert len(values(headers, b"x")) == names.count(b"x")

    @pytest.mark.parametrize(
        ("offered", "left"),
        [
            (b"realtime, openai-insecure-api-key.sk-1, openai-beta.v1", [b"realtime, openai-beta.v1"]),
            (b"openai-insecure-api-key.sk-1, realtime", [b"realtime"]),
            (b"openai-insecure-api-key.sk-1", []),
            (b"realtime", [b"realtime"]),
        ],
    )
    def test_a_key_among_the_subprotocols_is_replaced_too(self, offered: bytes, left: list[bytes]) -> None:
        headers = with_key([(b"Sec-WebSocket-Protocol", offered)], "ours")
        assert values(headers, b"sec-websocket-protocol") == left
        assert values(headers, b"authorization") == [b"Bearer ours"]
