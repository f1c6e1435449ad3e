from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from compressor.eval.controls import CONTROLS, chance_scores
from compressor.eval.matched import Budget
from compressor.render import slice_text
from compressor.tokens import counter
from compressor.types import SCORE_ONE
from compressor.words import split

TEXT = (
    "The kiln was cold. The kiln of the pottery in Leeds was relit on Monday, and the potters were glad.\n"
    "Nobody knows why the kiln of the pottery failed. Bread is baked elsewhere."
)
WORDS = split(TEXT)


def first(name: str, n: int) -> list[str]:
    order = CONTROLS[name](TEXT, WORDS)
    return [TEXT[WORDS.starts[at] : WORDS.ends[at]] for at in order[:n].tolist()]


@pytest.mark.parametrize("name", CONTROLS)
def test_an_order_has_every_word_once_and_is_the_same_again(name: str) -> None:
    order = CONTROLS[name](TEXT, WORDS)
    assert sorted(order.tolist()) == list(range(len(WORDS)))
    assert order.tolist() == CONTROLS[name](TEXT, split(TEXT)).tolist()


def test_stop_words_and_punctuation_go_first() -> None:
    n = sum(
        1 for word in first("stop words", 99) if word.casefold() not in {"the", "of", "in", "was", "and", "."}
    )
    assert not {"the", "of", "The", "."} & set(first("stop words", n - 8))


def test_the_rarest_come_first() -> None:
    assert first("rarest", 1) == ["\n"]
    assert "potters" in first("rarest", 6)
    assert "kiln" not in first("rarest", 20)


def test_head_and_tail_meet_in_the_middle() -> None:
    assert set(first("head+tail", 4)) == {"The", "kiln", ".", "elsewhere"}


def test_textrank_puts_last_what_shares_nothing() -> None:
    text = "Wolves hunt sheep at night. Bread was baked. Sheep fear wolves at night. Wolves eat sheep."
    words = split(text)
    order = CONTROLS["TextRank"](text, words).tolist()
    assert [text[words.starts[at] : words.ends[at]] for at in order[-4:]] == ["Bread", "was", "baked", "."]
    sentences = [text.count(".", 0, int(words.starts[at])) for at in order]
    assert len([1 for one, other in pairwise(sentences) if one != other]) == 3  # each stays in one piece


@pytest.mark.parametrize("name", CONTROLS)
def test_a_text_of_one_word_has_an_order(name: str) -> None:
    assert CONTROLS[name]("\n", split("\n")).tolist() == [0]


def test_chance_is_on_the_grid() -> None:
    scores = chance_scores(WORDS)
    assert scores.dtype == np.uint16
    assert scores.max() < SCORE_ONE


@pytest.mark.parametrize("name", CONTROLS)
@pytest.mark.parametrize("target", [0, 5, 17, 30, 1000])
def test_a_budget_is_met_and_not_passed(name: str, target: int) -> None:
    budget = Budget(TEXT, WORDS, counter("o200k_base"))
    output = budget.fit(CONTROLS[name](TEXT, WORDS), target)
    text = slice_text(TEXT, output.spans)
    assert output.tokens == counter("o200k_base").count(text)
    assert output.tokens <= target
    whole = counter("o200k_base").count(TEXT)
    assert output.tokens >= min(target, whole) - 4
