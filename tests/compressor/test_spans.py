"""Arithmetic on spans, and look-ups that agree with plain Python."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from compressor.lines import Lines
from compressor.spans import CharSet, WideText, covering, fill, merged, runs, sums, union
from compressor.word_index import WordIndex
from compressor.words import split

SPANS = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=8)


@given(SPANS)
def test_fill_marks_every_place_of_every_range(spans: list[tuple[int, int]]) -> None:
    first, past = np.array(spans, np.intp).reshape(-1, 2).T
    expected = [any(a <= i < b for a, b in spans) for i in range(21)]
    assert fill(21, first, past).tolist() == expected


@given(SPANS)
def test_union_is_ordered_disjoint_and_covers_the_same(spans: list[tuple[int, int]]) -> None:
    joined = union((a, b) for a, b in spans if a <= b)
    assert all(a < b for a, b in joined)
    assert all(one[1] < other[0] for one, other in pairwise(joined))
    covered = {i for a, b in spans for i in range(a, b)}
    assert {i for a, b in joined for i in range(a, b)} == covered


@given(st.lists(st.integers(-9, 9), min_size=20, max_size=20), SPANS)
def test_sums_add_up_every_range(values: list[int], spans: list[tuple[int, int]]) -> None:
    spans = [(a, b) for a, b in spans if a <= b]
    first, past = np.array(spans, np.intp).reshape(-1, 2).T
    assert sums(np.array(values, np.int32), first, past).tolist() == [sum(values[a:b]) for a, b in spans]


@given(st.lists(st.booleans(), max_size=12))
def test_runs_give_the_mask_back(mask: list[bool]) -> None:
    first, past = runs(np.array(mask, np.bool_))
    assert fill(len(mask), first, past).tolist() == mask


@given(st.text(alphabet="ab \n", max_size=20), SPANS)
def test_covering_marks_overlapping_words(text: str, spans: list[tuple[int, int]]) -> None:
    words = split(text)
    starts, ends = np.array(spans, np.intp).reshape(-1, 2).T
    pairs = list(zip(words.starts, words.ends, strict=True))
    expected = [any(a < b and a < end and start < b for a, b in spans) for start, end in pairs]
    assert covering(words, starts, ends).tolist() == expected


@given(st.text(alphabet="ab \t\r\n", max_size=20))
def test_lines_are_those_of_the_text(text: str) -> None:
    lines = Lines.of(split(text))
    plain = text.split("\n")
    assert len(lines) == len(plain)
    for i, line in enumerate(plain):
        bare = line.removesuffix("\r") if i < len(plain) - 1 or line.endswith("\r") else line
        assert text[lines.starts[i] : lines.ends[i]] == bare


def test_looking_outside_the_text_finds_nothing() -> None:
    assert Lines.of(split("")).codes_at(np.array([0, 5])).tolist() == [0, 0]
    assert Lines.of(split("ab")).codes_at(np.array([-1, 1, 2])).tolist() == [0, ord("b"), 0]
    text = WideText(split("一").codes)
    assert text.at(np.array([-3, 0, 4])).tolist() == [0, ord("一"), 0]


def test_char_sets_end_with_the_basic_plane() -> None:
    assert CharSet("aé漢").has(np.array([ord(c) for c in "aé漢b\U00020000"], np.uint32)).tolist() == [
        True,
        True,
        True,
        False,
        False,
    ]


def test_a_word_index_answers_like_a_dict_also_for_words_that_collide() -> None:
    listed = [f"word{i}" for i in range(3000)]
    index = WordIndex(listed)
    asked = [*listed, *(f"other{i}" for i in range(3000))]
    rows = index.rows(split(" ".join(asked)).hashes)
    assert rows.tolist() == [*range(3000), *[-1] * 3000]
    assert index.has(split("word7 else").hashes).tolist() == [True, False]
    assert WordIndex([]).has(split("a").hashes).tolist() == [False]


def test_merged_joins_touching_spans_and_drops_empty_ones() -> None:
    spans = np.array([[0, 0], [1, 3], [3, 5], [7, 7], [8, 9]], np.int32)
    assert merged(spans).tolist() == [[1, 5], [8, 9]]
    assert merged(spans[:1]).tolist() == []
