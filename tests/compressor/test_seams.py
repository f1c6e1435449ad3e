"""compressor.seams: what goes and what stays where words were dropped."""

from __future__ import annotations

import numpy as np
import pytest

from compressor.layout import Layout
from compressor.render import kept_spans, slice_text
from compressor.seams import drop_consecutive, drop_orphans, keep_separators
from compressor.types import Bools
from compressor.words import split


def shown(kept: Bools) -> str:
    return "".join("x" if keep else "." for keep in kept)


def test_drop_consecutive_keeps_one_newline_of_dropped_lines() -> None:
    words = split("a\nb\nc\nd")
    all_but = np.array([True, True, False, True, False, True, True])
    assert shown(drop_consecutive(words, all_but, np.zeros(7, np.bool_), ("\n",))) == "xx....x"
    assert shown(drop_consecutive(words, all_but, np.zeros(7, np.bool_), ())) == shown(all_but)


def test_drop_consecutive_never_drops_a_number() -> None:
    words = split("5 5 5")
    assert shown(drop_consecutive(words, np.ones(3, np.bool_), np.zeros(3, np.bool_), ("5",))) == "xxx"


def test_drop_consecutive_leaves_protected_words_alone() -> None:
    words = split("\n\n\n")
    protected = np.array([False, True, False])
    assert shown(drop_consecutive(words, np.ones(3, np.bool_), protected, ("\n",))) == "xxx"
    assert shown(drop_consecutive(words, np.ones(3, np.bool_), ~protected, ("\n",))) == "xxx"


def test_nothing_kept_has_nothing_to_drop_or_part() -> None:
    words = split("a b")
    none = np.zeros(2, np.bool_)
    assert shown(drop_consecutive(words, none, none, ("\n",))) == ".."
    assert shown(keep_separators(words, none, Layout.of(words))) == ".."


def parted(text: str, dropped: set[str]) -> str:
    words = split(text)
    spelled = [text[start:end] for start, end in zip(words.starts, words.ends, strict=True)]
    kept = keep_separators(words, np.array([word not in dropped for word in spelled]), Layout.of(words))
    return "|".join(word for word, keep in zip(spelled, kept, strict=True) if keep)


def test_letters_never_grow_together() -> None:
    assert parted("foo(bar)baz", {"(", ")"}) == "foo|(|bar|)|baz"
    assert parted("3至5", {"至"}) == "3|至|5"
    assert parted("cafe\u0301(2)x", {"(", ")"}) == "cafe\u0301|(|2|)|x", "a mark is part of its letter"


def test_a_dropped_newline_that_alone_parts_two_words_stays() -> None:
    assert parted("foo\nbar", {"\n"}) == "foo|\n|bar"


def test_what_parts_two_words_stays_with_its_other_half() -> None:
    assert parted('"좋다"라고 했다', {'"'}) == '"|좋다|"|라고|했다'


def test_marks_in_a_row_without_end_are_left() -> None:
    words = split("a " + ", " * 1000)
    kept = np.ones(len(words), np.bool_)
    kept[2] = False
    assert 900 < drop_orphans(words, kept, np.zeros(len(words), np.bool_), Layout.of(words)).sum() < 1000


def test_a_gap_parts_words_well_enough() -> None:
    assert parted("foo, bar baz", {",", "bar"}) == "foo|baz"


@pytest.mark.parametrize(
    ("text", "dropped", "expected"),
    [
        ("Priya: Sure, yes.\nNext", "Sure yes", "Priya:\nNext"),
        ("in the end, you see.", "you see", "in the end."),
        ("Well, we met.", "Well", "we met."),
        ("one (two three) four", "two three", "one four"),
        ("said “so” twice", "so", "said twice"),
        ("keep this, and that.", "and", "keep this, that."),
        ("a, b, c", "b", "a, c"),
        ("会议，好的。", "好 的", "会议。"),
        ("no seam, no change.", "", "no seam, no change."),
        ("all gone.", "all gone", "."),
        ("see [the guide](of ours) now", "the guide", "see of ours now"),
        ("one (two three) four", "( two", "one three four"),
        ("one (two three) four", ") two", "one (three) four"),
        ("said (so it is). Then", "(", "said (so it is). Then"),
        ("he said “we go” twice", "“ we", "he said go twice"),
        ("see [the guide](docs), now", "the guide ),", "see docs now"),
        ("see [the guide](docs), now", "the guide [", "see docs now"),
        ("and so... on we go", "and so", "on we go"),
        ("a **very bold** word", "very bold", "a word"),
        ("- one two\n- three\n# four", "- one three four", "- two\n\n"),
    ],
)
def test_orphaned_punctuation_goes(text: str, dropped: str, expected: str) -> None:
    words = split(text)
    gone = set(dropped.split(" "))
    kept = np.array(
        [text[start:end] not in gone for start, end in zip(words.starts, words.ends, strict=True)]
    )
    result = drop_orphans(words, kept, np.zeros(len(words), np.bool_), Layout.of(words))
    assert slice_text(text, kept_spans(words, result)) == expected


def test_fixed_punctuation_stays() -> None:
    words = split("Sure, yes. Ok")
    kept = np.array([False, True, False, True, True])
    assert shown(drop_orphans(words, kept, np.ones(5, np.bool_), Layout.of(words))) == ".x.xx"
    assert shown(drop_orphans(words, kept, np.zeros(5, np.bool_), Layout.of(words))) == "....x"


def test_nothing_kept_has_no_seams() -> None:
    words = split("a b")
    assert shown(drop_orphans(words, np.zeros(2, np.bool_), np.zeros(2, np.bool_), Layout.of(words))) == ".."
    assert (
        shown(drop_orphans(split(""), np.zeros(0, np.bool_), np.zeros(0, np.bool_), Layout.of(split(""))))
        == ""
    )
