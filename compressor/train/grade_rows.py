"""Graded chunks to the rows that `fit` learns from: per word, how much of it each level kept.

A chunk is shown in two ways: by itself, and among the other chunks of its document, since what a word's
repetition says changes with the length of the text.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from compressor.scorers.embedded_inputs import Inputs, inputs_of
from compressor.train.frequency_samples import PUNCTUATION_WEIGHT, READABLE, Sample
from compressor.train.records import read
from compressor.train.rows import Row
from compressor.types import Words
from compressor.words import Flag, split

LANGUAGE_WEIGHTS: Mapping[str, float] = {"en": 1.0, "ko": 1.6, "zh": 1.3, "ja": 1.3}
"""Two thirds of the graded text is English."""
_OTHER_WEIGHT = 2.0
THOUSANDTHS = 1000
"""Of a soft grade."""
_GAP = "\n\n"
_LONGEST = 400
"""Words of a window: a longer chunk is learnt in two."""

Floats = NDArray[np.float32]


def kept_shares(sample: Sample) -> Floats:
    """Of each word, the share of characters kept in light and in heavy, [n, 2]; -1 where nobody said."""
    by_char = np.full(len(sample.text), -1, np.int64)
    for (start, end), grade in zip(sample.units, sample.grades, strict=True):
        by_char[start:end] = grade
    words = sample.words
    levels = np.stack([by_char >= 1, by_char >= 2], axis=1).astype(np.float64)
    sums = np.concatenate([np.zeros((1, 2)), np.cumsum(levels, axis=0)])
    shares = (sums[words.ends] - sums[words.starts]) / (words.ends - words.starts)[:, None]
    shares[(words.flags & Flag.NEWLINE) != 0] = -1
    return np.asarray(shares, np.float32)


def word_weights(words: Words, language: str) -> Floats:
    """How much each word counts; newlines nothing."""
    weights = np.where(words.flags & READABLE, 1.0, PUNCTUATION_WEIGHT)
    weights[(words.flags & Flag.NEWLINE) != 0] = 0
    weights *= LANGUAGE_WEIGHTS.get(language, _OTHER_WEIGHT)
    return np.asarray(weights, np.float32)


See: TypeAlias = Callable[[str, Words], Inputs]
"""What a network is given of a text."""
Shown: TypeAlias = dict[str, list[Row]]
"""The rows of each chunk, by its id."""


def rows_alone(samples: Sequence[Sample], tokenizer: Tokenizer) -> Shown:
    """Every chunk by itself."""
    return {
        sample.id: list(
            windows(
                inputs_of(sample.text, sample.words, tokenizer),
                kept_shares(sample),
                word_weights(sample.words, sample.language),
            )
        )
        for sample in samples
    }


def soft_rows(path: Path, see: See) -> Iterator[list[Row]]:
    """Of each text of a file of `soften`, its windows. DataError names the line that cannot be used."""
    for record in read(path):
        text, language = record.text("text"), record.text("lang")
        words, scores = split(text), record.fields.get("scores")
        if not isinstance(scores, list) or len(scores) != len(words):
            raise record.wrong("scores", f"must be a list of {len(words)} thousandths, one a word")
        labels = np.array(scores, np.float32).reshape(-1, 1) / np.float32(THOUSANDTHS)
        weights = word_weights(words, language[:2])
        yield list(windows(see(text, words), labels, weights, kind="soft"))


def rows_together(samples: Sequence[Sample], tokenizer: Tokenizer) -> Shown:
    """Every chunk of a document that has several, as a part of all of them."""
    documents: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        documents[sample.id.split("#")[0]].append(sample)
    shown: Shown = {}
    for some in documents.values():
        if len(some) > 1:
            some.sort(key=lambda sample: [int(part) for part in re.findall(r"\d+", sample.id.split("#")[-1])])
            shown |= _rows_of_document(some, tokenizer)
    return shown


def _rows_of_document(samples: Sequence[Sample], tokenizer: Tokenizer) -> Shown:
    text = _GAP.join(sample.text for sample in samples)
    words = split(text)
    inputs = inputs_of(text, words, tokenizer)
    weights = word_weights(words, samples[0].language)
    shown: Shown = {}
    start = 0
    for sample in samples:
        first = int(np.searchsorted(words.starts, start))
        end = first + len(sample.words)
        start += len(sample.text) + len(_GAP)
        # words at the seams may be joined otherwise than in the chunk alone
        if end <= len(words) and np.array_equal(words.lengths[first:end], sample.words.lengths):
            labels = np.pad(kept_shares(sample), ((first, 0), (0, 0)))
            shown[sample.id] = list(windows(inputs, labels, weights[:end], first))
    return shown


def windows(
    inputs: Inputs, labels: Floats, weights: Floats, start: int = 0, kind: str = "grades"
) -> Iterator[Row]:
    """The words from `start` on in equal windows no longer than the longest allowed."""
    n = len(labels) - start
    edges = np.linspace(start, len(labels), max(-(-n // _LONGEST), 1) + 1).astype(int).tolist()
    for begin, end in itertools.pairwise(edges):
        if end > begin:
            yield Row(inputs, begin, end, labels[begin:end], weights[begin:end], kind)
