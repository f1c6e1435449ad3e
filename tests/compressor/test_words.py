"""Words: the laws that hold for any text, and where texts of each script are cut."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressor.chars import hash_word, hash_words
from compressor.types import Words
from compressor.words import Flag, split

PARTS = st.sampled_from(
    [
        *" \n\r\t.,-'’$€%&@#/\\:+_1٣½aZéß漢字かなカナー한글́",
        "\r\n",
        "\u200d",
        "\ufe0f",
        "👩‍💻",
        "\U00020000",
        "\U000e0001",
    ]
)
TEXTS = st.lists(PARTS, max_size=40).map("".join) | st.text(max_size=60)


def cut(text: str) -> list[str]:
    words = split(text)
    return [text[start:end] for start, end in zip(words.starts, words.ends, strict=True)]


def flags(text: str) -> list[int]:
    return [int(flag) for flag in split(text).flags]


@given(TEXTS)
def test_words_are_ordered_disjoint_and_not_empty(text: str) -> None:
    words = split(text)
    assert (words.starts < words.ends).all()
    assert (words.ends[:-1] <= words.starts[1:]).all()
    assert (words.starts >= 0).all()
    assert (words.ends <= len(text)).all()


@given(TEXTS)
def test_gaps_are_white_space_without_newline(text: str) -> None:
    words = split(text)
    past = 0
    for start, end in zip([*words.starts, len(text)], [*words.ends, len(text)], strict=True):
        gap = text[past:start]
        assert gap.strip() == ""
        assert "\n" not in gap
        past = end


@given(TEXTS)
def test_every_newline_is_its_own_word(text: str) -> None:
    words = split(text)
    for start, end, flag in zip(words.starts, words.ends, words.flags, strict=True):
        word = text[start:end]
        if "\n" in word or "\r" in word:
            assert word in ("\n", "\r", "\r\n")
            assert flag == Flag.NEWLINE
    assert sum(word in ("\n", "\r\n") for word in cut(text)) == text.count("\n")


@given(TEXTS)
def test_words_do_not_begin_or_end_with_white_space(text: str) -> None:
    assert all(word.strip() == word for word in cut(text) if word not in ("\n", "\r", "\r\n"))


@given(TEXTS)
def test_equal_texts_give_equal_words(text: str) -> None:
    one, other = split(text), split("".join(list(text)))
    for name in (*(field.name for field in fields(Words)), "hashes"):
        assert (getattr(one, name) == getattr(other, name)).all()


@given(TEXTS)
def test_hashes_are_those_of_the_words_alone(text: str) -> None:
    words = cut(text)
    hashes = split(text).hashes
    assert hashes.tolist() == [hash_word(word) for word in words]
    if words:
        assert (hashes == hash_words(words)).all()


@given(TEXTS)
def test_a_line_is_cut_alike_wherever_it_stands(text: str) -> None:
    line = text.replace("\n", " ").replace("\r", " ")
    assert cut(f"first\n{line}\nlast") == ["first", "\n", *cut(line), "\n", "last"]


def test_hashes_ignore_case_and_the_kind_of_apostrophe() -> None:
    hashes = split("Don’t DON'T don't dont").hashes
    assert len(set(hashes.tolist())) == 2
    assert hashes[0] == hashes[1] == hashes[2]


def test_the_empty_text_has_no_words() -> None:
    assert len(split("")) == 0
    assert len(split(" \t ")) == 0
    assert split("").flags.dtype == np.uint16


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("state-of-the-art don't O’Neill", ["state-of-the-art", "don't", "O’Neill"]),
        ("-$5.00, 12% (3:15) 1,000.5", ["-$5.00", ",", "12%", "(", "3:15", ")", "1,000.5"]),
        ("user@host.org /usr/lib C++ .NET", ["user@host.org", "/usr/lib", "C++", ".NET"]),
        ("wait... what?!", ["wait", "...", "what", "?!"]),
        ("end.Next a,b", ["end.Next", "a", ",", "b"]),
        ("2–4 and 2 – 4", ["2–4", "and", "2", "–", "4"]),
        ("a\r\n\r\nb\n", ["a", "\r\n", "\r\n", "b", "\n"]),
        ("위원회는 승인하지 않았다.", ["위원회는", "승인하지", "않았다", "."]),
        ("コンピュータ・ゲーム", ["コンピュータ", "・", "ゲーム"]),
        ("e\u0301te\u0301 👩‍💻!", ["e\u0301te\u0301", "👩‍💻!"]),
    ],
)  # fmt: skip
def test_cuts(text: str, words: list[str]) -> None:
    assert cut(text) == words


def test_flags_say_what_is_in_a_word() -> None:
    assert flags("Abc") == [Flag.TITLE | Flag.HAS_LETTER]
    assert flags("ABC") == [Flag.TITLE | Flag.UPPER | Flag.HAS_LETTER]
    assert flags("a1-b") == [Flag.HAS_LETTER | Flag.HAS_DIGIT | Flag.INNER]
    assert flags("한글") == [Flag.HAS_LETTER | Flag.HANGUL]
    assert flags("カナ") == [Flag.HAS_LETTER | Flag.CJK]
    assert flags("?!") == [Flag.PUNCT]
    assert flags("\n") == [Flag.NEWLINE]


@given(st.text(alphabet="的一是不了人我在漢字かなです", max_size=30))
def test_han_and_kana_words_are_cut_between_pairs_alone(text: str) -> None:
    """Whether two characters part depends on those two only."""
    words = split(text)
    cuts = set(words.starts.tolist())
    for i in range(1, len(text)):
        assert (i in cuts) == (1 in split(text[i - 1 : i + 1]).starts.tolist())


@pytest.mark.timeout(60)
def test_hashing_is_linear_in_the_longest_word() -> None:
    """Two minutes for these 8 million letters when NumPy wrapped positions around, 0.2 s now."""
    words = ["a" * 8_000_000, "a" * 8_000_001]
    one, two = hash_words(words).tolist()
    assert one != two
