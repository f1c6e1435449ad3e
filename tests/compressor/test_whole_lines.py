"""Tables and logs by line: a row stays whole or goes whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressor.select import Candidates
from compressor.whole_lines import Rows
from compressor.words import split

TABLE = "| name | size |\n|---|---|\n| a b | 1 |\n| c | 22 |\n| d | 3 |"
LOG = "".join(f"2026-11-20 14:02:{at} INFO worker {at} took {at * 3} ms\n" for at in range(10, 16))
CSV = "id,name,size\n1,a,2\n3,b,4\n5,c,6"
ROWS = st.lists(
    st.sampled_from(["| a | b |\n", "|---|---|\n", "plain words here\n", "14:02:11 done\n", "\n", "1,2,3\n"])
)


def shown(text: str) -> list[tuple[int, str]]:
    words = split(text)
    rows = Rows.of(text, words).of_words.tolist()
    return [(row, text[start:end]) for row, start, end in zip(rows, words.starts, words.ends, strict=True)]


@pytest.mark.parametrize("block", [TABLE, LOG, CSV])
def test_every_line_of_a_block_is_a_row_with_its_line_break(block: str) -> None:
    text = f"Before it.\n\n{block}"
    found = shown(text)
    lines = block.rstrip("\n").split("\n")
    assert [row for row, _ in found if row < 0] == [-1] * (len(split("Before it.\n\n")))
    for at, line in enumerate(lines):
        own = [word for row, word in found if row == at]
        assert "".join(own).replace("\n", "") == line.replace(" ", "")


def test_what_comes_between_is_no_row() -> None:
    text = LOG + "Traceback (most recent call last):\n" + LOG
    assert {row for row, word in shown(text) if word == "Traceback"} == {-1}
    assert {row for row, _ in shown("one 14:02:11\ntwo\n14:02:12 x")} == {-1}, "too few for a log"


def test_heads_and_rules_stay() -> None:
    words = split(TABLE)
    assert Rows.of(TABLE, words).is_head.tolist() == [True, True, False, False, False]


@given(ROWS, st.randoms(use_true_random=False))
def test_a_row_has_one_score_and_one_say(lines: list[str], random: object) -> None:
    text = "".join(lines)
    words = split(text)
    n = len(words)
    rows = Rows.of(text, words)
    rng = np.random.default_rng(len(text))
    given_ = Candidates(
        rng.integers(0, 4096, n).astype(np.uint16),
        rng.integers(0, 4, n).astype(np.int32),
        rng.random(n) < 0.3,
        rng.random(n) < 0.05,
    )
    level = rows.level(given_)
    outside = rows.of_words < 0
    assert (level.scores[outside] == given_.scores[outside]).all()
    is_before = outside & np.append(~outside[1:], False)
    assert (level.forced[outside] == (given_.forced | is_before)[outside]).all()
    assert set(words.is_newline[is_before].tolist()) <= {True}
    for row in range(len(rows.is_head)):
        own = rows.of_words == row
        assert len(set(level.scores[own].tolist())) == 1
        stays = rows.is_head[row] or given_.protected[own].any()
        assert set(level.forced[own].tolist()) == {bool(stays)}
    kept = rows.whole(rng.random(n) < 0.7)
    for row in range(len(rows.is_head)):
        assert len(set(kept[rows.of_words == row].tolist())) == 1
