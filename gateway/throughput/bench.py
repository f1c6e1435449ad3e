"""What `pith bench compressor` measures: a scorer's bounds, then the cases, each beside the peer's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from compressor import Engine
from compressor.scorers.classifier import ClassifierScorer
from compressor.scorers.peak import matmul_peak, operations
from compressor.words import split
from gateway.throughput.cases import Case
from gateway.throughput.peer import Peer, Taken
from gateway.throughput.run import Bare, Figures, Meter, bare, besides_model_us, measure

_FULL_ROWS = 4
"""Rows of a bare pass: 2,048 tokens."""
_SHORT = Case(200)
_BESIDES_REPEATS = 9


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the scorer cannot pass: its bare forward pass, and that pass as a share of the device's peak."""

    bare: Bare
    flops: float
    peak_flops: float
    besides_model_us: float

    @property
    def peak_share(self) -> float:
        return self.flops / self.peak_flops


@dataclass(frozen=True, slots=True)
class Row:
    """One case: ours, the peer's if it was asked, and the bare passes' between, each at its best.

    `left_out_s`: it was not measured, since it would take about so long.
    """

    case: Case
    ours: Figures | None = None
    theirs: Taken | None = None
    bare_cpu_us: float | None = None
    left_out_s: float | None = None


def bounds(scorer: ClassifierScorer, repeats: int) -> Bounds:
    """Measured on full rows of the scorer's longest."""
    rows = full_rows(scorer)
    passes = bare(scorer, rows, repeats)
    flops = passes.per_second * operations(scorer.config, passes.row_tokens)
    peak = matmul_peak(scorer.device, scorer.precision)
    return Bounds(passes, flops, peak, besides_model_us(scorer, Case(4000), _BESIDES_REPEATS))


def full_rows(scorer: ClassifierScorer) -> list[Any]:
    """Chunks as long as they come."""
    [[text]] = Case(8000).calls("full rows")
    return sorted(scorer.encode(text, split(text)), key=lambda chunk: -chunk.n_tokens)[:_FULL_ROWS]


def rows(
    scorer: ClassifierScorer, cases: Sequence[Case], peer: Peer | None, repeats: int, limit_s: float
) -> Iterator[Row]:
    """The cases in their order; those that would take longer than `limit_s` a run are left out."""
    chunks = full_rows(scorer)
    with asyncio.Runner() as runner:
        meter = Meter(scorer)
        engine = Engine(meter)
        runner.run(measure(engine, meter, _SHORT, "warm up"))  # warms up
        pace, peer_pace = Pace(), Pace()
        if peer is not None:
            peer.compress(_SHORT.calls("warm up")[0])
        for case in cases:
            if (expected := pace.expect(case)) > limit_s:
                yield Row(case, left_out_s=expected)
                continue
            is_both = peer is not None and case.at_once == 1 and peer_pace.expect(case) <= limit_s
            found = []
            for repeat in range(repeats):  # by turns, so that what else the machine does meets all alike
                bare_us = bare(scorer, chunks, 1).cpu_us
                ours = runner.run(measure(engine, meter, case, f"run {repeat}"))
                theirs = peer.compress(case.calls(f"run {repeat}")[0]) if peer and is_both else None
                found.append((bare_us, ours, theirs))
            row = _best(case, found)
            pace.note(case, found[0][1].seconds)
            if row.theirs is not None:
                peer_pace.note(case, row.theirs.seconds)
            yield row
        runner.run(engine.aclose())


class Pace:
    """How long a case will take, by the slowest so far."""

    def __init__(self) -> None:
        self._seconds_a_token = 0.0

    def expect(self, case: Case) -> float:
        """Seconds; 0 before anything is known."""
        return self._seconds_a_token * case.tokens * case.at_once

    def note(self, case: Case, seconds: float) -> None:
        """It took so long."""
        self._seconds_a_token = max(self._seconds_a_token, seconds / (case.tokens * case.at_once))


def _best(case: Case, found: Sequence[tuple[float, Figures, Taken | None]]) -> Row:
    """Of each side the run that took the least processor time."""
    theirs = [taken for _, _, taken in found if taken is not None]
    return Row(
        case,
        min((ours for _, ours, _ in found), key=lambda ours: ours.cpu_us),
        min(theirs, key=lambda taken: taken.cpu_seconds) if theirs else None,
        min(bare_us for bare_us, _, _ in found),
    )
