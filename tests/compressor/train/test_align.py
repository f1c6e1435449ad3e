"""The alignment: exact where words are unique, best in order where they are not, of any length."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressor.train.align import WINDOW, Numbering, kept_units


def kept(source: Sequence[str], compressed: Sequence[str], preferred: Sequence[int] = ()) -> list[int]:
    """Indices of the source units found in the compression."""
    numbering = Numbering()
    likelier = np.isin(np.arange(len(source)), preferred)
    found = kept_units(numbering.keyed(source), numbering.keyed(compressed), likelier)
    assert len(found) == len(source)
    return [int(i) for i in found.nonzero()[0]]


@pytest.mark.parametrize(
    ("source", "compressed", "expected"),
    [
        ("the cat saw the dog", "cat saw dog", [1, 2, 4]),
        ("the cat saw the dog", "saw the dog", [2, 3, 4]),  # the longer run, not the first "the"
        ("a b a b", "a b", [0, 1]),  # of equals, the earliest
        ("a x b a b", "a b", [3, 4]),
        ("no , not now", "Not now.", [2, 3]),
        ("It works. It works?", "works?", [3]),  # the same spelling
        ("one two", "three", []),  # a word made up
        ("one two three", "three one", [0]),  # out of order: one of them
        ("회의에서는 예산을 정했다", "회의 예산 정했다", [0, 1, 2]),
        ("회의는 회의", "회의", [1]),  # whole, before cut
        ("see [`flush`](/ref/flush) twice", "see `flush`", [0, 1]),
        ("", "one", []),
        ("one", "", []),
    ],
)
def test_what_is_kept(source: str, compressed: str, expected: list[int]) -> None:
    assert kept(source.split(), compressed.split()) == expected


def test_the_preferred_of_equals_is_taken() -> None:
    assert kept(["yes", "we", "can", "yes"], ["yes"], [3]) == [3]


@given(st.data(), st.integers(0, 300))
def test_a_deletion_of_unique_words_is_recovered(data: st.DataObject, n: int) -> None:
    words = [f"w{i}" for i in range(n)]
    stays = data.draw(st.lists(st.booleans(), min_size=n, max_size=n))
    expected = [i for i, stay in enumerate(stays) if stay]
    assert kept(words, [words[i] for i in expected]) == expected


@given(st.lists(st.sampled_from("abcAB,회"), max_size=60), st.data())
def test_every_word_of_a_deletion_is_found(words: list[str], data: st.DataObject) -> None:
    stays = data.draw(st.lists(st.booleans(), min_size=len(words), max_size=len(words)))
    compressed = [word for word, stay in zip(words, stays, strict=True) if stay]
    found = [words[i] for i in kept(words, compressed)]
    assert [word.casefold() for word in found] == [word.casefold() for word in compressed]


@pytest.mark.parametrize("share", [2, 3, 9])
def test_a_text_of_many_windows_is_recovered(share: int) -> None:
    words = [f"w{i}" for i in range(5 * WINDOW)]
    expected = list(range(0, len(words), share))
    assert kept(words, [words[i] for i in expected]) == expected


def test_words_made_up_do_not_lead_the_next_windows_astray() -> None:
    words = [f"w{i}" for i in range(3 * WINDOW)]
    expected = list(range(0, len(words), 2))
    compressed = ["made", "up"] * 20 + [words[i] for i in expected]
    assert kept(words, compressed) == expected


@given(
    st.lists(st.text(st.characters(), min_size=1), max_size=30), st.lists(st.text(min_size=1), max_size=30)
)
def test_nothing_raises(source: list[str], compressed: list[str]) -> None:
    assert len(kept(source, compressed)) <= min(len(source), len(compressed))
