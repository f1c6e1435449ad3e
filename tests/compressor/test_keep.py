"""Force-keep: the golden table, and the laws that hold for any text."""

from __future__ import annotations

import random
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressor.keep import forced
from compressor.keep_lexicon import Kind, lexicon
from compressor.params import CompressionParams
from compressor.spans import protected_mask
from compressor.types import Span
from compressor.words import Flag, split
from tests.compressor.golden_keep import GOLDEN, Case

RULES_ONLY = CompressionParams(force_tokens=())
LITERALS_ONLY = CompressionParams(force_reserve_digit=False)
CASES = [
    pytest.param(case, id=f"{lang}-{i}") for lang, cases in GOLDEN.items() for i, case in enumerate(cases)
]
PARTS = """
    not no n't 5 km May ne pas 않았다 안 지 말고 3 명 하지만 十 万 円 不 同 没有 ない
    まず なかっ 第 一 e aB a_b x.y \u200d"""
PIECES = st.sampled_from([*PARTS.split(), *" \n.,'\"-$%’\U00020000"])
TEXTS = st.lists(PIECES, max_size=40).map("".join) | st.text(max_size=60)


def spans_of(text: str, stretch: str) -> list[Span]:
    return [match.span() for match in re.finditer(re.escape(stretch), text)]


def marked(text: str, params: CompressionParams = RULES_ONLY) -> str:
    """The text with every forced word in brackets."""
    words = split(text)
    keep = forced(text, words, params)
    return "".join(
        f"[{text[start:end]}]" if kept else text[start:end]
        for start, end, kept in zip(words.starts, words.ends, keep, strict=True)
    )


def test_the_table_is_as_large_as_promised() -> None:
    sizes = {lang: len(cases) for lang, cases in GOLDEN.items()}
    assert min(sizes["en"], sizes["ko"]) >= 25
    assert min(sizes.values()) >= 12


@pytest.mark.parametrize("case", CASES)
def test_golden(case: Case) -> None:
    words = split(case.text)
    keep = forced(case.text, words, RULES_ONLY)
    for stretch in case.kept:
        spans = spans_of(case.text, stretch)
        assert spans, f"{stretch!r} is not in the text"
        assert any(keep[protected_mask(words, [span])].all() for span in spans), marked(case.text)
    for stretch in case.free:
        spans = spans_of(case.text, stretch)
        assert spans, f"{stretch!r} is not in the text"
        assert not any(keep[protected_mask(words, [span])].any() for span in spans), marked(case.text)


def test_documented_examples_are_golden() -> None:
    page = Path(__file__).parents[2].joinpath("docs/force-keep.md").read_text(encoding="utf-8")
    quoted = re.findall(r"^\| .* \| `(.+)` \|$", page, re.MULTILINE)
    texts = {case.text for cases in GOLDEN.values() for case in cases}
    assert len(quoted) >= 20
    assert set(quoted) <= texts


@given(TEXTS)
def test_every_word_with_a_digit_is_forced(text: str) -> None:
    words = split(text)
    digits = (words.flags & Flag.HAS_DIGIT) != 0
    assert forced(text, words, RULES_ONLY)[digits].all()


@given(TEXTS, st.lists(st.sampled_from(["\n", "?", "e", "ab", "지 말", "\r\n", "5 "]), max_size=3))
def test_literals_are_order_independent_and_cover_every_occurrence(text: str, literals: list[str]) -> None:
    words = split(text)
    params = [CompressionParams(force_tokens=tuple(some)) for some in (literals, literals[::-1])]
    one, other = (forced(text, words, some) for some in params)
    assert (one == other).all()
    spans = [
        (at, at + len(some)) for some in literals for at in range(len(text)) if text.startswith(some, at)
    ]
    assert one[protected_mask(words, spans)].all()


@given(TEXTS)
def test_equal_texts_force_equal_words(text: str) -> None:
    assert (forced(text, split(text), RULES_ONLY) == forced(text, split(text), RULES_ONLY)).all()


def test_digits_are_let_go_when_not_reserved() -> None:
    assert marked("I saw 12 cats and two dogs", LITERALS_ONLY) == "Isaw12catsandtwodogs"


def test_newlines_and_literals_of_several_words() -> None:
    params = CompressionParams(force_tokens=("\n", "of the", "?"))
    assert marked("a b\nend of the day ?!", params) == "ab[\n]end[of][the]day[?!]"


def test_a_return_and_newline_is_one_newline() -> None:
    assert marked("a\r\nb", LITERALS_ONLY) == "a[\r\n]b"


def test_words_that_mean_something_else_by_language() -> None:
    portuguese = "As casas dos vizinhos da cidade ficam no centro e não são novas."
    spanish = "Las dos casas de la ciudad no están en el centro."
    assert "[dos]" not in marked(portuguese)
    assert "[no]" not in marked(portuguese)
    assert "[dos]" in marked(spanish)
    assert "[no]" in marked(spanish)


def test_a_foreign_sentence_keeps_its_plain_negations() -> None:
    text = "The sign on the wall of the old house said: Rauchen ist nicht erlaubt. It was in German."
    assert "[nicht][erlaubt]" in marked(text)


def test_a_negation_does_not_reach_out_of_its_clause() -> None:
    assert marked("Surely not, said Bob.") == "[Surely][not],saidBob."
    assert marked("No.\nBudget") == "[No].\nBudget"


def test_protected_words_overlap_the_span() -> None:
    words = split("alpha beta gamma")
    assert protected_mask(words, [(3, 8)]).tolist() == [True, True, False]
    assert protected_mask(words, [(5, 6), (9, 9)]).tolist() == [False, False, False]
    assert not protected_mask(words, []).any()


def test_the_empty_text() -> None:
    assert forced("", split(""), CompressionParams()).shape == (0,)


def test_hostile_literals_take_linear_work() -> None:
    text = "a" * 200_000
    assert forced(text, split(text), CompressionParams(force_tokens=("aa", "a" * 1000 + "b"))).all()


def test_the_lexicon_answers_like_a_dict() -> None:
    sample = ["not", "nicht", "zzz", "km", "two", "mayo", "pas"]
    kinds = lexicon().classes(split(" ".join(sample)).hashes)
    assert kinds[0] & Kind.NEGATION
    assert kinds[1] & Kind.NEGATION
    assert kinds[2] == 0
    assert kinds[3] & Kind.AFTER
    assert kinds[4] & Kind.NUMBER
    assert kinds[5] & Kind.MONTH
    assert kinds[6] & Kind.SECOND


def test_ordinary_prose_is_mostly_free() -> None:
    text = (
        "The library opened its doors again after a long winter, and readers came from every part of "
        "the town to see the new rooms. Some of them sat by the tall windows, others walked along the "
        "shelves and looked for the books they had missed. A choir sang in the hall."
    )
    keep = forced(text, split(text), RULES_ONLY)
    assert np.mean(keep) < 0.05


def test_rules_hold_at_both_ends_of_a_text() -> None:
    rng = random.Random(5)
    parts = ["not", "5", "km", "§", "May", ".", "one", "ne", "않았다", "안", "不", "ず", "万", "第", "지"]
    for _ in range(500):
        text = " ".join(rng.choices(parts, k=rng.randint(1, 4)))
        words = split(text)
        assert forced(text, words, RULES_ONLY).shape == (len(words),)
