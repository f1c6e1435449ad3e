"""Chunks: slices at the ends of sentences, of a size."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressor.train.chunking import SIZES, chunks_of, size_of
from compressor.train.units import units_of

LANGUAGES = st.sampled_from(["en", "ko", "ja", "zh-hant"])


def sentences(n: int, words: int = 10) -> list[str]:
    return [" ".join([f"S{i}", *(f"w{j}" for j in range(words - 2)), "end."]) for i in range(n)]


def test_a_short_text_is_one_chunk() -> None:
    assert chunks_of(" one two. three\n", "en") == ["one two. three"]
    assert chunks_of(" \n", "en") == []


def test_it_ends_where_a_sentence_does() -> None:
    found = chunks_of(" ".join(sentences(50)), "en")
    assert [len(chunk.split()) for chunk in found] == [210, 170, 120]
    assert all(chunk.endswith("end.") for chunk in found)


def test_the_end_of_a_paragraph_is_better() -> None:
    text = " ".join(sentences(13)) + "\n\n" + " ".join(sentences(17))
    assert [len(chunk.split()) for chunk in chunks_of(text, "en")] == [130, 170]


@pytest.mark.parametrize(
    "text",
    ["It took 3. something more", "It took 3.5 s", "e.g. this", "See fig. two"],
)
def test_what_looks_like_an_end_is_none(text: str) -> None:
    """A lower-case word follows, or nothing at all: the last end of a clause is taken."""
    before = " ".join(["word"] * 120) + " clause, and"
    [first, *_] = chunks_of(f"{before} {text} " + " ".join(["tail"] * 300), "en")
    assert first.endswith("clause,")


def test_chinese_ends_after_the_closing_quote() -> None:
    text = "他说：“我们今天开会讨论预算，明天再定。”" * 40
    found = chunks_of(text, "zh")
    assert all(chunk.endswith("。”") for chunk in found)
    assert all(SIZES["zh"].least <= len(chunk) <= SIZES["zh"].most for chunk in found)


def test_numbers_among_characters_are_not_cut() -> None:
    text = "版本3.14.15发布了" * 100
    assert all(not chunk.endswith(("3.", "3", "14.", "14")) for chunk in chunks_of(text, "zh")[:-1])


def test_a_text_without_any_end_is_cut_all_the_same() -> None:
    assert [len(chunk.split()) for chunk in chunks_of("word " * 1000, "ko")] == [150] * 6 + [100]


@given(
    st.lists(st.text(st.characters()) | st.sampled_from(["\n\n", "end. ", "끝。", "a " * 50]), max_size=60),
    LANGUAGES,
)
def test_laws(parts: list[str], language: str) -> None:
    text = "".join(parts)
    found = chunks_of(text, language)
    at = 0
    for chunk in found:
        at = text.index(chunk, at) + len(chunk)
    assert [unit for chunk in found for unit in units_of(chunk, language)] == units_of(text, language)
    sizes = [len(units_of(chunk, language)) for chunk in found]
    assert all(size <= size_of(language).most for size in sizes)
    assert len(sizes) == 1 or all(size >= size_of(language).most // 2 for size in sizes)
