from __future__ import annotations

import json
from dataclasses import replace

import pytest

from compressor import load_scorer
from compressor.eval.cells import figures, measure
from compressor.eval.controls import CONTROLS, RULES
from compressor.eval.documents import Document, shipped
from compressor.eval.invariants import INVARIANTS, is_cut_from
from compressor.eval.methods import RATES, cut_down, cuts, read
from compressor.params import CompressionParams

SCORERS = {"frequency": load_scorer("frequency")}
SOME = [document for document in shipped() if document.language in ("en", "ko")]
MEASURED = measure(SOME, SCORERS, (0.5, 0.33))
FOUND = figures(MEASURED)


def test_every_method_gets_the_tokens_of_the_first() -> None:
    for cut in cuts(read(SOME[0].text, SCORERS), RATES):
        if cut.method == "frequency":
            tokens = cut.output.tokens
        assert abs(cut.output.tokens - tokens) <= 3 + 0.01 * tokens, cut


def test_the_invariants_hold() -> None:
    assert set(MEASURED.checks) == set(INVARIANTS)
    for name, (held, of) in MEASURED.checks.items():
        assert held == of, name
        assert of or name == "rate"  # no text is long enough


def test_long_texts_meet_the_rate() -> None:
    long = "\n\n".join(document.text for document in SOME if document.language == "en")
    found = measure([Document("long", "en", "all", long)], SCORERS, (0.66, 0.5))
    assert found.checks["rate"] == (2, 2)


def test_an_output_that_is_no_cut_is_noticed() -> None:
    text = read(SOME[0].text, SCORERS)
    assert text.analysis is not None
    result = cut_down(text.analysis, text.scores["frequency"], CompressionParams(rate=0.5))
    assert is_cut_from(text.text, result)
    assert not is_cut_from(text.text, replace(result, text=result.text + "!"))
    assert not is_cut_from(text.text, replace(result, kept=result.kept[::-1]))


def test_figures_are_json_and_hold_every_method() -> None:
    assert json.loads(json.dumps(FOUND, allow_nan=False)) == FOUND
    assert len(FOUND) == len({document.cell for document in SOME})
    assert [cell["language"] for cell in FOUND] == sorted(cell["language"] for cell in FOUND)
    first = FOUND[0]["rates"]["0.5"]
    assert set(first["methods"]) == {"frequency", RULES, *CONTROLS}
    assert set(first["ahead"]) == {RULES, *CONTROLS}
    for found in first["methods"].values():
        assert all(len(row) == 4 for row in found.values())


def test_the_rules_show() -> None:
    for cell in FOUND:
        methods = cell["rates"]["0.33"]["methods"]
        own, chance = methods["frequency"], methods["random"]
        assert own["numbers_intact"][0] > chance["numbers_intact"][0]
        assert own["numbers_changed"][0] <= 0.05
        assert own["polarity_flips"][0] < max(0.05, chance["polarity_flips"][0])
        assert own["answers_strict"][0] > chance["answers_strict"][0]


def test_what_is_left_alone_is_whole_for_everyone() -> None:
    code = Document("c", "en", "code", '{"a": [1, 2, 3], "b": "c"}')
    [cell] = figures(measure([code], SCORERS, (0.5,)))
    assert cell["left_whole"] == 1
    assert {found["tokens"][0] for found in cell["rates"]["0.5"]["methods"].values()} == {1.0}


def test_told_after_each_document() -> None:
    told: list[None] = []
    measure(SOME[:2], SCORERS, (0.5,), lambda: told.append(None))
    assert len(told) == 2


@pytest.mark.parametrize("rate", [0.8, 0.2])
def test_equal_texts_equal_figures(rate: float) -> None:
    assert figures(measure(SOME[:1], SCORERS, (rate,))) == figures(measure(SOME[:1], SCORERS, (rate,)))
