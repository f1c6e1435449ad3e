"""`pith train fit` and `export`: from grades to a scorer, by the command line."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from compressor.scorers import load
from compressor.train.checkpoint import write_checkpoint
from gateway.cli import main
from tests.compressor.tiny_embedded import tiny_net, tiny_tokenizer
from tests.compressor.train.test_fit import graded


def pith(*arguments: object) -> str:
    ran = CliRunner().invoke(main, ["train", *map(str, arguments)], catch_exceptions=False)
    assert ran.exit_code == 0, ran.output
    return ran.output


def test_from_grades_to_a_scorer(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "start", tiny_net(), tiny_tokenizer())
    chunks = graded(tmp_path)
    shown = pith("fit", chunks, "--start", tmp_path / "start", "--out", tmp_path / "fitted", "--epochs", 2)
    assert "pass 2: en" in shown
    assert "bytes" in pith("export", tmp_path / "fitted", "--out", tmp_path / "scorer")
    assert load(str(tmp_path / "scorer")).fingerprint.startswith("embedded/")


def test_a_folder_that_is_no_start_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    arguments = ["fit", graded(tmp_path), "--start", tmp_path / "empty", "--out", tmp_path / "out"]
    ran = CliRunner().invoke(main, ["train", *map(str, arguments)])
    assert ran.exit_code == 1
    assert "name a folder that training wrote" in ran.output
