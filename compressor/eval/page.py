"""The figures' part of docs/quality.md, from the JSON beside it: a command writes it, a test compares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from compressor.errors import EvalError
from compressor.eval.report import Report, shown
from compressor.eval.tables import Table

BEGIN, END = "<!-- figures: written by `make quality` -->", "<!-- end of figures -->"
RATES = (0.5, 0.33)
"""Those shown for all methods; the others are in the JSON file and the curves."""


def refreshed(page: str, found: Report, pictures: Sequence[str]) -> str:
    """The page with the figures of a report between its two marks. Raises EvalError if they are missing."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise EvalError(f"the page lacks the line {BEGIN if not begin else END}: put it back")
    return f"{before}{BEGIN}\n\n{figures(found, pictures)}\n{END}{after}"


def picture_of(part: Mapping[str, Any]) -> str:
    """The file name of a part's curves, as the part is called."""
    return "-".join(part["name"].lower().replace("/", " ").split()) + ".svg"


def figures(found: Report, pictures: Sequence[str]) -> str:
    """All tables, a heading a part."""
    return "\n".join(_lines(found, pictures))


def _lines(found: Report, pictures: Sequence[str]) -> Iterator[str]:
    named = ", ".join(f"`{name}` is `{fingerprint}`" for name, fingerprint in found["scorers"].items())
    yield f"Scorers: {named}.\n"
    notes = {part["name"]: part["note"] for part in found["parts"]}
    rates = [rate for rate in RATES if rate in found["rates"]] or found["rates"][:1]
    last = None
    for name, table in shown(found, rates):
        if name != last:
            last = name
            yield f"### {name or 'Agreement'}\n"
            if name:
                yield f"{notes[name]}\n"
        yield markdown(table)
    for picture in pictures:
        yield f"![Answers that survive against target tokens]({picture})\n"


def markdown(table: Table) -> str:
    """A table with its title in bold above it."""
    rule = "|".join(["---", *["--:"] * (len(table.head) - 1)])
    rows = ["| " + " | ".join(row) + " |" for row in (table.head, *table.rows)]
    return "\n".join([f"**{table.title}**\n", rows[0], f"|{rule}|", *rows[1:], ""])
