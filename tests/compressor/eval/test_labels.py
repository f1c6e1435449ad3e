from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from compressor import load_scorer
from compressor.eval import labels
from compressor.eval.labels import sample_of

PAIR = {"id": "p", "src": "s", "lang": "en", "w": "The pump , it failed .", "k": "110111", "s": "010110"}


def test_a_pair_is_a_text_with_a_unit_a_token_of_letters() -> None:
    sample = sample_of(PAIR)
    assert sample.text == "The pump, it failed."
    assert [sample.text[start:end] for start, end in sample.units] == ["The", "pump", "it", "failed"]
    assert sample.grades.tolist() == [1, 1, 1, 1]


def test_grades_by_language_english_first(tmp_path: Path) -> None:
    rows = [
        {"id": f"{language}{i}#1", "src": "s", "lang": language, "text": "the turbine", "grades": "02"}
        for language in ("ko", "en")
        for i in range(30)
    ]
    (tmp_path / "distill").mkdir()
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    (tmp_path / "distill" / "graded.jsonl.gz").write_bytes(gzip.compress(content))
    found = labels.grades(tmp_path, load_scorer("frequency"))
    assert list(found) == ["en", "ko"]
    assert found["en"]["light"] == found["en"]["heavy"] == found["en"]["f1"] == 1.0


def test_rows_by_source_and_by_language(tmp_path: Path) -> None:
    scorer = load_scorer("frequency")
    assert labels.pairs(tmp_path, scorer) == labels.grades(tmp_path, scorer) == {}
    pairs = [PAIR, {**PAIR, "k": "010010"}]
    (tmp_path / "pairs_valid.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    found = labels.pairs(tmp_path, scorer)
    assert list(found) == ["s en"]
    assert found["s en"]["n_texts"] == 1  # of the other everything was kept
    assert found["s en"]["light"] == pytest.approx(1.0)  # pump and failed tell more than the and it
    assert "heavy" not in found["s en"]
