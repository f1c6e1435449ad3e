"""Fitting a token classifier: tokens get their words' grades, it learns, goes on, and loads as a scorer."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from compressor.chunks import Limits
from compressor.scorers import load
from compressor.scorers.folder import find_model
from compressor.scorers.tokenizer import TextTokenizer
from compressor.train.fit_classifier import ClassifierPlan, fit_classifier, rows_of
from compressor.train.frequency_samples import read_graded
from compressor.words import split
from tests.compressor.tiny_models import build

TEXT = "The meeting began at noon and everyone agreed that the report should be finished by Friday ."


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Capitals are kept, all else dropped."""
    path = tmp_path_factory.mktemp("graded") / "graded.jsonl.gz"
    grades = "".join("2" if word[0].isupper() else "0" for word in TEXT.split())
    records = [
        {"id": f"d{at}#0", "src": "t", "lang": "en", "text": TEXT, "grades": grades} for at in range(10)
    ]
    path.write_bytes(gzip.compress("".join(json.dumps(record) + "\n" for record in records).encode()))
    return path


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("bert", tmp_path_factory.mktemp("bert"))


def test_tokens_get_the_grade_of_their_word(graded: Path, start: Path) -> None:
    tokenizer = TextTokenizer(find_model(str(start)).tokenizer(), "t")
    sample = next(read_graded(graded))
    [row] = rows_of(sample, tokenizer, Limits.of(200))
    assert len(row.ids) == len(row.targets) == len(row.weights)
    assert row.weights[0] == row.weights[-1] == 0  # control tokens
    tokens = tokenizer.encode(TEXT)
    capital = [
        TEXT[start:end].startswith(("T", "F")) for start, end in zip(tokens.starts, tokens.ends, strict=True)
    ]
    assert (row.targets[1:-1][np.array(capital)] == 1).all()
    assert row.targets.sum() < len(row.targets) / 2


def test_it_learns_goes_on_and_is_a_scorer(graded: Path, start: Path, tmp_path: Path) -> None:
    told: list[str] = []
    plan = ClassifierPlan(str(start), (graded,), tmp_path / "out", epochs=8, rate=5e-3, batch_tokens=64)
    fit_classifier(plan, told.append)
    losses = [float(line.split()[3].rstrip(",")) for line in told[1:]]
    assert len(losses) == 8
    assert losses[-1] < 0.9 * losses[0]
    fit_classifier(plan, told.append)  # all passes are done
    assert len(told) == 10
    scorer = load(str(tmp_path / "out"))
    words = split(TEXT)
    chunks = scorer.encode(TEXT, words)
    scores = scorer.merge(words, chunks, scorer.forward(chunks))
    is_capital = np.array([TEXT[at].isupper() for at in words.starts])
    assert scores[is_capital].mean() > scores[~is_capital].mean()
