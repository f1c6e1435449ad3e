"""The forward pass on a GPU: rows end to end, one pinned copy in, one copy out, nothing waited for between.

A small pass is bound by launching its few hundred kernels one by one. So passes of up to `_LADDER[-1]` tokens
are filled up to the next step and replayed as recorded graphs; the tokens that fill up are in no row. Graphs
are recorded at load and compared with the plain pass; where they fail or differ, the plain pass serves.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import torch
from numpy.typing import NDArray

from compressor.scorers.attention import Pass
from compressor.scorers.encoder import Encoder
from compressor.scorers.passes import Floats, Score, packs, places
from compressor.types import Ints

PASS_TOKENS = 16_384
_LADDER = (128, 256, *range(512, 4097, 512))
_GRAPH_ROWS = 64
"""Rows of a graph; a pass of more is launched plainly."""
_SAME = 2e-2
"""How far logits of a graph may be off the plain pass: the same kernels in another order of sums."""

_log = logging.getLogger(__name__)


def has_varlen(device: torch.device) -> bool:
    """Whether there is a fused kernel for rows of any length: from Ampere on, and bf16 with it."""
    return torch.cuda.get_device_capability(device)[0] >= 8


def gpu_precision(device: torch.device) -> str:
    """The precision that `auto` stands for."""
    return "bf16" if has_varlen(device) else "fp16"


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """One pass: which rows, how many tokens, and ids, positions and row ends side by side as they go over."""

    members: tuple[int, ...]
    size: int
    is_graph: bool
    numbers: NDArray[np.int32]

    def rows(self, numbers: torch.Tensor, longest: int) -> Pass:
        """The pass, of the numbers on the device."""
        ids, at_places, bounds = torch.split(
            numbers, [self.size, self.size, len(self.numbers) - 2 * self.size]
        )
        return Pass(ids, at_places, (), bounds, longest)


def plan(rows: Sequence[Ints], first_place: int) -> list[Plan]:
    """Passes over all rows, longest first."""
    order = sorted(range(len(rows)), key=lambda at: -len(rows[at]))
    runs = packs([len(rows[at]) for at in order], PASS_TOKENS)
    return [_plan([order[at] for at in run], rows, first_place) for run in runs]


def _plan(members: Sequence[int], rows: Sequence[Ints], first_place: int) -> Plan:
    lengths = [len(rows[at]) for at in members]
    total = sum(lengths)
    is_graph = total <= _LADDER[-1] and len(members) <= _GRAPH_ROWS
    size = next(step for step in _LADDER if step >= total) if is_graph else total
    ids = np.zeros(size, np.int32)
    ids[:total] = np.concatenate([rows[at] for at in members])
    at_places = np.full(size, first_place, np.int32)
    at_places[:total] = places(lengths, first_place)
    bounds = np.full((_GRAPH_ROWS if is_graph else len(members)) + 1, total, np.int32)
    bounds[: len(members) + 1] = [0, *accumulate(lengths)]
    return Plan(tuple(members), size, is_graph, np.concatenate([ids, at_places, bounds]))


class OnGpu:
    """An encoder of our own on one GPU."""

    def __init__(self, encoder: Encoder, device: torch.device) -> None:
        self._encoder = encoder
        self._device = device
        self._graphs: dict[int, Graph] = {}
        with torch.inference_mode():
            self._warm_up()

    def run(self, rows: Sequence[Ints], score: Score) -> list[Floats]:
        """The score of each row's tokens."""
        plans = plan(rows, self._encoder.first_place)
        if not plans:
            return []
        return taken_apart(self._scores(plans, score), plans, [len(row) for row in rows])

    def _scores(self, plans: Sequence[Plan], score: Score) -> Floats:
        numbers = torch.from_numpy(np.concatenate([one.numbers for one in plans])).pin_memory()
        there = numbers.to(self._device, non_blocking=True)
        parts = torch.split(there, [len(one.numbers) for one in plans])
        logits = [self._logits(one, part) for one, part in zip(plans, parts, strict=True)]
        scores: Floats = score(torch.cat(logits)).cpu().numpy()
        return scores

    def _logits(self, one: Plan, numbers: torch.Tensor) -> torch.Tensor:
        graph = self._graphs.get(one.size) if one.is_graph else None
        if graph is not None:
            return graph.replay(numbers)
        return self._encoder.logits(one.rows(numbers, self._encoder.longest))

    def _warm_up(self) -> None:
        """Every step of the ladder and the largest pass: no request is to wait for kernels to be chosen."""
        longest = self._encoder.longest
        for size in (PASS_TOKENS, *_LADDER):
            row = np.zeros(min(size, longest), np.int32)
            [one] = plan([row] * (size // len(row)), self._encoder.first_place)
            numbers = torch.from_numpy(one.numbers).to(self._device)
            plain = self._encoder.logits(one.rows(numbers, longest))
            if one.is_graph and not self._record(one, numbers, plain):
                return

    def _record(self, one: Plan, numbers: torch.Tensor, plain: torch.Tensor) -> bool:
        """Whether the pass could be recorded and gives what the plain one does."""
        total = int(one.numbers[-1])
        try:
            graph = Graph(self._encoder, one, numbers)
            off = float((graph.replay(numbers)[:total] - plain[:total]).abs().max())
        except RuntimeError as error:
            _log.warning("passes on %s are launched plainly: %s", self._device, type(error).__name__)
            return False
        if off <= _SAME:
            self._graphs[one.size] = graph
        return off <= _SAME


class Graph:
    """One size of pass, recorded over buffers of its own."""

    def __init__(self, encoder: Encoder, one: Plan, numbers: torch.Tensor) -> None:
        self._numbers = numbers.clone()
        rows = one.rows(self._numbers, encoder.longest)
        aside = torch.cuda.Stream(numbers.device)  # type: ignore[no-untyped-call] # torch's
        aside.wait_stream(torch.cuda.current_stream(numbers.device))
        with torch.cuda.stream(aside):  # recording wants a pass before, on a stream of its own
            encoder.logits(rows)
        torch.cuda.current_stream(numbers.device).wait_stream(aside)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._logits = encoder.logits(rows)

    def replay(self, numbers: torch.Tensor) -> torch.Tensor:
        """The logits for other numbers of the same size."""
        self._numbers.copy_(numbers)
        self._graph.replay()
        return self._logits.clone()  # the next replay writes over them


def taken_apart(flat: Floats, plans: Sequence[Plan], lengths: Sequence[int]) -> list[Floats]:
    """The scores of each row, from those of all passes one after the other, filling included."""
    found: dict[int, Floats] = {}
    start = 0
    for one in plans:
        position = start
        for at in one.members:
            found[at] = flat[position : position + lengths[at]]
            position += lengths[at]
        start += one.size
    return [found[at] for at in range(len(lengths))]
