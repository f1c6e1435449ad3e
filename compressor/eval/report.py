"""All that is measured in one run, as JSON holds it: page, curves and terminal are made of that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compressor.eval import labels, tables
from compressor.eval.cells import figures, measure
from compressor.eval.documents import Document
from compressor.eval.intervals import N_DRAWS, SEED
from compressor.eval.methods import methods_of
from compressor.types import Scorer

Report = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """Documents that are measured together; `note` says where they are from and how they were sampled."""

    name: str
    note: str
    documents: Sequence[Document]


def report(
    parts: Sequence[Part],
    scorers: Mapping[str, Scorer],
    rates: Sequence[float],
    data: Path | None,
    told: Callable[[], object] = lambda: None,
) -> Report:
    """Measure all parts; with a folder of public data, agreement with its labels besides."""
    measured = [measure(part.documents, scorers, rates, told) for part in parts]
    return {
        "scorers": {name: scorer.fingerprint for name, scorer in scorers.items()},
        "methods": list(methods_of(tuple(scorers))),
        "rates": list(rates),
        "draws": N_DRAWS,
        "seed": SEED,
        "parts": [
            {"name": part.name, "note": part.note, "invariants": found.checks, "cells": figures(found)}
            for part, found in zip(parts, measured, strict=True)
        ],
        "grades": _labelled(labels.grades, data, scorers),
        "pairs": _labelled(labels.pairs, data, scorers),
    }


def _labelled(
    compare: Callable[[Path, Scorer], labels.Rows], data: Path | None, scorers: Mapping[str, Scorer]
) -> dict[str, labels.Rows]:
    return {name: compare(data, scorer) for name, scorer in scorers.items()} if data else {}


def shown(found: Report, rates: Sequence[float]) -> Iterator[tuple[str, tables.Table]]:
    """(part, table): answers at `rates`, then by every rate, what else survives, invariants, agreement."""
    first, *_ = methods = found["methods"]
    for part in found["parts"]:
        cells = part["cells"]
        for rate in rates:
            yield part["name"], tables.answers(cells, methods, rate)
        yield part["name"], tables.by_rate(cells, first, found["rates"])
        for rate in rates[:1]:
            yield part["name"], tables.kept(cells, first, rate)
        yield part["name"], tables.invariants(part["invariants"])
    if any(found["grades"].values()):
        title = (
            "Agreement with the teacher's held-out grades: ROC-AUC light / heavy, F1 at the teacher's rate"
        )
        yield "", tables.agreement(title, found["grades"])
    if any(found["pairs"].values()):
        yield (
            "",
            tables.agreement("Agreement with deletions: ROC-AUC, F1 at each sentence's rate", found["pairs"]),
        )
