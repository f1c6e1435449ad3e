from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.json_spans import Document
from gateway.splice import Cut, Edit, Paste, decode, raw_spans, splice
from tests.gateway.json_documents import Json, documents, literals
from tests.gateway.json_documents import values as spelled_values

Kept = list[tuple[int, int]]


def some_spans(data: st.DataObject, length: int) -> Kept:
    """Ordered, disjoint, possibly touching or empty."""
    bounds = sorted(data.draw(st.lists(st.integers(0, length), max_size=8)))
    return list(zip(bounds[0::2], bounds[1::2], strict=False))


def keep(text: str, kept: Kept) -> str:
    return "".join(text[start:end] for start, end in kept)


def strings(body: bytes) -> list[tuple[int, int]]:
    """The spans of all string values (not keys) of a document."""
    document = Document(body)
    found, waiting = [], [document.root]
    while waiting:
        value = waiting.pop()
        if document.is_object(value):
            waiting += document.members(value).values()
        elif document.is_array(value):
            waiting += document.elements(value)
        elif document.is_string(value):
            found.append(value)
    return sorted(found)


@given(literals)
def test_decode(case: tuple[str, str]) -> None:
    text, literal = case
    assert decode(literal.encode()) == text


@pytest.mark.parametrize("literal", [rb'"\ud83d"', rb'"\ude00"', rb'"\ude00\ud83d"', rb'"a \ud83dx"'])
def test_a_lone_surrogate_is_no_text(literal: bytes) -> None:
    assert decode(literal) is None


@given(literals, st.data())
def test_kept_characters_keep_their_spelling(case: tuple[str, str], data: st.DataObject) -> None:
    text, literal = case[0], case[1].encode()
    kept = some_spans(data, len(text))
    spans = raw_spans(literal, kept)
    assert spans.dtype == np.int32
    pieces = [literal[start:end] for start, end in spans.tolist()]
    assert json.loads(b'"' + b"".join(pieces) + b'"') == keep(text, kept)
    assert all(earlier[1] < later[0] for earlier, later in pairwise(spans.tolist()))


@given(literals)
def test_each_character_is_one_span(case: tuple[str, str]) -> None:
    text, literal = case[0], case[1].encode()
    spans = [raw_spans(literal, [(at, at + 1)]).tolist()[0] for at in range(len(text))]
    assert [json.loads(b'"' + literal[start:end] + b'"') for start, end in spans] == list(text)
    edges = [1, *(end for _, end in spans)]
    assert [start for start, _ in spans] == edges[:-1]
    assert edges[-1] == len(literal) - 1


@pytest.mark.parametrize(
    ("literal", "expected"),
    [
        (rb'"plain"', [1, 2, 3, 4, 5]),
        ('"aé漢😀b"'.encode(), [1, 2, 4, 7, 11]),
        (rb'"\u00e9\n\/\\\"x"', [1, 7, 9, 11, 13, 15]),
        (rb'"\ud83d\ude00\uD83D\uDE00."', [1, 13, 25]),
        (rb'"\\u00e9"', [1, 3, 4, 5, 6, 7]),
        (rb'"\\\u0041\\"', [1, 3, 9]),
        (rb'"\udbff\udfff\ud7ff\ue000"', [1, 13, 19]),
    ],
)
def test_where_characters_begin(literal: bytes, expected: list[int]) -> None:
    text = decode(literal)
    assert text is not None
    assert [int(raw_spans(literal, [(at, at + 1)])[0, 0]) for at in range(len(text))] == expected


def test_spans_may_be_an_array() -> None:
    kept = np.array([[0, 1], [2, 4]], np.int32)
    assert raw_spans(b'"abcd"', kept).tolist() == [[1, 2], [3, 5]]


def test_touching_spans_are_joined_and_empty_ones_dropped() -> None:
    kept = [(0, 0), (0, 1), (1, 2), (2, 2), (3, 4), (4, 4), (4, 5), (6, 6)]
    assert raw_spans(b'"abcdefg"', kept).tolist() == [[1, 3], [4, 6]]
    assert raw_spans(b'"abc"', []).shape == (0, 2)
    assert raw_spans(b'"abc"', [(2, 2)]).shape == (0, 2)


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        ([(2, 3), (0, 1)], "out of order"),
        ([(0, 2), (1, 3)], "overlap"),
        ([(2, 1)], "out of order"),
        ([(-1, 1)], "from -1 to 1: the text has 3"),
        ([(0, 4)], "from 0 to 4: the text has 3"),
    ],
)
@pytest.mark.parametrize("literal", [b'"abc"', '"aéc"'.encode(), rb'"\n\u00e9c"'])
def test_bad_spans_are_errors(literal: bytes, kept: Kept, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        raw_spans(literal, kept)


@given(documents, st.data())
def test_law_5_only_string_literals_differ(case: tuple[Json, bytes], data: st.DataObject) -> None:
    _, body = case
    edits: list[Edit] = []
    model, at = b"", 0
    for start, end in strings(body):
        text = decode(body[start:end])
        assert text is not None
        if data.draw(st.booleans()):
            kept = some_spans(data, len(text))
            edits.append(Cut(start, end, raw_spans(body[start:end], kept)))
            model += body[at:start] + json.dumps(keep(text, kept)).encode()
            at = end
    model += body[at:]
    spliced = splice(body, data.draw(st.permutations(edits)))
    assert json.loads(spliced) == json.loads(model)
    assert outside(spliced) == outside(body)


def outside(body: bytes) -> list[bytes]:
    """Everything but the string values, byte for byte."""
    bounds = [0, *(bound for span in strings(body) for bound in span), len(body)]
    return [body[start:end] for start, end in zip(bounds[0::2], bounds[1::2], strict=True)]


@given(documents)
def test_keeping_everything_changes_nothing(case: tuple[Json, bytes]) -> None:
    _, body = case
    edits = []
    for start, end in strings(body):
        text = decode(body[start:end])
        assert text is not None
        edits.append(Cut(start, end, raw_spans(body[start:end], [(at, at + 1) for at in range(len(text))])))
    assert splice(body, edits) == body


@given(spelled_values)
def test_no_edit_gives_the_same_bytes(case: tuple[Json, str]) -> None:
    assert splice(case[1].encode(), []) == case[1].encode()


def test_pastes_replace_and_insert() -> None:
    assert splice(b'{"a":false}', [Paste(10, 10, b',"b":1'), Paste(5, 10, b"true")]) == b'{"a":true,"b":1}'


def test_cuts_and_pastes_together() -> None:
    body = '{"a": "xéy", "b": 1}'.encode()
    cut = Cut(6, 12, raw_spans(body[6:12], [(1, 2)]))
    assert splice(body, [Paste(20, 20, b',"c":2'), cut]) == '{"a": "é", "b": 1,"c":2}'.encode()


@pytest.mark.parametrize(
    "edits",
    [
        [Paste(2, 4, b""), Paste(3, 5, b"")],
        [Paste(-1, 0, b"")],
        [Paste(0, 7, b"")],
        [Paste(4, 3, b"")],
    ],
)
def test_edits_must_fit(edits: list[Edit]) -> None:
    with pytest.raises(ValueError, match="overlaps another or leaves the body"):
        splice(b"123456", edits)
