"""`pith compress --fidelity`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from compressor.compat_prompt import PromptOptions
from compressor.scorers.classifier import ClassifierScorer
from gateway.cli import main
from tests.compressor.compat import models, ours
from tests.compressor.compat.cases import Case
from tests.compressor.compat.texts import CORPUS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(models.build(models.FAMILIES[0], tmp_path_factory.mktemp("compat")))


def test_compat_prints_what_the_package_would(folder: str, tmp_path: Path) -> None:
    (tmp_path / "text").write_text(CORPUS, "utf-8")
    asked = ["compress", "--fidelity", "compat", "--scorer", folder, "--json", str(tmp_path / "text")]
    answer = CliRunner().invoke(main, asked)
    assert answer.exit_code == 0, answer.output
    options = PromptOptions(force_tokens=("\n",), force_reserve_digit=True)
    expected = ours.ask(ClassifierScorer.load(folder, "cpu"), Case((), CORPUS, options))
    said = json.loads(answer.stdout)
    assert (said["text"], said["kept"], said["skip"]) == (expected.compressed_prompt, [], None)


def test_the_default_scorer_cannot(tmp_path: Path) -> None:
    (tmp_path / "text").write_text(CORPUS, "utf-8")
    answer = CliRunner().invoke(main, ["compress", "--fidelity", "compat", str(tmp_path / "text")])
    assert answer.exit_code == 1
    assert "choose weights of LLMLingua-2" in answer.stderr
