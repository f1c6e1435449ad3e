"""Tallies to figures: a cell is one domain in one language, and nothing is averaged across cells."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from compressor.eval.documents import Document
from compressor.eval.fates import Kept, ink
from compressor.eval.intervals import draws, estimate, shares, worst_decile
from compressor.eval.invariants import INVARIANTS, Checks, check
from compressor.eval.methods import Read, cuts, methods_of, read
from compressor.eval.tallies import MEASURES, Tally, holdings, tally
from compressor.types import Scorer

Key: TypeAlias = tuple[float, str]
"""Rate and method."""

COMPARED = (
    *("answers_strict", "answers_lenient", "facts_together"),
    *("numbers_intact", "numbers_changed", "negations_kept", "polarity_flips", "tokens"),
)
"""What is told of the other methods; all measures are told of the one under test."""

Figures: TypeAlias = dict[str, Any]
"""As JSON holds them: plain numbers, lists and names."""


@dataclass(slots=True)
class Cell:
    """What was counted in the texts of one domain in one language: one mapping a text."""

    tallies: list[Mapping[Key, Tally]] = field(default_factory=list)
    n_questions: int = 0
    n_left_whole: int = 0
    origin_tokens: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """All cells, and how the invariants held of the scorer under test."""

    methods: tuple[str, ...]
    rates: tuple[float, ...]
    cells: Mapping[tuple[str, str], Cell]
    checks: Checks


def measure(
    documents: Sequence[Document],
    scorers: Mapping[str, Scorer],
    rates: Sequence[float],
    told: Callable[[], object] = lambda: None,
) -> Measured:
    """Compress every document by every method at every rate, and count. `told` after each document."""
    cells: dict[tuple[str, str], Cell] = defaultdict(Cell)
    checks: Checks = dict.fromkeys(INVARIANTS, (0, 0))
    first = next(iter(scorers))
    for i, document in enumerate(documents):
        text = read(document.text, scorers)
        _count(cells[document.cell], document, text, rates)
        for name, (held, of) in check(text, scorers[first], rates, is_sample=i % 10 == 0).items():
            checks[name] = (checks[name][0] + held, checks[name][1] + of)
        told()
    return Measured(methods_of(tuple(scorers)), tuple(rates), cells, checks)


def _count(cell: Cell, document: Document, text: Read, rates: Sequence[float]) -> None:
    held, is_ink = holdings(document), ink(document.text)
    found: dict[Key, Tally] = {}
    for cut in cuts(text, rates):
        counted = tally(held, Kept.of(document.text, cut.output.spans, is_ink))
        found[cut.rate, cut.method] = {**counted, "tokens": (cut.output.tokens, text.origin_tokens)}
    cell.tallies.append(found)
    cell.n_questions += len(document.questions)
    cell.n_left_whole += text.is_left_whole
    cell.origin_tokens += text.origin_tokens


def figures(measured: Measured) -> list[Figures]:
    """One object a cell, ordered by language and domain."""
    ordered = sorted(measured.cells, key=lambda key: (key[1] != "en", key[1], key[0]))
    return [
        {
            "domain": domain,
            "language": language,
            "texts": len(cell.tallies),
            "questions": cell.n_questions,
            "left_whole": cell.n_left_whole,
            "tokens": cell.origin_tokens,
            "rates": _rates(cell, measured),
        }
        for domain, language in ordered
        for cell in [measured.cells[domain, language]]
    ]


def _rates(cell: Cell, measured: Measured) -> dict[str, Figures]:
    """By rate: measures of each method, [share, low, high, worst decile]; how far the first is ahead."""
    first = measured.methods[0]
    columns = list(_columns(cell, measured))
    hits, totals = (
        np.array(
            [
                [found[rate, method].get(name, (0, 0))[side] for rate, method, name in columns]
                for found in cell.tallies
            ],
            np.float64,
        )
        for side in (0, 1)
    )
    values, sampled = shares(draws(len(cell.tallies)), hits, totals)
    place = {column: i for i, column in enumerate(columns)}
    found: dict[str, Figures] = {str(rate): {"methods": {}, "ahead": {}} for rate in measured.rates}
    for i, (rate, method, name) in enumerate(columns):
        guess = estimate(values[i], sampled[:, i])
        worst = worst_decile(hits[:, i], totals[:, i], is_loss=MEASURES[name].is_loss)
        row = [guess.value, guess.low, guess.high, worst]
        found[str(rate)]["methods"].setdefault(method, {})[name] = _rounded(row)
    for rate, method, name in columns:
        if method != first and name.startswith("answers"):
            own, other = place[rate, first, name], place[rate, method, name]
            ahead = estimate(values[own] - values[other], sampled[:, own] - sampled[:, other])
            of_method = found[str(rate)]["ahead"].setdefault(method, {})
            of_method[name] = _rounded([ahead.value, ahead.low, ahead.high])
    return found


def _columns(cell: Cell, measured: Measured) -> Iterator[tuple[float, str, str]]:
    """(rate, method, measure) of what any text of the cell holds."""
    held = {name for found in cell.tallies for counted in found.values() for name in counted}
    for rate in measured.rates:
        for method in measured.methods:
            wanted = MEASURES if method == measured.methods[0] else COMPARED
            yield from ((rate, method, name) for name in wanted if name in held)


def _rounded(row: Sequence[float]) -> list[float | None]:
    """Null for what is not known: NaN is no JSON."""
    return [None if math.isnan(value) else round(float(value), 3) for value in row]
