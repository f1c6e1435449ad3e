"""Fitting: learns from grades, goes on where it stopped, and ends in a folder that scores texts."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from compressor.errors import DataError, ModelError
from compressor.scorers.embedded import EmbeddedScorer
from compressor.scorers.embedded_folder import WEIGHTS
from compressor.scorers.embedded_inputs import inputs_of
from compressor.train.checkpoint import read_checkpoint, write_checkpoint
from compressor.train.export import export
from compressor.train.fit import Plan, fit
from compressor.train.frequency_samples import read_graded
from compressor.train.grade_rows import kept_shares, rows_alone, rows_together, soft_rows
from compressor.train.progress import probabilities
from compressor.train.schedule import Rates
from compressor.words import Flag, split
from tests.compressor.tiny_embedded import tiny_net, tiny_tokenizer
from tests.compressor.train.test_adapt import data as data

KEPT, DROPPED = ("patient", "not", "take"), ("the", "must")


def graded(folder: Path, n: int = 24) -> Path:
    """Chunks in which a few words are always kept and others never; several of each document."""
    random = np.random.default_rng(0)
    path = folder / "graded.jsonl.gz"
    with gzip.open(path, "wt", encoding="utf-8") as file:
        for at in range(n):
            words = random.choice([*KEPT, *DROPPED], 30).tolist()
            grades = "".join("2" if word in KEPT else "0" for word in words)
            record = {"id": f"doc{at // 3}#{at % 3}", "src": "t", "lang": "en", "text": " ".join(words)}
            file.write(json.dumps({**record, "grades": grades}) + "\n")
    return path


@pytest.fixture
def start(tmp_path: Path) -> Path:
    write_checkpoint(tmp_path / "start", tiny_net(), tiny_tokenizer())
    return tmp_path / "start"


def plan_of(start: Path, out: Path, **more: object) -> Plan:
    rates = Rates(encoder=2e-3, pieces=1e-2, new=1e-2)
    return Plan(start, (graded(start),), out, batch_words=128, rates=rates, **more)  # type: ignore[arg-type]


def test_documents_that_are_all_held_out_teach_nothing(start: Path, tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    path.write_text('{"id": "wiki/onboarding#0", "src": "t", "lang": "en", "text": "take", "grades": "2"}\n')
    with pytest.raises(DataError, match="nothing to learn from: all 1 chunks are held out"):
        fit(replace(plan_of(start, tmp_path / "out"), graded=(path,)), 1, print)


def test_it_learns_which_words_are_kept_and_ships(start: Path, tmp_path: Path) -> None:
    told: list[str] = []
    fit(plan_of(start, tmp_path / "out", epochs=8), 1, told.append)
    assert "held out" in told[0]
    assert told[-1].startswith("pass 8: en ")
    assert float(told[-1].split()[3]) > 0.95  # AUC light

    net, tokenizer = read_checkpoint(tmp_path / "out")
    export(net, tokenizer.to_str(), tmp_path / "shipped")
    scorer = EmbeddedScorer.load(tmp_path / "shipped")
    text = " ".join((*KEPT, *DROPPED) * 6)
    words = split(text)
    chunks = scorer.encode(text, words)
    scores = scorer.merge(words, chunks, scorer.forward(chunks))
    is_kept = np.array([word in KEPT for word in text.split()])
    assert scores[is_kept].mean() > scores[~is_kept].mean() + 500


def test_it_goes_on_where_it_stopped(start: Path, tmp_path: Path) -> None:
    """As if it had never stopped: the second pass gives the same weights."""
    fit(plan_of(start, tmp_path / "whole", epochs=2), 1, lambda _: None)

    class Stop(Exception):
        pass

    def stop_after_one(text: str) -> None:
        if text.startswith("pass 1: en"):
            raise Stop

    with pytest.raises(Stop):
        fit(plan_of(start, tmp_path / "halves", epochs=2), 1, stop_after_one)
    fit(plan_of(start, tmp_path / "halves", epochs=2), 1, lambda _: None)
    whole, _ = read_checkpoint(tmp_path / "whole")
    halves, _ = read_checkpoint(tmp_path / "halves")
    for name, weight in whole.state_dict().items():
        assert torch.allclose(weight, halves.state_dict()[name], atol=1e-5), name


def test_two_processes_learn_together(start: Path, tmp_path: Path) -> None:
    fit(plan_of(start, tmp_path / "two", epochs=1), 2, lambda _: None)
    before, _ = read_checkpoint(start)
    after, _ = read_checkpoint(tmp_path / "two")
    assert not torch.equal(before.grade.weight, after.grade.weight)


def test_what_ships_can_be_trained_on(start: Path, tmp_path: Path) -> None:
    net, tokenizer = read_checkpoint(start)
    export(net, tokenizer.to_str(), tmp_path / "shipped")
    again, _ = read_checkpoint(tmp_path / "shipped")
    assert again.shape == net.shape
    for name, weight in net.state_dict().items():
        step = weight.abs().max() / (5 if name == "pieces.weight" else 60)  # of the coarsest scale
        assert (again.state_dict()[name] - weight).abs().max() <= step, name
    export(again, tokenizer.to_str(), tmp_path / "again")
    assert (tmp_path / "again" / WEIGHTS).stat().st_size == (tmp_path / "shipped" / WEIGHTS).stat().st_size


def test_soft_grades_alone_teach_which_words_are_kept(start: Path, tmp_path: Path) -> None:
    """Grades that say the same of every word, and soft ones that tell them apart."""
    flat = graded(tmp_path, 6)
    records = [json.loads(line) for line in gzip.decompress(flat.read_bytes()).splitlines()]
    for record in records:
        record["grades"] = "02" * (len(record["grades"]) // 2)
    flat.write_bytes(gzip.compress("".join(json.dumps(record) + "\n" for record in records).encode()))
    text = " ".join((*KEPT, *DROPPED) * 4)
    scores = [900 if word in KEPT else 100 for word in text.split()]
    soft = tmp_path / "soft.jsonl"
    line = json.dumps({"id": "s", "lang": "en", "text": text, "scores": scores})
    soft.write_text(f"{line}\n" * 120, encoding="utf-8")
    rates = Rates(encoder=2e-3, pieces=1e-2, new=1e-2)
    plan = Plan(start, (flat,), tmp_path / "out", epochs=3, batch_words=128, rates=rates, soft=(soft,))
    fit(plan, 1, lambda _: None)
    net, tokenizer = read_checkpoint(tmp_path / "out")
    found = probabilities(net, tokenizer, text, split(text)).mean(axis=1)
    is_kept = np.array([word in KEPT for word in text.split()])
    assert found[is_kept].mean() > found[~is_kept].mean() + 0.4


def test_a_soft_grade_too_few_is_a_clear_error(tmp_path: Path) -> None:
    soft = tmp_path / "soft.jsonl"
    soft.write_text(json.dumps({"id": "s", "lang": "en", "text": "the patient", "scores": [1]}) + "\n")
    with pytest.raises(DataError, match=r"`scores` is \[1\]; it must be a list of 2 thousandths"):
        list(soft_rows(soft, partial(inputs_of, tokenizer=tiny_tokenizer())))


def test_a_folder_without_a_network_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"neither net\.safetensors nor weights\.safetensors"):
        read_checkpoint(tmp_path)


def test_shares_are_of_characters_and_unknown_for_newlines(tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl.gz"
    record = {"id": "a#0", "src": "t", "lang": "en", "text": "the (patient)\nnot", "grades": "012"}
    path.write_bytes(gzip.compress(json.dumps(record).encode()))
    [sample] = read_graded(path)
    newline = (sample.words.flags & Flag.NEWLINE) != 0
    shares = kept_shares(sample)
    assert (shares[newline] == -1).all()
    assert shares[0].tolist() == [0, 0]
    assert shares[-1].tolist() == [1, 1]
    assert shares[1].tolist() == [1, 0]


def test_chunks_of_a_document_are_seen_among_each_other(tmp_path: Path) -> None:
    samples = list(read_graded(graded(tmp_path, 3)))
    alone, together = rows_alone(samples, tiny_tokenizer()), rows_together(samples, tiny_tokenizer())
    assert len(alone) == len(together) == 3
    for name in alone:
        [a], [b] = alone[name], together[name]
        assert np.array_equal(a.labels, b.labels)
        assert np.array_equal(a.weights, b.weights)
        assert len(b.inputs) > len(a.inputs)


def test_other_texts_are_learnt_from_besides(start: Path, data: Path, tmp_path: Path) -> None:
    told: list[str] = []
    fit(plan_of(start, tmp_path / "out", epochs=1, texts=data, texts_share=0.002), 1, told.append)
    without: list[str] = []
    fit(plan_of(start, tmp_path / "without", epochs=1), 1, without.append)
    assert told[-1].startswith("pass 1: en ")
    mixed, _ = read_checkpoint(tmp_path / "out")
    alone, _ = read_checkpoint(tmp_path / "without")
    assert not torch.equal(mixed.pieces.weight, alone.pieces.weight)
