"""Soft grades: chunks of sources in turn, none that holds a held-out text, and the mean of the scorers."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from compressor.scorers.frequency import FrequencyScorer
from compressor.train.corpus import Text
from compressor.train.embedded_eval import score_text
from compressor.train.soften import Chunk, chosen_chunks, main, soft_scores
from compressor.types import SCORE_ONE
from compressor.words import split
from tests.compressor.tiny_embedded import write_tiny
from tests.compressor.train.test_adapt import data as data
from tests.compressor.train.test_adapt import write

LONG = " ".join(f"The patient number {at} must not take it." for at in range(60))


def texts() -> list[Text]:
    return [
        *(Text("notes", "en", f"Note {at}. {LONG}") for at in range(6)),
        Text("letters", "en", f"Dear all. {LONG}"),
        Text("letters", "fr", LONG),
        Text("letters", "en", "Too short."),
    ]


def test_sources_take_turns_and_there_are_as_many_words_as_wanted() -> None:
    found = list(chosen_chunks(texts(), [], "en", 500, 0))
    assert [chunk.source for chunk in found[:2]] == ["notes", "letters"]
    n_words = sum(len(split(chunk.text)) for chunk in found)
    assert 500 <= n_words < 500 + 300
    assert found == list(chosen_chunks(texts(), [], "en", 500, 0))
    assert found != list(chosen_chunks(texts(), [], "en", 500, 1))


def test_a_text_that_holds_a_held_out_chunk_is_left_out() -> None:
    found = list(chosen_chunks(texts(), ["Dear all. The patient"], "en", 100_000, 0))
    assert {chunk.source for chunk in found} == {"notes"}


def test_scores_are_the_mean_in_thousandths() -> None:
    scorer = FrequencyScorer()
    alone = score_text(scorer, LONG).astype(float) / SCORE_ONE * 1000
    assert np.abs(soft_scores([scorer, scorer], Chunk("t", LONG)) - alone).max() <= 0.5


def test_what_an_answer_took_scores_high_in_whichever_chunk_it_stands() -> None:
    text = f"{LONG}\n\nThe final answer is forty two. {LONG}"
    at = text.index("forty")
    marks = "0" * at + "1" * len("forty two") + "0" * (len(text) - at - len("forty two"))
    chunks = list(chosen_chunks([Text("qa", "en", text, marks=marks)], [], "en", 100_000, 0))
    assert len(chunks) > 2
    told, plain = 0, 0
    for chunk in chunks:
        words, scores = split(chunk.text), soft_scores([FrequencyScorer()], chunk)
        assert len(chunk.marks) == len(chunk.text)
        for start, end, score in zip(words.starts, words.ends, scores, strict=True):
            if chunk.text[start:end] in ("forty", "two"):
                told += score >= 850
            plain += score < 850
    assert told == 2
    assert plain > 100


def test_the_command_writes_what_fit_reads(data: Path, tmp_path: Path) -> None:
    write(data, "docs_wiki", [{"src": "wiki", "lang": "en", "text": LONG, "split": "train"}])
    graded = tmp_path / "graded.jsonl"
    graded.write_text("")
    out = tmp_path / "soft.jsonl.gz"
    model = write_tiny(tmp_path / "tiny")
    arguments = [
        "--data",
        str(data),
        "--graded",
        str(graded),
        "--scorer",
        str(model),
        "--scorer",
        "frequency",
    ]
    result = CliRunner().invoke(
        main, [*arguments, "--language", "en", "--words", "300", "--out", str(out)], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    records = [json.loads(line) for line in gzip.decompress(out.read_bytes()).splitlines()]
    assert records
    for record in records:
        assert len(record["scores"]) == len(split(record["text"]))
        assert all(0 <= score <= 1000 for score in record["scores"])
