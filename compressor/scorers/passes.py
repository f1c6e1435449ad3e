"""Rows of token ids to logits, in passes of a bounded size: two ways, one for every model.

Law: what comes out for a row depends on that row alone, but for rounding. Whatever the number of passes, the
ids go to the device in one copy and what comes back does in one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from compressor.scorers.attention import Pass
from compressor.scorers.encoder import Encoder
from compressor.types import Ints

Score: TypeAlias = Callable[[torch.Tensor], torch.Tensor]
"""Logits, one line a token, to one number each."""

Floats: TypeAlias = NDArray[np.float32]

_BUCKET = 32
"""Rows whose lengths round up to the same multiple share a padded pass: at most that much padding a row."""


class Passes(Protocol):
    """How a model is run."""

    def run(self, rows: Sequence[Ints], score: Score) -> list[Floats]:
        """The score of each row's tokens."""


@dataclass(frozen=True, slots=True, eq=False)
class Padded:
    """Any model of transformers: rows of like length in a rectangle, masked only where one is shorter."""

    model: Any
    pad_id: int

    def run(self, rows: Sequence[Ints], score: Score) -> list[Floats]:
        buckets = list(_buckets(rows))
        if not buckets:
            return []
        flat = torch.cat([score(self._logits([rows[at] for at in bucket])) for bucket in buckets])
        scores = flat.float().cpu().numpy()
        found: dict[int, Floats] = {}
        position = 0
        for bucket in buckets:
            width = max(len(rows[at]) for at in bucket)
            for at in bucket:
                found[at] = scores[position : position + len(rows[at])]
                position += width
        return [found[at] for at in range(len(rows))]

    def _logits(self, rows: Sequence[Ints]) -> torch.Tensor:
        lengths = np.array([len(row) for row in rows])
        width = int(lengths.max())
        ids = np.full((len(rows), width), self.pad_id, np.int64)
        for line, row in zip(ids, rows, strict=True):
            line[: len(row)] = row
        inputs = {"input_ids": torch.from_numpy(ids).to(self.model.device)}
        if lengths.min() < width:  # without a mask, attention takes its fast path
            mask = np.arange(width) < lengths[:, None]
            inputs["attention_mask"] = torch.from_numpy(mask.astype(np.int64)).to(self.model.device)
        logits: torch.Tensor = self.model(**inputs).logits
        return logits.float().flatten(0, 1)


def _buckets(rows: Sequence[Ints]) -> Iterator[list[int]]:
    """Indices of rows of like length, longest first."""
    by_size: dict[int, list[int]] = {}
    for at, row in enumerate(rows):
        by_size.setdefault(-(-len(row) // _BUCKET), []).append(at)
    for size in sorted(by_size, reverse=True):
        yield by_size[size]


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """An encoder of our own on a CPU: rows end to end, about `tokens` a pass. No padding."""

    encoder: Encoder
    tokens: int

    def run(self, rows: Sequence[Ints], score: Score) -> list[Floats]:
        order = sorted(range(len(rows)), key=lambda at: -len(rows[at]))
        found: dict[int, Floats] = {}
        for members in packs([len(rows[at]) for at in order], self.tokens):
            taken = [order[at] for at in members]
            lengths = [len(rows[at]) for at in taken]
            scores = score(self.encoder.logits(self._pass([rows[at] for at in taken], lengths))).numpy()
            ends = list(accumulate(lengths))
            for at, length, end in zip(taken, lengths, ends, strict=True):
                found[at] = scores[end - length : end]
        return [found[at] for at in range(len(rows))]

    def _pass(self, rows: Sequence[Ints], lengths: Sequence[int]) -> Pass:
        ids = torch.from_numpy(np.concatenate(rows, dtype=np.int64))
        return Pass(ids, torch.from_numpy(places(lengths, self.encoder.first_place)), tuple(lengths))


def packs(lengths: Sequence[int], tokens: int) -> Iterator[range]:
    """Runs of rows of at most so many tokens, one row at least."""
    start = size = 0
    for at, length in enumerate(lengths):
        if at > start and size + length > tokens:
            yield range(start, at)
            start, size = at, 0
        size += length
    if start < len(lengths):
        yield range(start, len(lengths))


def places(lengths: Sequence[int], first: int) -> NDArray[np.int64]:
    """The position of every token in its row, from `first` on."""
    return np.concatenate([np.arange(first, first + length) for length in lengths])
