"""Students: all kinds learn what the words of a text are worth, and a table and a picture tell of them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from compressor.scorers.embedded_inputs import N_SPECIALS
from compressor.train import students
from compressor.train.agreement import Agreement
from compressor.train.convolutional import BUCKETS, buckets_of, hashed_inputs
from compressor.train.frequency_samples import read_graded
from compressor.train.students import Result, Student, convolutional, encoder, lessons, scores_of, teach
from compressor.words import split
from tests.compressor.tiny_embedded import tiny_net, tiny_tokenizer
from tests.compressor.train.test_fit import DROPPED, KEPT, graded

TEXT = " ".join((*KEPT, *DROPPED) * 4)


@pytest.fixture(params=["encoder, 2 layers", "convolutional"])
def student(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Student:
    if request.param == "convolutional":
        return convolutional()
    monkeypatch.setitem(students.LAYERS, request.param, (0, 1))
    found = encoder(request.param, tiny_net(), tiny_tokenizer())
    for group in found.groups:
        group["lr"] = group["base"] = 1e-2
    return found


def test_every_kind_learns_from_grades(student: Student, tmp_path: Path) -> None:
    samples = list(read_graded(graded(tmp_path)))
    teach(student, lessons(samples, [], student.see), 6_000, 0)
    found = scores_of(student, TEXT, split(TEXT))
    is_kept = np.array([word in KEPT for word in TEXT.split()])
    assert len(found) == len(is_kept)
    assert found[is_kept].mean() > found[~is_kept].mean() + 0.2


def test_an_encoder_takes_the_layers_named() -> None:
    net = tiny_net()
    taken = students.with_layers(net, (1,))
    assert taken.shape.n_layers == 1
    assert torch.equal(taken.layers[0].state_dict()["up.weight"], net.layers[1].state_dict()["up.weight"])
    assert torch.equal(taken.grade.weight, net.grade.weight)


def test_words_that_share_runs_share_buckets_and_none_is_special() -> None:
    one, other = set(buckets_of("compress")), set(buckets_of("Compression"))
    assert len(one & other) >= len(one) // 2
    assert all(N_SPECIALS <= bucket < BUCKETS for bucket in one | other | set(buckets_of("\ud800")))
    inputs = hashed_inputs("a b a", split("a b a"))
    assert inputs.of.tolist()[0] == inputs.of.tolist()[2] != inputs.of.tolist()[1]
    assert len(inputs.starts) == 3


def test_the_table_and_the_picture_name_everyone() -> None:
    good, bad = (Agreement(1, 9, auc, auc, auc, auc) for auc in (0.9, 0.8))
    results = [
        Result("slow & good", 2_000_000, 30_000, {"en": good}),
        Result("fast", 10_000, 9e5, {"en": bad}),
    ]
    rows = students.table(results, ["en", "ko"]).splitlines()
    assert rows[2] == "| slow & good | 2.0 | 30,000 | 0.900 / 0.900 |  |"
    drawn = students.picture(results, "en")
    assert "slow &amp; good, 0.900" in drawn
    (_, y_good), (_, y_bad) = re.findall(r'<circle cx="(\d+)" cy="(\d+)"', drawn)
    assert int(y_good) < int(y_bad)
