"""What instances say to each other: it comes out as it went in, and nothing else is believed."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressor import DeadlineExceeded, Overloaded, ScorerDown, ScoringError
from compressor.types import SCORE_ONE, Scores
from compressor.words import WORDS_VERSION
from gateway.remote.frames import (
    MAX_TEXTS,
    Answered,
    Asked,
    pack_answered,
    pack_asked,
    read_answered,
    read_asked,
)

TEXTS = st.lists(st.text(st.characters(exclude_categories=())), max_size=5)
COUNTS = st.integers(0, 10**6)


def scores_of(*values: int) -> Scores:
    return np.array(values, np.uint16)


def message(head: Any, body: bytes = b"") -> bytes:
    raw = head if isinstance(head, bytes) else json.dumps(head).encode()
    return struct.pack("<I", len(raw)) + raw + body


@given(TEXTS, st.none() | st.text(max_size=9), st.none() | COUNTS, COUNTS)
def test_a_question_comes_out(
    texts: list[str], fingerprint: str | None, deadline_ms: int | None, patience_ms: int
) -> None:
    asked = Asked(tuple(texts), fingerprint, deadline_ms, patience_ms)
    assert read_asked(pack_asked(asked)) == asked


@given(st.lists(st.lists(st.integers(0, SCORE_ONE), max_size=5) | st.none(), max_size=5))
def test_an_answer_comes_out(values: list[list[int] | None]) -> None:
    outcomes = tuple(Overloaded("x") if one is None else scores_of(*one) for one in values)
    found = read_answered(pack_answered(Answered("f", WORDS_VERSION, outcomes)))
    assert (found.fingerprint, found.words) == ("f", WORDS_VERSION)
    told = [None if isinstance(one, ScoringError) else one.tolist() for one in found.outcomes]
    assert told == values


@pytest.mark.parametrize("kind", [ScorerDown, Overloaded, DeadlineExceeded])
def test_reasons_keep_their_kind(kind: type[ScoringError]) -> None:
    [found] = read_answered(pack_answered(Answered("f", "1", (kind("about a text"),)))).outcomes
    assert type(found) is kind
    assert "about a text" not in str(found)


@given(st.binary(max_size=100))
def test_garbage_is_refused(raw: bytes) -> None:
    for read in (read_asked, read_answered):
        with pytest.raises(ValueError, match=r"."):
            read(raw)


GOOD_QUESTION = {"protocol": 1, "fingerprint": None, "deadline_ms": None, "patience_ms": 0, "bytes": [1]}
GOOD_ANSWER = {"protocol": 1, "words": "1", "fingerprint": "f", "texts": [1, "overloaded"]}


def test_the_good_ones_are_good() -> None:
    assert read_asked(message(GOOD_QUESTION, b"a")).texts == ("a",)
    assert len(read_answered(message(GOOD_ANSWER, b"\0\0")).outcomes) == 2


@pytest.mark.parametrize(
    ("change", "body"),
    [
        ({"protocol": 2}, b"a"),
        ({"bytes": [2]}, b"a"),
        ({"bytes": [-1, 2]}, b"a"),
        ({"bytes": [True]}, b"a"),
        ({"bytes": None}, b"a"),
        ({"bytes": [0] * (MAX_TEXTS + 1)}, b""),
        ({"fingerprint": 1}, b"a"),
        ({"deadline_ms": -1}, b"a"),
        ({"deadline_ms": 1.5}, b"a"),
        ({"deadline_ms": 10**400}, b"a"),
        ({"patience_ms": 10**400}, b"a"),
        ({"patience_ms": None}, b"a"),
        ({}, b"\xff"),
    ],
)
def test_a_question_of_another_form_is_refused(change: dict[str, Any], body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_asked(message({**GOOD_QUESTION, **change}, body))


@pytest.mark.parametrize(
    ("change", "body"),
    [
        ({"protocol": 2}, b"\0\0"),
        ({"words": 1}, b"\0\0"),
        ({"fingerprint": None}, b"\0\0"),
        ({"texts": [2]}, b"\0\0"),
        ({"texts": ["hit"]}, b""),
        ({"texts": {}}, b""),
        ({"texts": [[]]}, b""),
        ({}, b"\xff\xff"),
    ],
)
def test_an_answer_of_another_form_is_refused(change: dict[str, Any], body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_answered(message({**GOOD_ANSWER, **change}, body))


@pytest.mark.parametrize("head", [b"", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_heads_that_are_none(head: bytes) -> None:
    with pytest.raises(ValueError, match=r"^its head"):
        read_asked(message(head))
    with pytest.raises(ValueError, match="longer"):
        read_asked(struct.pack("<I", 9) + b"{}")
