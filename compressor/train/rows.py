"""Texts to the tensors of `net`: windows of words, packed into batches of like length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from compressor.scorers.embedded_inputs import BEGIN, END, NOTHING, Inputs
from compressor.train.net import Batch

Labels = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """A window of a text: words [start, end), what is to be learnt of them, and how much each counts."""

    inputs: Inputs
    start: int
    end: int
    labels: Labels
    """[end - start, k]"""
    weights: Labels
    """[end - start]"""
    kind: str = "grades"
    """What the labels are."""

    def __len__(self) -> int:
        return self.end - self.start


def batches(rows: Sequence[Row], n_words: int, seed: int) -> Iterator[list[Row]]:
    """All rows once, in an order of the seed: neighbours in length together, `n_words` at most a batch."""
    random = np.random.default_rng(seed)
    jitter = random.uniform(0.9, 1.1, len(rows))
    order = sorted(range(len(rows)), key=lambda at: (rows[at].kind, len(rows[at]) * jitter[at]))
    groups: list[list[Row]] = []
    for at in order:
        row = rows[at]
        group = groups[-1] if groups else []
        longest = max([len(row), *map(len, group[-1:])])
        if not group or group[0].kind != row.kind or (len(group) + 1) * longest > n_words:
            groups.append([])
        groups[-1].append(row)
    for at in random.permutation(len(groups)):
        yield groups[at]


def collate(rows: Sequence[Row]) -> tuple[Batch, torch.Tensor, torch.Tensor]:
    """The rows as a batch with BEGIN and END around each; labels and weights, 0 where there is no word."""
    longest = max(map(len, rows)) + 2
    of = np.zeros((len(rows), longest), np.int64)
    values = np.full((len(rows), longest, rows[0].inputs.values.shape[1]), NOTHING, np.int64)
    labels = np.zeros((len(rows), longest, rows[0].labels.shape[1]), np.float32)
    weights = np.zeros((len(rows), longest), np.float32)
    is_word = np.zeros((len(rows), longest), np.bool_)
    pieces = [np.array([BEGIN, END], np.int32)]
    counts = [np.array([1, 1], np.intp)]
    n_types = 2
    for at, row in enumerate(rows):
        inputs, end = row.inputs, len(row) + 1
        types, local = np.unique(inputs.of[row.start : row.end], return_inverse=True)
        of[at, 1:end] = local + n_types
        of[at, end] = 1
        n_types += len(types)
        some, sizes = inputs.pieces_of(types)
        pieces.append(some)
        counts.append(sizes)
        values[at, 1:end] = inputs.values[row.start : row.end]
        labels[at, 1:end] = row.labels
        weights[at, 1:end] = row.weights
        is_word[at, : end + 1] = True
    flat, sizes = np.concatenate(pieces).astype(np.int64), np.concatenate(counts)
    batch = Batch(
        torch.from_numpy(flat),
        torch.from_numpy(np.append(0, np.cumsum(sizes)[:-1])),
        torch.from_numpy(of),
        torch.from_numpy(values),
        None if is_word.all() else torch.from_numpy(is_word),
    )
    return batch, torch.from_numpy(labels), torch.from_numpy(weights)
