"""Which requests share an answer: none that differ in anything that could change it."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.hashing import Secret
from gateway.response_key import (
    IN_THE_TENANT,
    WITHOUT_EFFECT,
    Question,
    Wishes,
    is_repeatable,
    name,
    read,
    telling,
    wishes,
)
from gateway.strict_json import Ambiguous
from tests.gateway.json_documents import Json, documents

SECRET = Secret(b"s" * 32)
BODY = b'{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}],"temperature":1.10}'
ASKED = Question(
    tenant="team",
    upstream="openai",
    method="POST",
    target=b"/v1/chat/completions?a=1",
    headers=[(b"content-type", b"application/json"), (b"openai-organization", b"org-1")],
    treatment=b'{"policy":"p","version":"1"}',
    engine="scorer-1",
    body=BODY,
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)
objects = st.dictionaries(st.text(max_size=3), json_values, max_size=4)


def key(question: Question) -> bytes | None:
    named = name(question, SECRET)
    return named.key if named else None


@pytest.mark.parametrize("part", [field.name for field in fields(Question)])
def test_a_change_of_any_part_changes_the_name(part: str) -> None:
    changed: dict[str, Any] = {
        "tenant": "other",
        "upstream": "other",
        "method": "PUT",
        "target": b"/v1/chat/completions?a=2",
        "headers": [*ASKED.headers, (b"openai-beta", b"x")],
        "treatment": b'{"policy":"p","version":"2"}',
        "engine": "scorer-2",
        "body": BODY.replace(b"1.10", b"1.1"),
    }
    assert key(replace(ASKED, **{part: changed[part]})) not in (None, key(ASKED))


def test_without_the_secret_nobody_can_name_a_request() -> None:
    named = name(ASKED, Secret(b"t" * 32))
    assert named is not None
    assert named.key != key(ASKED)


@given(objects, st.data())
def test_the_order_of_members_and_white_space_do_not_matter(
    value: dict[str, Any], data: st.DataObject
) -> None:
    members = data.draw(st.permutations(list(value.items())))
    one = json.dumps(value).encode()
    is_ascii = data.draw(st.booleans())
    other = json.dumps(dict(members), indent=data.draw(st.integers(0, 3)), ensure_ascii=is_ascii)
    assert read(other.encode())[1] == read(one)[1]


@given(objects, objects)
def test_two_objects_have_one_spelling_only_if_they_are_the_same(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    spelled = [read(json.dumps(value).encode())[1] for value in (one, other)]
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)  # 1, 1.0 and true differ here
    assert (spelled[0] == spelled[1]) == same


@given(documents)
def test_a_canonical_spelling_says_the_same_and_is_its_own(document: tuple[Json, bytes]) -> None:
    value, raw = document
    if not isinstance(value, dict):
        with pytest.raises(Ambiguous):
            read(raw)
        return
    _, spelled = read(raw)
    assert json.loads(spelled) == value
    assert read(spelled)[1] == spelled


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"a":1}', b'{"a":1.0}'),
        (b'{"a":1e2}', b'{"a":100}'),
        (b'{"a":1}', b'{"a":"1"}'),
        (b'{"a":null}', b"{}"),
        (b'{"a":[1,2]}', b'{"a":[2,1]}'),
        (b'{"a":{"b":1}}', b'{"a":{},"b":1}'),
        (b'{"a":"x "}', b'{"a":"x"}'),
        (b'{"a":true}', b'{"a":1}'),
        (b'{"a":"A"}', b'{"a":"a"}'),
    ],
)
def test_what_says_something_else_has_another_name(one: bytes, other: bytes) -> None:
    assert key(replace(ASKED, body=one)) != key(replace(ASKED, body=other))


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":1,"a":1}',
        b'{"m":[{"a":1,"\\u0061":2}]}',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":"\xff"}',
        b'\xef\xbb\xbf{"a":1}',
        b'{"a":1} x',
        b"[]",
        b'"a"',
        b"",
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_a_body_that_readers_may_read_differently_has_no_name(body: bytes) -> None:
    assert key(replace(ASKED, body=body)) is None


@pytest.mark.parametrize("depth", [100, 400, 700, 900, 990])
def test_a_deep_body_is_named_or_not_and_nothing_breaks(depth: int) -> None:
    body = b'{"a":' + b"[" * depth + b"]" * depth + b"}"
    assert (key(replace(ASKED, body=body)) is not None) or depth > 200


def test_a_number_of_any_length_is_not_converted() -> None:
    assert read(b'{"a":' + b"9" * 10_000 + b"}")[1].endswith(b"9" * 10_000 + b"}")


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"openai-beta", b"x-app", b"accept", b"cookie", b"openai-project"]),
            st.binary(max_size=4),
        ),
        max_size=4,
    ),
    st.data(),
)
def test_a_field_counts_with_its_value_and_its_place_among_equals(
    headers: list[tuple[bytes, bytes]], data: st.DataObject
) -> None:
    base = telling(headers)
    assert len(base) == len(headers)
    added = data.draw(st.sampled_from([(b"openai-beta", b"new"), (b"x-unknown", b"")]))
    assert telling([*headers, added]) != base
    order = sorted(headers, key=lambda field: field[0])
    assert telling(order) == base


def test_equal_fields_in_another_order_are_another_request() -> None:
    one, other = [(b"x", b"1"), (b"x", b"2")], [(b"x", b"2"), (b"x", b"1")]
    assert key(replace(ASKED, headers=one)) != key(replace(ASKED, headers=other))


@pytest.mark.parametrize(
    "field",
    sorted(
        WITHOUT_EFFECT | IN_THE_TENANT | {b"x-stainless-retry-count", b"x-b3-traceid", b"host", b"connection"}
    ),
)
def test_how_a_request_travelled_does_not_matter(field: bytes) -> None:
    for spelling in (field, field.title()):
        assert key(replace(ASKED, headers=[*ASKED.headers, (spelling, b"7")])) == key(ASKED)


@pytest.mark.parametrize(
    "member",
    [
        {"store": True},
        {"store": "false"},
        {"previous_response_id": "resp_1"},
        {"conversation": {"id": "c"}},
        {"background": True},
        {"web_search_options": {}},
        {"audio": {"voice": "alloy"}},
        {"tools": [{"type": "web_search"}]},
        {"tools": [{"type": "function", "function": {}}, {"type": "mcp"}]},
        {"tools": [{"type": "custom"}]},
        {"tools": ["function"]},
        {"tools": {"type": "function"}},
    ],
)
def test_what_leaves_something_behind_is_never_answered_again(member: dict[str, Any]) -> None:
    assert not is_repeatable(member)
    assert key(replace(ASKED, body=json.dumps(member).encode())) is None


@pytest.mark.parametrize(
    "member",
    [
        {},
        {"store": False},
        {"store": None},
        {"n": 3},
        {"temperature": 2},
        {"tools": None},
        {"tools": []},
        {"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "auto"},
    ],
)
def test_what_only_answers_may_be_answered_again(member: dict[str, Any]) -> None:
    assert is_repeatable(member)


@pytest.mark.parametrize(
    ("body", "is_streamed"), [(b'{"stream":true}', True), (b'{"stream":"true"}', False), (b"{}", False)]
)
def test_a_stream_is_told_apart(body: bytes, is_streamed: bool) -> None:
    named = name(replace(ASKED, body=body), SECRET)
    assert named is not None
    assert named.is_streamed is is_streamed


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, Wishes()),
        ({"cache-control": "max-age=60"}, Wishes()),
        ({"cache-control": "no-cache"}, Wishes(reads=False)),
        ({"cache-control": "Max-Age = 0"}, Wishes(reads=False)),
        ({"pragma": "no-cache"}, Wishes(reads=False)),
        ({"cache-control": "no-cache, No-Store"}, Wishes(reads=False, stores=False)),
    ],
)
def test_the_client_has_its_say(headers: dict[str, str], expected: Wishes) -> None:
    assert wishes(headers) == expected
