"""Documents to chunks; answers to two strings."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressor.errors import DataError
from compressor.train.distill import Answer, Chunk, Malformed, chunks, instruction, read_answer
from compressor.train.records import Record

LONG = " ".join(["word"] * 300)


def document(line: int = 1, **fields: Any) -> Record:
    return Record(f"f:{line}", {"id": "wiki:a", "lang": "en", "text": LONG, **fields})


def test_chunks_are_numbered_and_know_where_they_are_from() -> None:
    found = list(chunks([document(), document(id="b", src="notes", text=LONG[:200])]))
    assert [(chunk.id, chunk.source) for chunk in found] == [
        ("wiki:a#0", "wiki"),
        ("wiki:a#1", "wiki"),
        ("b#0", "notes"),
    ]
    assert found[2] == Chunk("b#0", "notes", "en", LONG[:200].strip())


def test_there_is_nothing_to_learn_from_a_line() -> None:
    assert list(chunks([document(text="Thanks, all good.")])) == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"text": 3}, "f:1: `text` is 3; it must be a string"),
        ({"lang": "English, please"}, "must be a code such as en, ko or zh-hant"),
        ({"id": ""}, '`id` is ""'),
    ],
)
def test_a_document_that_cannot_be_used(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        list(chunks([document(**fields)]))


def test_an_id_comes_once() -> None:
    with pytest.raises(DataError, match="f:2: `id` 'wiki:a' stood at f:1 already; make it unique"):
        list(chunks([document(), document(2)]))


GOOD = json.dumps({"light": "we ship on May 3", "heavy": "ship May 3"})


@pytest.mark.parametrize("content", [GOOD, f" {GOOD}\n", f"```json\n{GOOD}\n```", f"```\n{GOOD}\n```\n"])
def test_an_answer(content: str) -> None:
    assert read_answer(content) == Answer("we ship on May 3", "ship May 3")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "no JSON"),
        ("Sure! " + GOOD, "no JSON"),
        (GOOD[:-2], "no JSON"),
        ('{"light": "\\ud800", "heavy": "a"}', "no JSON"),
        ("[]", "no object with"),
        ('{"light": "a"}', "no object with"),
        ('{"light": "a", "heavy": "a", "note": "b"}', "no object with"),
        ('{"light": "a b", "heavy": " "}', "is no string, or blank"),
        ('{"light": ["a"], "heavy": "a"}', "is no string, or blank"),
        ('{"light": "a", "heavy": "a b"}', "`heavy` is longer than `light`"),
    ],
)
def test_an_answer_that_cannot_be_used(content: str, said: str) -> None:
    with pytest.raises(Malformed, match=said):
        read_answer(content)


@given(st.text(st.characters()))
def test_any_answer_is_read_or_malformed(content: str) -> None:
    try:
        read_answer(content)
    except Malformed:
        return
    raise AssertionError("only JSON is an answer")


def test_a_chunk_with_its_answer_is_what_annotate_reads() -> None:
    chunk = Chunk("a#0", "a", "en", "we do ship")
    assert chunk.answered(Answer("we ship", "ship"), "gpt-x") == {
        "id": "a#0",
        "src": "a",
        "lang": "en",
        "teacher": "gpt-x",
        "text": "we do ship",
        "light": "we ship",
        "heavy": "ship",
    }


def test_the_instruction_asks_for_what_is_read() -> None:
    assert '{"light": "...", "heavy": "..."}' in instruction()
