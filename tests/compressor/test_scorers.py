"""Scorers by name: the default never fails for want of a model, what is named explicitly does."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from compressor.errors import ModelError
from compressor.scorers import load, or_frequency
from compressor.types import Scorer
from tests.compressor.tiny_embedded import write_tiny


def missing(device: str, precision: str) -> Scorer:
    raise ModelError("no weights here")


def test_the_default_stands_in_for_a_missing_model_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        scorer = or_frequency(missing)("auto", "auto")
    assert scorer.fingerprint == load("frequency").fingerprint
    assert "no weights here" in caplog.text


def test_the_default_is_the_embedded_model() -> None:
    assert load("default").fingerprint == load("embedded").fingerprint
    assert load("default").fingerprint.startswith("embedded/")


def test_a_folder_that_training_exported_is_a_scorer(tmp_path: Path) -> None:
    assert load(str(write_tiny(tmp_path))).fingerprint != load("embedded").fingerprint


def test_a_broken_folder_fails(tmp_path: Path) -> None:
    (write_tiny(tmp_path) / "weights.safetensors").unlink()
    with pytest.raises(ModelError, match=r"weights\.safetensors"):
        load(str(tmp_path))
