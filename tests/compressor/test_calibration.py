"""What runs a model is chosen at load: exact first, rounded only where that is faster and decides alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForTokenClassification

from compressor.errors import ModelError
from compressor.scorers.calibration import BOUNDS, Chosen, Sample, _order, choose
from compressor.scorers.classifier import ClassifierScorer
from compressor.scorers.linear import has_int8
from compressor.scorers.passes import Packed, Padded
from compressor.words import split
from tests.compressor.tiny_models import CORPUS, build

CPU = torch.device("cpu")
ROW = np.arange(5, 60, dtype=np.int32)
SAMPLE = Sample(ROW, lambda logits: torch.sigmoid(logits[:, 1] - logits[:, 0]))


def read(folder: Path) -> Any:
    return AutoModelForTokenClassification.from_pretrained(folder).eval()


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("bert", tmp_path_factory.mktemp("bert"))


@torch.inference_mode()
def chosen(model: Any, precision: str) -> Chosen:
    return choose(model, 0, SAMPLE, CPU, precision)


@pytest.mark.parametrize(
    ("speeds", "order"),
    [
        ({"fp32": 100.0}, ["fp32"]),
        ({"fp32": 100.0, "bf16": 110.0}, ["fp32"]),
        ({"fp32": 100.0, "bf16": 190.0}, ["bf16", "fp32"]),
        ({"fp32": 100.0, "bf16": 190.0, "int8": 200.0}, ["bf16", "fp32"]),
        ({"fp32": 100.0, "bf16": 190.0, "int8": 240.0}, ["int8", "bf16", "fp32"]),
        ({}, []),
    ],
)
def test_a_rounded_precision_must_be_faster_by_a_margin(speeds: dict[str, float], order: list[str]) -> None:
    assert _order(speeds) == order


def test_auto_measures_and_says_so(bert: Path) -> None:
    found = chosen(read(bert), "auto")
    assert isinstance(found.passes, Packed)
    assert "fp32" in found.speeds
    assert found.off <= BOUNDS[found.precision]
    assert found.summary.startswith(f"{found.precision}, scores off fp32 by 0.")
    assert "tokens a second" in found.summary


def test_a_named_precision_is_taken_and_not_measured(bert: Path) -> None:
    found = chosen(read(bert), "fp32")
    assert (found.precision, found.speeds) == ("fp32", {})
    assert found.off < 1e-5
    assert "tokens a second" not in found.summary


def test_scores_that_are_too_far_off_are_refused(bert: Path) -> None:
    """Positions beyond fp16: only the rounded pass overflows."""
    model = read(bert)
    with torch.no_grad():
        model.bert.encoder.layer[0].intermediate.dense.bias.fill_(1e6)
        model.bert.encoder.layer[0].output.dense.weight.fill_(1e-6)
    with pytest.raises(ModelError, match=r"precision is 'fp16': on a sample text scores are off fp32 by"):
        chosen(model, "fp16")
    assert chosen(model, "auto").precision in ("fp32", "bf16", "int8")


def test_a_model_that_only_seems_to_be_of_a_family_runs_as_it_is(bert: Path) -> None:
    """An encoder that does not reproduce the model must not stand for it."""
    model = read(bert)
    model.bert.encoder.layer[0].register_forward_hook(lambda _, __, output: -output)
    found = chosen(model, "auto")
    assert isinstance(found.passes, Padded)
    assert found.precision == "fp32"


def test_weights_without_numbers_are_refused(bert: Path) -> None:
    model = read(bert)
    with torch.no_grad():
        model.classifier.bias.fill_(float("nan"))
    with pytest.raises(ModelError, match="scores of a sample text are not numbers"):
        chosen(model, "auto")


def test_other_families_run_as_they_are(tmp_path: Path) -> None:
    model = read(build("modernbert", tmp_path))
    assert isinstance(chosen(model, "auto").passes, Padded)
    with pytest.raises(ModelError, match="precision is 'int8', which is for BERT"):
        chosen(model, "int8")


@pytest.mark.skipif(not has_int8(), reason="a processor without AVX512-VNNI")
def test_int8_by_name(bert: Path) -> None:
    scorer = ClassifierScorer.load(str(bert), "cpu", "int8")
    words = split(CORPUS[0])
    chunks = scorer.encode(CORPUS[0], words)
    assert len(scorer.merge(words, chunks, scorer.forward(chunks))) == len(words)
    assert scorer.summary.startswith("cpu: int8, scores off fp32 by")
