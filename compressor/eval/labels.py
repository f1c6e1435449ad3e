"""Agreement of a scorer with labels others gave: a teacher's grades and people's deletions.

Grades: `distill/graded.jsonl.gz`, its held-out documents. Pairs: `pairs_valid.jsonl.gz`, sentences of which
editors (or, in `gsc-cased`, a machine beside headlines) kept some words: they teach the deletion of clauses,
so agreement with them is a check, not a goal.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from compressor.eval.documents import Record, lines, records
from compressor.eval.public import find
from compressor.eval.scoring import score
from compressor.train.agreement import agreement, by_language, held_out
from compressor.train.frequency_samples import Sample
from compressor.types import Scorer, Scores, Span
from compressor.words import split

GRADED, PAIRS = "distill/graded.jsonl", "pairs_valid.jsonl"
Rows = dict[str, dict[str, Any]]
"""By language, or by source and language: the fields of an Agreement."""


def grades(folder: Path, scorer: Scorer) -> Rows:
    """Agreement with the teacher, by language; nothing where the file is not there."""
    path = find(folder, GRADED)
    if path is None:
        return {}
    found = by_language(held_out(path), lambda sample: _scores(scorer, sample))
    return {language: _rounded(asdict(one)) for language, one in sorted(found.items(), key=_english_first)}


def pairs(folder: Path, scorer: Scorer) -> Rows:
    """Agreement with deletions, by source and language: `light` is the AUC; `f1` at each sentence's rate."""
    path = find(folder, PAIRS)
    groups: dict[str, list[Sample]] = defaultdict(list)
    for _, record in records(str(path), lines(path)) if path else ():
        sample = sample_of(record)
        if 0 < sample.grades.sum() < len(sample.grades):
            groups[f"{record['src']} {record['lang']}"].append(sample)
    return {
        name: _rounded(asdict(agreement(group, lambda sample: _scores(scorer, sample))))
        for name, group in groups.items()
    }


def sample_of(record: Record) -> Sample:
    """A pair as a graded text: its natural text, and a unit a token with letters or digits."""
    tokens: list[str] = record["w"].split(" ")
    units: list[Span] = []
    labels: list[int] = []
    text = ""
    for token, kept, gap in zip(tokens, record["k"], record["s"], strict=True):
        text += (" " if gap == "1" else "") + token
        if any(character.isalnum() for character in token):
            units.append((len(text) - len(token), len(text)))
            labels.append(int(kept))
    return Sample(record["id"], record["src"], record["lang"], text, split(text), units, np.array(labels))


def _scores(scorer: Scorer, sample: Sample) -> Scores:
    return score(scorer, sample.text, sample.words)


def _english_first(item: tuple[str, object]) -> tuple[bool, str]:
    return item[0] != "en", item[0]


def _rounded(row: Mapping[str, Any]) -> dict[str, Any]:
    """NaN, where a text has but one kind of label, is no JSON."""
    known = {name: value for name, value in row.items() if not math.isnan(value)}
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in known.items()}
