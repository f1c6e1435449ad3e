"""The model that ships: small, whole, of this release, and worth its place."""

from __future__ import annotations

import numpy as np
import pytest

from compressor.scorers.embedded import EmbeddedScorer
from compressor.scorers.embedded_folder import SHIPPED, read_model
from compressor.scorers.embedded_inputs import UNKNOWN, inputs_of
from compressor.words import split

LARGEST = 25_000_000
SCRIPTS = (
    "Ünïcödé naïveté",
    "서울특별시에서 뷁",
    "漢字かなカナ𠮷",
    "Ελληνικά кириллица",
    "हिन्दी தமிழ் ไทย",
    "العربية עברית",
    "ᠮᠣᠩᠭᠣᠯ ⴰⵎⴰⵣⵉⵖ",
    "🙂👩‍👩‍👧 ∑∫√ \u0001",
)

FACTS_AND_FILLERS = {
    "en": (
        "So basically, you know, the patient must not take ibuprofen before surgery, I mean, that is really.",
        ("patient", "ibuprofen", "surgery"),
        ("So", "basically", "you", "I", "mean", "really"),
    ),
    "ko": (
        "음 그러니까 사실은 서버가 데이터를 저장하지 않습니다. 그래서 정말 백업이 필요합니다.",
        ("서버가", "데이터를", "백업이"),
        ("음", "그러니까", "정말"),
    ),
    "de": (
        "Also eigentlich ist es ja so, dass der Server die Rechnung am Dienstag gelöscht hat.",
        ("Server", "Rechnung", "Dienstag"),
        ("Also", "eigentlich", "ja", "so"),
    ),
}


@pytest.fixture(scope="module")
def scorer() -> EmbeddedScorer:
    return EmbeddedScorer.load(threads=1)


def scores_of(scorer: EmbeddedScorer, text: str) -> dict[str, int]:
    words = split(text)
    chunks = scorer.encode(text, words)
    scores = scorer.merge(words, chunks, scorer.forward(chunks))
    return {
        text[start:end]: int(value)
        for start, end, value in zip(words.starts, words.ends, scores, strict=True)
    }


def test_it_is_small() -> None:
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) <= LARGEST


@pytest.mark.parametrize("text", SCRIPTS)
def test_no_piece_is_unknown_in_any_script(text: str) -> None:
    inputs = inputs_of(text, split(text), read_model(SHIPPED).tokenizer)
    assert UNKNOWN not in inputs.pieces
    assert (np.diff(inputs.starts) > 0).all()


@pytest.mark.parametrize("language", FACTS_AND_FILLERS)
def test_facts_score_above_fillers(scorer: EmbeddedScorer, language: str) -> None:
    text, facts, fillers = FACTS_AND_FILLERS[language]
    found = scores_of(scorer, text)
    assert min(found[word] for word in facts) > max(found[word] for word in fillers)


def test_what_surrounds_a_word_matters(scorer: EmbeddedScorer) -> None:
    """Word statistics alone would score both alike."""
    verb = scores_of(scorer, "I mean, we could, I mean, go there tomorrow.")["mean"]
    noun = scores_of(scorer, "The mean latency was 12 ms, the mean error 3 %.")["mean"]
    assert noun > verb + 400
