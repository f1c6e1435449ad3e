"""What a teacher is fitted from: an encoder as it is, and a head that knows nothing yet."""

from __future__ import annotations

from pathlib import Path

import torch
from click.testing import CliRunner
from safetensors.torch import load_file

from compressor.scorers import load
from compressor.scorers.classifier import ClassifierScorer
from compressor.train.classifier_start import main
from tests.compressor.tiny_models import build


def test_the_encoder_stays_and_the_head_is_new(tmp_path: Path) -> None:
    encoder = build("bert", tmp_path / "encoder")
    out = tmp_path / "start"
    result = CliRunner().invoke(main, ["--encoder", str(encoder), "--out", str(out)], catch_exceptions=False)
    assert "labels drop, keep" in result.output
    before, after = (load_file(folder / "model.safetensors") for folder in (encoder, out))
    name = "bert.encoder.layer.0.output.dense.weight"
    assert torch.equal(before[name], after[name])
    scorer = load(str(out), "cpu", "fp32")
    assert isinstance(scorer, ClassifierScorer)
    assert "keep" in scorer.keep.reason
