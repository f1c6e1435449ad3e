"""Reads graded text and passages with answers, and turns them into rows of a regression.

`graded.jsonl.gz` has `id`, `src`, `lang`, `text` and `grades`, one digit 0–2 a unit (a white-space word; in
Chinese and Japanese a character): 2 kept at the heavy level, 1 at the light one only. One document in five,
chosen by the hash of its id, is held out. `qa_train.jsonl.gz` has `src`, `context` and `qas`.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from compressor.scorers.frequency import group_of
from compressor.scorers.frequency_features import SIZES, features
from compressor.scorers.frequency_types import find_types
from compressor.scorers.frequency_weights import GROUPS
from compressor.train.records import read
from compressor.types import Bools, Span, Words
from compressor.words import Flag, split

READABLE = Flag.HAS_LETTER | Flag.HAS_DIGIT
PUNCTUATION_WEIGHT = 0.3
"""Punctuation shares the grade of the word it touches: a weak label."""
NOT_ENGLISH_WEIGHT = 2.0
"""Two thirds of the graded text is English."""
ANSWERS_WEIGHT = 12_000
"""Importance of each source of answers, in graded words. More keeps more answers and agrees less with grades:
at 0, 12,000 and 60,000 English AUC is .807, .800, .772 and Korean answers kept at half are .76, .84, .88."""
LONGEST_ANSWER = 40
OFFSETS = dict(zip(SIZES, np.cumsum([0, *SIZES.values()]).tolist(), strict=False))
"""Where each feature's weights begin in the one long weight vector."""
N_WEIGHTS = sum(SIZES.values())


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One graded chunk."""

    id: str
    source: str
    language: str
    text: str
    words: Words
    units: list[Span]
    grades: NDArray[np.int64]

    @property
    def is_held_out(self) -> bool:
        """Is its document kept for evaluation?"""
        document = self.id.split("#")[0]
        return int(hashlib.sha256(document.encode()).hexdigest(), 16) % 5 == 0


def read_graded(path: Path) -> Iterator[Sample]:
    """The graded chunks of a file, packed or not. DataError names the line that cannot be used."""
    for record in read(path):
        name, source, language, text, grades = map(record.text, ("id", "src", "lang", "text", "grades"))
        is_by_character = language[:2] in ("zh", "ja")
        units = [match.span() for match in re.finditer(r"\S" if is_by_character else r"\S+", text)]
        if len(units) != len(grades) or grades.strip("012"):
            raise record.wrong("grades", f"must be a digit 0, 1 or 2 for each of {len(units)} units")
        values = np.array([int(grade) for grade in grades])
        yield Sample(name, source, language[:2], text, split(text), units, values)


def word_grades(sample: Sample) -> NDArray[np.float64]:
    """Mean grade over the characters of each word, from 0 to 2; -1 for newlines."""
    by_char = np.full(len(sample.text), -1)
    for (start, end), grade in zip(sample.units, sample.grades, strict=True):
        by_char[start:end] = grade
    words = sample.words
    ranges = zip(words.starts.tolist(), words.ends.tolist(), strict=True)
    return np.array([by_char[start:end].mean() for start, end in ranges])


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """What the regression sees of one chunk: indices into one long weight vector, targets, importance."""

    group: int
    indices: NDArray[np.int64]
    words: list[tuple[int, int]]
    """(column, stem) of each word."""
    tenths: NDArray[np.uint8]
    targets: NDArray[np.float64]
    importance: NDArray[np.float64]
    is_answers: bool = False
    """From `answer_rows`: has an intercept of its own."""


def rows_of(sample: Sample) -> Rows:
    """The regression's view of a chunk, newlines left out."""
    grades = word_grades(sample)
    importance = np.where(sample.words.flags & READABLE, 1.0, PUNCTUATION_WEIGHT)
    importance *= 1.0 if sample.language == "en" else NOT_ENGLISH_WEIGHT
    return _rows(sample.words, grades / 2, importance, grades >= 0)


def answer_rows(path: Path) -> Iterator[Rows]:
    """The same of passages with questions: words of answers against the others, in equal shares."""
    passages = [json.loads(line) for line in gzip.decompress(path.read_bytes()).decode().splitlines()]
    n_by_source = Counter(passage["src"] for passage in passages)
    for passage in passages:
        words = split(passage["context"])
        is_answer = np.zeros(len(words), np.bool_)
        for question in passage["qas"]:
            answer = min(question["a"], key=len)
            start = passage["context"].find(answer)
            if start >= 0 and 0 < len(answer) <= LONGEST_ANSWER:
                is_answer |= (words.ends > start) & (words.starts < start + len(answer))
        some = (words.flags & READABLE) != 0
        n, n_answer = int(some.sum()), int((some & is_answer).sum())
        if 0 < n_answer < n:
            share = np.where(is_answer, 0.5 / n_answer, 0.5 / (n - n_answer))
            share *= ANSWERS_WEIGHT / n_by_source[passage["src"]]
            yield replace(_rows(words, is_answer.astype(np.float64), share, some), is_answers=True)


def _rows(words: Words, targets: NDArray[np.float64], importance: NDArray[np.float64], some: Bools) -> Rows:
    types = find_types(words)
    found = features(words, types)
    indices = np.stack([found[name] + OFFSETS[name] for name in SIZES], axis=1)
    stems = types.stems[types.of][some].tolist()
    columns = types.columns[types.of][some].tolist()
    return Rows(
        GROUPS.index(group_of(types)),
        indices[some],
        list(zip(columns, stems, strict=True)),
        types.tenths[types.of][some],
        targets[some],
        importance[some],
    )
