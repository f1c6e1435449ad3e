from __future__ import annotations

import json

from compressor.eval.documents import Document, from_lines
from compressor.eval.tallies import MEASURES, holdings, occurrences, tally
from tests.compressor.eval.test_fates import kept

TEXT = "Ann: The fee is 5 euros, later 5 euros more.\nBob: It does not apply to Oslo."


def document(**fields: object) -> Document:
    [one] = from_lines("docs", [json.dumps({"text": TEXT, **fields})])
    return one


ASKED = document(
    questions=[
        {"question": "later?", "answers": ["5 euros"], "at": TEXT.rindex("5 euros")},
        {"question": "who?", "answers": ["nobody"]},
        {
            "question": "both?",
            "answers": ["fee", "Oslo"],
            "facts": [[9, 12], [TEXT.index("Oslo"), len(TEXT) - 1]],
        },
    ]
)


def test_an_answer_is_strict_where_it_answers_and_lenient_anywhere() -> None:
    found = tally(holdings(ASKED), kept(TEXT, "fee is 5 euros"))
    assert found["answers_strict"] == (0, 1)
    assert found["answers_lenient"] == (2, 2)  # "nobody" stands nowhere: not asked
    assert tally(holdings(ASKED), kept(TEXT, "later 5 euros"))["answers_strict"] == (1, 1)


def test_facts_that_dangle_are_not_together() -> None:
    held = holdings(ASKED)
    assert tally(held, kept(TEXT, "fee", "Oslo"))["facts_together"] == (1, 1)
    assert tally(held, kept(TEXT, "fee"))["facts_together"] == (0, 1)


def test_a_flip_is_what_is_denied_without_its_negation() -> None:
    marked = holdings(document(negations=[[TEXT.index("not"), TEXT.index("not") + 3, *_at("apply")]]))
    assert tally(marked, kept(TEXT, "apply"))["polarity_flips"] == (1, 1)
    assert tally(marked, kept(TEXT, "not apply"))["polarity_flips"] == (0, 1)
    assert tally(marked, kept(TEXT, "not apply"))["negations_kept"] == (1, 1)
    assert tally(marked, kept(TEXT, "fee"))["polarity_flips"] == (0, 1)
    assert tally(marked, kept(TEXT, "not"))["negations_kept"] == (0, 1)
    by_rule = holdings(document())
    assert [TEXT[slice(*one.denied)] for one in by_rule.negations] == ["apply"]


def test_numbers_and_speakers() -> None:
    found = tally(holdings(document()), kept(TEXT, "Ann: The fee is 5", " apply"))
    assert found["numbers_intact"] == (1, 2)
    assert found["numbers_changed"] == (0, 2)
    assert found["speakers_kept"] == (1, 2)
    assert found["speakers_lost"] == (1, 2)
    assert found["names_intact"] == (0, 1)
    assert set(found) <= set(MEASURES)


def test_marked_numbers_count_instead_of_found_ones() -> None:
    held = holdings(document(numbers=[[5, 8]]))
    assert held.literals["numbers"] == ((5, 8),)
    dated = Document("a", "en", "d", "on 5 May", numbers=((3, 4),))
    assert holdings(dated).literals["numbers"] == ()  # part of a date


def test_occurrences_are_whole_words_in_latin_script() -> None:
    assert list(occurrences("15 of 5, 5a", "5")) == [(6, 7)]
    assert list(occurrences("열다섯 다섯", "다섯")) == [(1, 3), (4, 6)]
    assert list(occurrences("a", " ")) == []
    assert list(occurrences("f(x).", "f(x)")) == [(0, 4)]


def _at(part: str) -> list[int]:
    return [TEXT.index(part), TEXT.index(part) + len(part)]
