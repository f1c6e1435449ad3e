from __future__ import annotations

import json
import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.json_spans import FEW, MAX_DEPTH, MAX_ITEMS, ByteSpan, Document, TooManyItems, Unreadable
from tests.gateway.json_documents import Json, documents


def read_all(body: bytes) -> Json:
    """The whole document, as its spans say."""
    document = Document(body)
    return read(document, document.root)


def read(document: Document, value: ByteSpan) -> Json:
    if document.is_object(value):
        return {key: read(document, member) for key, member in document.members(value).items()}
    if document.is_array(value):
        return [read(document, element) for element in document.elements(value)]
    scalar: Json = json.loads(document.raw(value), parse_int=float)
    assert document.is_string(value) == isinstance(scalar, str)
    return scalar


def read_by_library(body: bytes) -> Json:
    """What the standard library reads, made strict; ValueError for what is to be refused."""

    def unique(members: list[tuple[str, Json]]) -> Json:
        if len(dict(members)) < len(members):
            raise ValueError("repeated key")
        return dict(members)

    def refuse(name: str) -> None:
        raise ValueError(name)

    value: Json = json.loads(
        body.decode(), object_pairs_hook=unique, parse_constant=refuse, parse_int=float, parse_float=float
    )
    return value


def agree(body: bytes) -> None:
    """The scanner and the library read the same, or both refuse."""
    try:
        expected = read_by_library(body)
    except ValueError:
        with pytest.raises(Unreadable):
            read_all(body)
    else:
        assert read_all(body) == expected
        assert read_all(among_many(body)) == [expected] + [""] * FEW


def among_many(body: bytes) -> bytes:
    """A value in a document whose brackets are paired all at once."""
    return b"[" + body + b',""' * FEW + b"]"


@given(documents)
def test_reads_what_the_standard_library_reads(case: tuple[Json, bytes]) -> None:
    value, body = case
    assert read_all(body) == value


@given(documents, st.data())
def test_mutated_documents_are_read_alike_or_refused(case: tuple[Json, bytes], data: st.DataObject) -> None:
    body = bytearray(case[1])
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(body)))
        cut = data.draw(st.integers(0, 2))
        body[at : at + cut] = data.draw(st.sampled_from(MUTATIONS) | st.binary(max_size=2))
    agree(bytes(body))


MUTATIONS = [
    b"", b'"', b"\\", b"\\\\", b'\\"', b"{", b"}", b"[", b"]", b",", b":", b" ", b"\n", b"0", b"-", b"e",
    b"1e999", b"null", b"NaN", b"-Infinity", b"\\ud83d", b"\\ude00", b"\\u005c", b"\\u0022", b"\x00", b"\x1f",
    b"\xe9", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b'"":1,', b"/**/", b"'",
    b"\x0c",
]  # fmt: skip


def test_many_mutated_bodies_are_read_alike_or_refused() -> None:
    seed = json.dumps(
        {
            "model": "m",
            "messages": [
                {"role": "user", "content": 'a\\"{[é\n'},
                {"content": [{"type": "text", "text": "😀"}, 1.5]},
            ],
            "tools": [{"a": {"b": [[], {}]}}],
        }
    ).encode()
    rng = random.Random(7)
    for _ in range(4000):
        body = bytearray(seed)
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(body) + 1)
            body[at : at + rng.randint(0, 2)] = rng.choice(MUTATIONS)
        agree(bytes(body))


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"\xef\xbb\xbf{}", b"{} x", b"{}\0", b"{}{}", b"NaN", b"[-Infinity]", b"[1,]", b'{"a":1,}',
        b"01", b"1.", b"+1", b"'a'", b"// x\n1", b'"\x1f"', b'"\xed\xa0\x80"', b'"\xc0\x80"', b'"\xff"',
        rb'"\x"', rb'"\u12"', b'"a', b"[}", b"]", b"}{", b"[", "{}".encode("utf-16"), b"\x0c1", b'{"a" 1}',
        b"{1:2}", b"tru",
    ],
)  # fmt: skip
def test_refuses_what_is_not_json(body: bytes) -> None:
    with pytest.raises(Unreadable) as caught:
        Document(body)
    assert caught.value.skip == "unparsable"


@pytest.mark.parametrize(
    "body",
    [rb'"\ud83d"', rb'["\ude00 \ud83d"]', b"1e999", b"-" + b"9" * 5000, rb'{"\ud800":1}', rb'"\uD83D\uDE00"'],
)
def test_accepts_what_is_json_but_awkward(body: bytes) -> None:
    document = Document(body)
    assert document.root == (0, len(body))


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_depth_limit(opening: bytes, closing: bytes) -> None:
    Document(opening * MAX_DEPTH + b"1" + closing * MAX_DEPTH)
    deeper = MAX_DEPTH + 1
    with pytest.raises(Unreadable, match="deeper than 200"):
        Document(opening * deeper + b"1" + closing * deeper)
    Document(among_many(opening * (MAX_DEPTH - 1) + b"1" + closing * (MAX_DEPTH - 1)))
    with pytest.raises(Unreadable, match="deeper than 200"):
        Document(among_many(opening * MAX_DEPTH + b"1" + closing * MAX_DEPTH))


@pytest.mark.parametrize(
    "body", [b"[", b"]", b"[]]", b"[}", b"{]", b'{"a":[}]', b'"', b'["', b"][", b'[""]]']
)
def test_brackets_and_quotes_without_partners(body: bytes) -> None:
    for document in (body, among_many(body)):
        with pytest.raises(Unreadable):
            Document(document)


def test_a_bomb_is_refused_before_a_recursive_parser_sees_it() -> None:
    with pytest.raises(Unreadable, match="deeper"):
        Document(b"[" * 1_000_000)
    with pytest.raises(Unreadable, match="deeper"):
        Document(b'{"a":' * 200_000 + b'"')


def test_brackets_inside_strings_do_not_count() -> None:
    body = json.dumps(["[" * 1000, '\\"[' * 1000, "\\", "{"]).encode()
    document = Document(body)
    assert len(document.elements(document.root)) == 4


@pytest.mark.parametrize("body", [b'{"a":1,"a":1}', rb'{"a":1,"\u0061":2}', rb'{"\ud800":1,"\uD800":2}'])
def test_a_repeated_key_is_ambiguous(body: bytes) -> None:
    document = Document(body)
    with pytest.raises(Unreadable, match="repeats a key"):
        document.members(document.root)


def test_a_repeated_key_in_an_object_nobody_reads_is_let_be() -> None:
    document = Document(b' {"a": {"b":1,"b":2}, "c": [{"b":1,"b":2}] } ')
    assert {key: document.raw(value) for key, value in document.members(document.root).items()} == {
        "a": b'{"b":1,"b":2}',
        "c": b'[{"b":1,"b":2}]',
    }


def test_items_are_limited() -> None:
    document = Document(b"[" + b"0," * (MAX_ITEMS - 1) + b"0]")
    assert len(document.elements(document.root)) == MAX_ITEMS
    with pytest.raises(TooManyItems, match="100000") as caught:
        document.elements(document.root)
    assert caught.value.skip == "too_large"


@given(st.text('\\"x', max_size=30))
@example('\\\\"')
def test_runs_of_backslashes(text: str) -> None:
    agree(b'["' + text.encode() + b'",{"k":"' + text.encode() + b'"}]')
