"""`pith bench ledger`: how long the ledger takes to be filled and to report."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from gateway.errors import ConfigError
from gateway.ledger.bench import Timed, ask, fill
from gateway.ledger.database import STORE_ERRORS
from gateway.ledger.opening import Database, open_database


@click.command("ledger")
@click.option("--rows", type=click.IntRange(1), default=1_000_000, show_default=True, help="Rows to store.")
@click.option(
    "--ledger", "url", help="URL of an empty ledger to fill; else a file that is deleted afterwards."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def ledger(rows: int, url: str | None, as_json: bool) -> None:
    """Fill a ledger with 90 days of made-up rows, as the gateway writes them, and report."""
    with tempfile.TemporaryDirectory(prefix="pith-ledger-") as folder:
        try:
            database = open_database(url or f"sqlite:///{Path(folder) / 'pith.db'}")
        except ConfigError as error:
            raise click.UsageError(str(error)) from error
        try:
            timed = _measure(database, rows)
        except STORE_ERRORS as error:
            raise click.ClickException(database.explain(error)) from error
    if as_json:
        print(json.dumps({"rows": rows, "steps": [asdict(one) for one in timed]}, indent=2))
        return
    table = Table("step", *(f"{name} s" for name in ("wall", "processor")), "rows", title=f"{rows:,} rows")
    for one in timed:
        table.add_row(one.name, f"{one.wall_s:.3f}", f"{one.cpu_s:.3f}", f"{one.rows:,}")
    Console().print(table)


def _measure(database: Database, n_rows: int) -> list[Timed]:
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("filling", total=n_rows)
        filled = fill(database, n_rows, lambda n: progress.advance(task, n))
    return [filled, *ask(database)]
