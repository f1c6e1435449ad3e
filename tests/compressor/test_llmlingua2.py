"""Fidelity compat: answers of the llmlingua package on record; its own test's, where its checkpoint is."""

from __future__ import annotations

from pathlib import Path

import pytest

from compressor.compat_prompt import PromptOptions
from compressor.scorers.classifier import ClassifierScorer
from tests.compressor.compat import golden, models, ours, upstream
from tests.compressor.compat.cases import Case, case


@pytest.fixture(scope="module", params=models.FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def scorer(family: str, tmp_path_factory: pytest.TempPathFactory) -> ClassifierScorer:
    folder = models.build(family, tmp_path_factory.mktemp("compat"))
    return ClassifierScorer.load(str(folder), "cpu", "fp32")


def test_the_answers_are_those_of_the_package(family: str, scorer: ClassifierScorer) -> None:
    """Those on record; `python -m tests.compat_fuzz` asks the package itself."""
    for recorded in golden.read()[family]:
        asked = case(family, recorded["seed"])
        assert golden.record(recorded["seed"], asked, ours.answer(scorer, asked)) == recorded


def test_the_record_has_every_kind_of_answer(family: str) -> None:
    recorded = golden.read()[family]
    said = {one["says"] for one in recorded}
    assert len(recorded) == 200
    assert {"ValueError", "IndexError", "ZeroDivisionError", "TypeError", "AssertionError"} <= said
    assert any(one["seed"] % 100 == 99 for one in recorded), "more chunks than fit a pass"


@pytest.mark.parametrize(
    ("contexts", "options", "error"),
    [
        ("say <|endoftext|>", PromptOptions(), ValueError),
        ("some text", PromptOptions(rate=0), ValueError),
        ("", PromptOptions(target_token=5), ZeroDivisionError),
        ([], PromptOptions(use_context_level_filter=True), IndexError),
        ("\ud800", PromptOptions(), TypeError),
        ("a text", PromptOptions(force_tokens=("x",) * 101), AssertionError),
        ("a text", PromptOptions(token_to_word="max"), NotImplementedError),  # type: ignore[arg-type] # is asked
    ],
)
def test_where_the_package_raises_so_does_compat(
    scorer: ClassifierScorer, contexts: str | list[str], options: PromptOptions, error: type[Exception]
) -> None:
    with pytest.raises(error):
        ours.ask(scorer, Case((), contexts, options))


def test_a_rate_of_1_keeps_what_tokens_keep(scorer: ClassifierScorer) -> None:
    options = PromptOptions(rate=1, force_tokens=("\n",))
    prompt = ours.ask(scorer, Case((), ["the report\n\nshould be"], options))
    assert prompt.compressed_prompt.count("\n") == 2
    assert "".join(prompt.compressed_prompt.split()) == "thereportshouldbe"


# Defined only where there is something to compare with, so that nothing passes without having compared.
if upstream.is_at_hand():

    @pytest.fixture(scope="module")
    def checkpoint() -> ClassifierScorer:
        return ClassifierScorer.load(upstream.CHECKPOINT, "cpu", "fp32")

    @pytest.mark.timeout(1800)
    @pytest.mark.parametrize("expected", upstream.EXPECTED, ids=lambda expected: expected.source)
    def test_the_six_outputs_of_the_packages_own_test(
        checkpoint: ClassifierScorer, expected: upstream.Expected
    ) -> None:
        found = ours.ask(checkpoint, Case((), upstream.contexts(expected), expected.options))
        assert upstream.digest(found.compressed_prompt) == expected.output
        assert (found.origin_tokens, found.compressed_tokens) == expected.tokens
        assert (found.ratio, found.rate) == (expected.ratio, expected.rate)


def test_the_six_are_told_apart() -> None:
    assert len({expected.output for expected in upstream.EXPECTED}) == 6
    assert Path(upstream.FILE).name == "test_llmlingua2.py"
