"""`pith train annotate`: grades for every word from what a teacher kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import click
from rich.console import Console
from rich.status import Status
from rich.table import Table

from compressor.train.annotate import Concurrence, concurrence
from compressor.train.annotate import annotate as annotated
from compressor.train.records import Record, read, write

SAID_EVERY = 50
"""Records between two looks at how far it is."""


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--out", type=click.Path(dir_okay=False, allow_dash=True), default="-", help="Where to.  [-]")
@click.option("--check", is_flag=True, help="Write nothing: compare with the grades FILE has.")
@click.option("--json", "as_json", is_flag=True, help="With --check: one JSON object instead of a table.")
def annotate(file: str, out: str, check: bool, as_json: bool) -> None:
    """Grade the words of FILE (- reads standard input), which `pith train distill` wrote.

    Each record gains `grades`, a digit a word (2 kept in heavy, 1 in light only, 0 dropped), and `quality`,
    by which `pith train filter` chooses.
    """
    console = Console(stderr=True)
    with console.status("grading") as status:
        records = _told(read(file), status)
        if check:
            found = concurrence(records)
        else:
            n = write(out, map(annotated, records))
    if not check:
        console.print(f"{n:,} records graded")
    elif as_json:
        click.echo(json.dumps({language: _plain(of) for language, of in found.items()}))
    else:
        Console().print(_table(found))


def _told(records: Iterator[Record], status: Status) -> Iterator[Record]:
    """The same, saying how far it is."""
    for n, record in enumerate(records):
        if n % SAID_EVERY == 0:
            status.update(f"grading: {n:,} records")
        yield record


def _plain(found: Concurrence) -> dict[str, Any]:
    return {"texts": found.n_texts, "units": found.n_units, **found.shares()}


def _table(found: dict[str, Concurrence]) -> Table:
    table = Table(title="our grades against those of the file", title_justify="left")
    for name in ("language", "texts", "units", "same grade", "light", "heavy"):
        table.add_column(name, justify="left" if name == "language" else "right")
    for language, of in sorted(found.items()):
        shares = (f"{share:.4f}" for share in of.shares().values())
        table.add_row(language, f"{of.n_texts:,}", f"{of.n_units:,}", *shares)
    return table
