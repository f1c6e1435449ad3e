"""Figures to tables: a title, a head and rows of strings, for terminal and page alike. Shares are in %.

`answers` takes the strict measure where the texts say where their answers stand, else the lenient one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from compressor.eval.invariants import INVARIANTS

Cells = Sequence[Mapping[str, Any]]
"""As `cells.figures` makes them."""

STRICT, LENIENT = "answers_strict", "answers_lenient"
KEPT = (
    ("numbers", "numbers_intact", "numbers_changed"),
    ("dates", "dates_intact", "dates_changed"),
    ("identifiers", "identifiers_intact", "identifiers_changed"),
    ("names", "names_intact", None),
    ("negations", "negations_kept", "polarity_flips"),
    ("speakers", "speakers_kept", "speakers_lost"),
    ("facts together", "facts_together", None),
)
"""Column, what is kept, and what is worse than dropped."""


@dataclass(frozen=True, slots=True)
class Table:
    """The first column is text, the others are figures."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def answers(cells: Cells, methods: Sequence[str], rate: float) -> Table:
    """Every method at the same number of tokens."""
    head = ("", "texts", "questions", "tokens", *methods, "ahead of the best other")
    rows = []
    for cell in cells:
        found = cell["rates"][str(rate)]
        name = measure_of(found["methods"][methods[0]])
        if name is None:
            continue
        values = [found["methods"][method][name] for method in methods]
        tokens = found["methods"][methods[0]]["tokens"][0]
        shown = [
            f"**{percent(values[0][0])}**{_range(values[0])}",
            *(percent(row[0]) for row in values[1:]),
        ]
        ahead = best_of(found, methods[1:], name)
        rows.append(
            (_name(cell, name), str(cell["texts"]), str(cell["questions"]), percent(tokens), *shown, ahead)
        )
    return Table(f"Answers that survive at rate {rate:g}, everyone at the same tokens", head, tuple(rows))


def by_rate(cells: Cells, method: str, rates: Sequence[float]) -> Table:
    """One method: answers at each rate, and in the tenth of the texts where fewest survive."""
    rows = []
    for cell in cells:
        by_rate = [cell["rates"][str(rate)]["methods"][method] for rate in rates]
        name = measure_of(by_rate[0])
        if name is not None:
            shown = (f"{percent(found[name][0])} · {percent(found[name][3])}" for found in by_rate)
            rows.append((_name(cell, name), *shown))
    head = ("", *(f"{rate:g}" for rate in rates))
    return Table(
        f"{method}: answers that survive, by rate · in the worst tenth of the texts", head, tuple(rows)
    )


def kept(cells: Cells, method: str, rate: float) -> Table:
    """One method: what else survives, and what is changed, flipped or lost."""
    head = ("", *(column for column, _, _ in KEPT))
    rows = []
    for cell in cells:
        found = cell["rates"][str(rate)]["methods"][method]
        if any(name in found for _, name, _ in KEPT):
            rows.append((_name(cell, STRICT), *(_with_loss(found, name, loss) for _, name, loss in KEPT)))
    return Table(f"{method}: what survives at rate {rate:g} / is changed, flipped or lost", head, tuple(rows))


def invariants(checks: Mapping[str, Sequence[int]]) -> Table:
    """How often each held."""
    rows = tuple((INVARIANTS[name], f"{held:,} of {of:,}") for name, (held, of) in checks.items() if of)
    return Table("Invariants", ("", "held"), rows)


def agreement(title: str, found: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Table:
    """ROC-AUC light / heavy and F1 by row, for each scorer."""
    scorers = [scorer for scorer in found if found[scorer]]
    names = list(found[scorers[0]]) if scorers else []
    rows = tuple(
        (name, str(found[scorers[0]][name]["n_texts"]), *(_auc(found[scorer][name]) for scorer in scorers))
        for name in names
    )
    return Table(title, ("", "texts", *scorers), rows)


def measure_of(found: Mapping[str, Any]) -> str | None:
    """Strict where there is one, else lenient, else none: nothing was asked."""
    return next((name for name in (STRICT, LENIENT) if name in found), None)


def best_of(found: Mapping[str, Any], others: Sequence[str], name: str) -> str:
    """How far the first is ahead of the best of the others, with its interval, and which that is."""
    best = max(others, key=lambda method: found["methods"][method][name][0])
    value, low, high = found["ahead"][best][name]
    between = "" if low is None else f" ({signed(low)} to {signed(high)})"
    return f"{signed(value)}{between} {best}"


def percent(value: float | None) -> str:
    """A share without decimals; a small one that is not nothing with one."""
    if value is None:
        return "-"
    return f"{100 * value:.1f}" if 0 < value < 0.01 else f"{100 * value:.0f}"


def signed(value: float) -> str:
    """Points, with their sign."""
    return f"{100 * value:+.0f}"


def _name(cell: Mapping[str, Any], measure: str) -> str:
    """Domain and language; with a mark where only the lenient measure is known."""
    return f"{cell['domain']} {cell['language']}{'' if measure == STRICT else ' *'}"


def _range(row: Sequence[float | None]) -> str:
    """Nothing where there are too few texts for one."""
    return "" if row[1] is None else f" ({percent(row[1])}–{percent(row[2])})"


def _with_loss(found: Mapping[str, Any], name: str, loss: str | None) -> str:
    if name not in found:
        return "-"
    value = percent(found[name][0])
    return f"{value} / {percent(found[loss][0])}" if loss else value


def _auc(row: Mapping[str, Any]) -> str:
    heavy = f" / {row['heavy']:.3f}" if "heavy" in row else ""
    return f"{row['light']:.3f}{heavy}, F1 {row['f1']:.3f}"
