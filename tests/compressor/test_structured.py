"""Structured context through the whole recipe: a parser reads of what is there what it read before."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressor import CompressionParams
from compressor.analysis import left_whole
from compressor.flow import begin, flow
from compressor.params import Protect
from compressor.types import Compressed, Scores, Words

PROSE = (
    "The committee of the city decided on the long agenda of the day, and it was fine with all of them. " * 3
)
CELL = st.text(st.sampled_from("abcdefgh 0123456789"), min_size=1, max_size=8).map(str.strip).filter(bool)
TABLE = st.lists(st.tuples(CELL, CELL, CELL), min_size=3, max_size=12)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=5), children, max_size=4)
    ),
    max_leaves=15,
)
RATES = st.sampled_from([0.2, 0.5, 0.8])


def scored(words: Words, seed: int) -> Scores:
    return ((words.hashes ^ np.uint64(seed)) % np.uint64(4096)).astype(np.uint16)


def compress(text: str, seed: int = 0, **asked: Any) -> Compressed:
    steps = flow(text, CompressionParams(**asked))
    try:
        result = steps.send(scored(next(steps).words, seed))
        raise AssertionError(f"asked twice: {result}")
    except StopIteration as end:
        result = end.value
        assert isinstance(result, Compressed)
    assert result.text == "".join(text[start:end] for start, end in result.kept.tolist())
    assert result.compressed_tokens <= result.origin_tokens
    return result


@given(st.dictionaries(CELL, VALUES, min_size=1), st.sampled_from([1, 2, "\t"]), RATES, st.integers(0, 9))
def test_json_among_prose_is_the_same_value(document: Any, indent: Any, rate: float, seed: int) -> None:
    text = f"{PROSE}\n{json.dumps(document, indent=indent)}\n{PROSE}"
    result = compress(text, seed, rate=rate, minify_json=True).text
    start = result.index("\n") + 1
    assert json.loads(result[start : result.index("\n", start)]) == document


@given(st.lists(VALUES, min_size=3), st.sampled_from([1, 2, 4]))
def test_a_text_of_json_alone_is_minified_although_it_is_structured(document: Any, indent: int) -> None:
    text = json.dumps(document, indent=indent)
    result = compress(text, minify_json=True)
    assert json.loads(result.text) == document
    if result.compressed_tokens < result.origin_tokens:
        assert result.text == json.dumps(document, separators=(",", ":"))
        assert result.skip is None
    else:
        assert (result.text, result.skip is not None) == (text, True)


def rows_of(text: str) -> list[list[str]]:
    return [row for row in csv.reader(io.StringIO(text)) if len(row) == 3]


@given(TABLE, RATES, st.integers(0, 9))
def test_rows_of_a_table_are_there_as_they_were_or_not(
    table: list[tuple[str, ...]], rate: float, seed: int
) -> None:
    lines = [",".join(row) for row in [("id", "name", "size"), *table]]
    text = "\n".join([PROSE, "", *lines, "", PROSE])
    found = rows_of(compress(text, seed, rate=rate, whole_lines=True, force_tokens=()).text)
    before = rows_of(text)
    rest = iter(before)
    assert all(row in rest for row in found), "in order, none made up"
    assert found[:1] == before[:1], "the head stays"


LOG = [
    f"2026-11-20 14:02:{at:02} INFO worker {at} took {at * 7} ms for /v1/things/{at}" for at in range(10, 50)
]


@given(RATES, st.integers(0, 99))
def test_lines_of_a_log_are_there_as_they_were_or_not(rate: float, seed: int) -> None:
    result = compress("\n".join(LOG), seed, rate=rate, whole_lines=True, structure_guard=False)
    lines = [line for line in result.text.split("\n") if line]
    rest = iter(LOG)
    assert all(line in rest for line in lines)
    assert 0 < len(lines) < len(LOG)
    assert abs(result.compressed_tokens / result.origin_tokens - rate) < 0.1


def test_what_is_protected_in_a_row_goes_with_it_unless_the_user_named_it() -> None:
    asked: dict[str, Any] = {"rate": 0.2, "whole_lines": True, "structure_guard": False}
    text = "\n".join(LOG)
    assert compress(text, **asked).text.count("/v1/things") < len(LOG)
    named = compress(text, protect=Protect(patterns=("/v1/things/33",)), **asked).text
    assert next(line for line in LOG if line.endswith("/33")) in named.split("\n")


def test_a_block_that_comes_again_goes() -> None:
    result = compress(f"{PROSE}\n" * 3, drop_repeats=True, rate=1.0)
    assert result.text == f"{PROSE}\n"
    assert result.compressed_tokens * 3 <= result.origin_tokens + 3


@pytest.mark.parametrize("switch", ["minify_json", "drop_repeats"])
def test_of_short_texts_nothing_is_left_out(switch: str) -> None:
    text = json.dumps({"a": [1, 2, 3]}, indent=2) + "\n" + f"{PROSE}\n" * 2
    result = compress(text, min_tokens=100_000, **{switch: True})
    assert (result.text, result.skip) == (text, "short")


def test_marks_come_first() -> None:
    document = json.dumps({"a": [1, 2, 3]}, indent=2)
    marked = f"<pith keep>{document}</pith>\n{PROSE}"
    assert document in compress(marked, marks=True, minify_json=True).text
    plain = f"{document}\n{PROSE}"
    assert compress(plain, marks=True, minify_json=True).text.startswith('{"a":[1,2,3]}')


def test_off_by_default() -> None:
    text = json.dumps({"a": [1, 2, 3]}, indent=2)
    assert compress(text).text == text
    assert compress(f"{PROSE}\n" * 2, rate=1.0).text == f"{PROSE}\n" * 2


def test_a_text_that_fails_goes_whole_and_is_counted_although_repeats_were_left_out() -> None:
    block = "".join(f"{n} {PROSE}\n" for n in range(3))
    text = f"{block}Again.\n{block}"
    begun = begin(text, CompressionParams(drop_repeats=True))
    assert begun.original is not None
    assert begun.marked is not None
    inner = left_whole(begun.marked.text, begun.original.origin_tokens // 2, "verify_failed")
    result = begun.result(inner)
    assert (result.text, result.skip) == (text, "verify_failed")
    assert result.compressed_tokens == result.origin_tokens == begun.original.origin_tokens
    assert begun.result(left_whole(begun.marked.text, inner.origin_tokens, "structured")).skip is None
