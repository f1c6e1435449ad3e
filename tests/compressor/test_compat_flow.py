"""Fidelity compat through the engine: the package's text, our skips; clear errors where it cannot be."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from compressor import (
    CompressionParams,
    Engine,
    ModelError,
    ParamsError,
    Protect,
    RateStep,
    counter,
    load_scorer,
)
from compressor.compat_chunks import batches
from compressor.compat_flow import vocabulary_of
from compressor.compat_prompt import PromptOptions
from compressor.scorers.classifier import ClassifierScorer
from compressor.words import split
from tests.compressor import tiny_models
from tests.compressor.compat import models, ours
from tests.compressor.compat.cases import Case
from tests.compressor.compat.texts import CORPUS
from tests.compressor.fake_scorers import FailingScorer

FAMILY = models.FAMILIES[0]
COMPAT = CompressionParams(rate=0.5, fidelity="compat")
OPTIONS = PromptOptions(rate=0.5, force_tokens=("\n",), force_reserve_digit=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.build(FAMILY, tmp_path_factory.mktemp("compat"))


@pytest.fixture(scope="module")
def scorer(folder: Path) -> ClassifierScorer:
    return ClassifierScorer.load(str(folder), "cpu", "fp32")


async def test_texts_come_out_as_the_package_has_them(scorer: ClassifierScorer) -> None:
    texts = [CORPUS, CORPUS[:500], CORPUS[300:]]
    async with Engine(scorer) as engine:
        results = await engine.compress(texts, COMPAT)
        [native] = await engine.compress([CORPUS], CompressionParams(rate=0.5))
    for text, result in zip(texts, results, strict=True):
        assert result.text == ours.ask(scorer, Case((), text, OPTIONS)).compressed_prompt
        assert result.is_rewritten
        assert (len(result.kept), result.skip) == (0, None)
        count = counter(COMPAT.tokenizer).count
        assert (result.origin_tokens, result.compressed_tokens) == (count(text), count(result.text))
    assert native.text not in (CORPUS, results[0].text)
    assert not native.is_rewritten


async def test_rows_of_both_fidelities_share_a_batch_and_change_nothing(scorer: ClassifierScorer) -> None:
    rows, native = (
        batches([CORPUS[:400], CORPUS[400:700]], scorer.compat),
        scorer.encode(CORPUS, split(CORPUS)),
    )
    mixed = scorer.forward([*native, *rows, *native])
    alone = [*scorer.forward([*native, *native]), *scorer.forward(rows)]
    order = [*range(len(native)), 2 * len(native), *range(len(native), 2 * len(native))]
    for found, at in zip(mixed, order, strict=True):
        assert np.array_equal(found, alone[at])


@pytest.mark.parametrize(
    ("text", "params", "options"),
    [
        (CORPUS, CompressionParams(fidelity="compat", target_tokens=100), {"target_token": 100, "rate": 0.5}),
        (
            CORPUS[:300],
            CompressionParams(fidelity="compat", rates=(RateStep(0.8, 200), RateStep(0.2))),
            {"rate": 0.8},
        ),
        (CORPUS, CompressionParams(fidelity="compat", drop_consecutive=True), {"drop_consecutive": True}),
    ],
)
async def test_params_say_what_the_package_is_asked(
    scorer: ClassifierScorer, text: str, params: CompressionParams, options: dict[str, float]
) -> None:
    asked = PromptOptions(force_tokens=("\n",), force_reserve_digit=True, **options)  # type: ignore[arg-type] # of both
    async with Engine(scorer) as engine:
        [result] = await engine.compress([text], params)
    assert result.text == ours.ask(scorer, Case((), text, asked)).compressed_prompt


@pytest.mark.parametrize(
    ("text", "params", "skip"),
    [
        ("say <|endoftext|> twice", COMPAT, "compat_failed"),
        ("[NEW5] comes first", COMPAT, "compat_failed"),
        ("half a pair: \ud83d", COMPAT, "compat_failed"),
        ("too short", CompressionParams(fidelity="compat", min_tokens=10), "short"),
    ],
)
async def test_a_text_the_package_cannot_take_goes_whole(
    scorer: ClassifierScorer, text: str, params: CompressionParams, skip: str
) -> None:
    async with Engine(scorer) as engine:
        [result] = await engine.compress([text], params)
    assert (result.text, result.skip, result.is_rewritten) == (text, skip, False)
    assert result.kept.tolist() == [[0, len(text)]]


async def test_a_scorer_that_fails_leaves_texts_whole(scorer: ClassifierScorer) -> None:
    failing = FailingScorer(lambda payload: True)
    failing.compat = scorer.compat  # type: ignore[attr-defined] # what makes a scorer one of LLMLingua-2
    async with Engine(failing) as engine:
        [result] = await engine.compress([CORPUS], COMPAT)
    assert (result.text, result.skip) == (CORPUS, "scorer_down")


async def test_a_scorer_without_weights_of_llmlingua2_says_what_to_do() -> None:
    async with Engine(load_scorer("frequency")) as engine:
        with pytest.raises(ParamsError, match=r"which the scorer frequency-.* cannot: choose"):
            await engine.compress([CORPUS], COMPAT)


def test_other_families_are_refused(tmp_path: Path) -> None:
    folder = tiny_models.build("modernbert", tmp_path / "model")
    with pytest.raises(ModelError, match="modernbert with 2 labels is no model of LLMLingua-2"):
        vocabulary_of(ClassifierScorer.load(str(folder), "cpu"))


def test_weights_without_rows_for_placeholders_are_refused(tmp_path: Path) -> None:
    folder = tiny_models.build("bert", tmp_path / "model")
    with pytest.raises(ModelError, match=r"the embedding has \d+ rows, fidelity compat needs"):
        vocabulary_of(ClassifierScorer.load(str(folder), "cpu"))


def test_the_name_of_the_folder_does_not_matter(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "any")
    vocabulary = vocabulary_of(ClassifierScorer.load(str(tmp_path / "any"), "cpu"))
    assert vocabulary.family == "xlm-roberta"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"threshold": 0.5}, "knows no threshold"),
        ({"marks": True}, "knows no marks"),
        ({"protect": Protect(head_tokens=1)}, "knows no protect.head_tokens"),
        ({"protect": Protect(tail_tokens=1)}, "knows no protect.tail_tokens"),
        ({"protect": Protect(patterns=("x",))}, "knows no protect.patterns"),
        ({"force_tokens": ("x",) * 101}, "give at most 100"),
    ],
)
def test_what_compat_has_not_is_refused(given: dict[str, object], said: str) -> None:
    CompressionParams(**given)  # type: ignore[arg-type] # fields of it
    with pytest.raises(ParamsError, match=said):
        CompressionParams(fidelity="compat", **given)  # type: ignore[arg-type] # fields of it


def test_another_fidelity_is_refused() -> None:
    with pytest.raises(ParamsError, match="fidelity is 'exact': use native or compat"):
        CompressionParams(fidelity="exact")  # type: ignore[arg-type] # is asked
