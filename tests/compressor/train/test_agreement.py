from __future__ import annotations

import gzip
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressor.train.agreement import agreement, auc, by_language, held_out, n_hits, unit_scores
from compressor.train.frequency_samples import Sample
from compressor.words import split

ITEMS = st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=30)


@given(ITEMS)
def test_auc_counts_pairs(items: list[tuple[int, bool]]) -> None:
    above = [score for score, is_labelled in items if is_labelled]
    below = [score for score, is_labelled in items if not is_labelled]
    found = auc(np.array([score for score, _ in items]), np.array([label for _, label in items], np.bool_))
    if not above or not below:
        assert math.isnan(found)
        return
    wins = sum((a > b) + 0.5 * (a == b) for a in above for b in below)
    assert found == pytest.approx(wins / (len(above) * len(below)))


def test_hits_go_to_the_earlier_of_equals() -> None:
    assert n_hits(np.array([1.0, 1.0, 0.0]), np.array([False, True, False])) == 0
    assert n_hits(np.array([1.0, 1.0, 2.0]), np.array([True, False, True])) == 2


def sample(text: str, grades: str, language: str = "en", name: str = "a#1") -> Sample:
    units: list[tuple[int, int]] = []
    at = 0
    for unit in text.split():
        at = text.index(unit, at)
        units.append((at, at + len(unit)))
        at += len(unit)
    return Sample(name, "s", language, text, split(text), units, np.array([int(one) for one in grades]))


def test_a_unit_scores_as_its_readable_words() -> None:
    one = sample("don't stop... — now", "1111")
    scores = np.zeros(len(one.words))
    words = [one.text[a:b] for a, b in zip(one.words.starts, one.words.ends, strict=True)]
    for i, word in enumerate(words):
        scores[i] = {"don't": 4, "stop": 6, "...": 100, "—": 3, "now": 2}[word]
    assert unit_scores(one, scores).tolist() == [4, 6, 3, 2]


def test_agreement_is_perfect_and_reversed() -> None:
    one = sample("the pump failed at noon", "02201")
    by_grade = agreement([one], lambda s: s.grades)
    assert (by_grade.light, by_grade.heavy, by_grade.f1, by_grade.f1_pooled) == (1, 1, 1, 1)
    reverse = agreement([one], lambda s: -s.grades)
    assert (reverse.light, reverse.heavy) == (0, 0)
    assert reverse.f1 == pytest.approx(1 / 3)  # three are chosen: both zeros and the 1
    assert (by_grade.n_texts, by_grade.n_units) == (1, 5)


def test_a_rate_of_each_text_is_not_one_threshold_for_all() -> None:
    first, second = sample("a b", "20"), sample("c d", "20")
    scores = {"a b": np.array([0.2, 0.1]), "c d": np.array([0.9, 0.8])}
    found = agreement([first, second], lambda s: scores[s.text])
    assert (found.f1, found.f1_pooled) == (1, 0.5)


def test_languages_come_apart() -> None:
    samples = [sample("a b", "20"), sample("가 나", "02", "ko"), sample("c d", "20")]
    found = by_language(samples, lambda s: np.array([1.0, 0.0]))
    assert list(found) == ["en", "ko"]
    assert (found["en"].light, found["ko"].light) == (1, 0)
    assert found["en"].n_texts == 2


def test_held_out_reads_one_document_in_five(tmp_path: Path) -> None:
    path = tmp_path / "graded.jsonl.gz"
    records = [{"id": f"d{i}#1", "src": "s", "lang": "en", "text": "a b", "grades": "20"} for i in range(60)]
    path.write_bytes(gzip.compress("".join(json.dumps(one) + "\n" for one in records).encode()))
    names = [one.id for one in held_out(path)]
    assert 5 <= len(names) <= 20
    assert [one.id for one in held_out(path)] == names
