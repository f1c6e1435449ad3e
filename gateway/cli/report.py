"""`pith report`: what the ledger says was sent, saved and paid."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.errors import ConfigError
from gateway.ledger.database import STORE_ERRORS
from gateway.ledger.export import write_export
from gateway.ledger.opening import Reader, open_database
from gateway.ledger.report import GROUPS, report_rows, unpriced_models
from gateway.savings import parse_since, saved_percent, savings, total_row
from gateway.types import ReportRow

T = TypeVar("T")

_WIDEST: Final = 1000
"""Columns a table may take, terminal or not."""
_HEADINGS: Final = (
    *("requests", "compressed", "before", "after", "saved", "%"),
    *("prompt", "cached", "output"),
    *("uncompressed $", "cost $", "device $", "negative", "lost $", "net saving $"),
)
_ALL: Final = range(len(_HEADINGS))
_PARTS: Final = (range(6), (6, 7, 8, 12, 13), (9, 10, 11, 14))
"""Columns of texts, of usage and losses, of money: few enough for a terminal of 80 characters."""


class Since(click.ParamType[float]):
    """A duration back from now, or a UTC date or time, as Unix seconds."""

    name = "since"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return parse_since(value, time.time())
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command()
@click.option(
    "--ledger",
    "url",
    default="sqlite:///pith.db",
    envvar="PITH_LEDGER",
    show_default=True,
    show_envvar=True,
    help="URL of the ledger.",
)
@click.option(
    "--by", "group_by", type=click.Choice(GROUPS), default="policy", show_default=True, help="Group by."
)
@click.option("--since", type=Since(), metavar="7d|2026-11-01", help="Only requests since then (UTC).")
@click.option(
    "--export",
    "export_to",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the rows themselves to FILE.csv or FILE.parquet instead.",
)
@click.option("--json", "is_json", is_flag=True, help="Machine output.")
def report(url: str, group_by: str, since: float | None, export_to: Path | None, is_json: bool) -> None:
    """What was sent, saved and paid, from the ledger: tokens by the target model's tokenizer, the
    upstream's own usage, and money net of prompt caching.
    """
    if export_to is not None:
        n_rows = _read(url, lambda ledger: write_export(ledger, export_to, since))
        print(json.dumps({"rows": n_rows}) if is_json else f"{n_rows:,} rows in {export_to}")
        return
    rows, unpriced = _read(
        url, lambda ledger: (report_rows(ledger, group_by, since), unpriced_models(ledger, since))
    )
    if is_json:
        print(json.dumps(savings(rows, unpriced, group_by, since), indent=2))
        return
    console = Console()
    if not rows:
        console.print("The ledger is empty." if since is None else "No requests since then.")
        return
    for table in _tables(console, rows, group_by):
        console.print(table)
    for note in _notes(rows, unpriced):
        console.print(Text(note))


def _read(url: str, work: Callable[[Reader], T]) -> T:
    try:
        database = open_database(url)
    except ConfigError as error:
        raise click.UsageError(str(error)) from error
    try:
        with database.open_reader() as connection:
            return work(connection)
    except STORE_ERRORS as error:
        raise click.ClickException(database.explain(error)) from error


def _tables(console: Console, rows: list[ReportRow], group_by: str) -> list[Table]:
    """One, or on a terminal too narrow for it three below each other."""
    whole = _table(rows, group_by, _ALL)
    natural = console.measure(whole, options=console.options.update(width=_WIDEST)).maximum
    if console.is_terminal and natural > console.width:
        parts = [_table(rows, group_by, part) for part in _PARTS]
        natural = max(console.measure(part).minimum for part in parts)
    else:
        parts = [whole]
    console.width = max(console.width, natural)  # a line that wraps can be read, a figure cut short is wrong
    return parts


def _table(rows: list[ReportRow], group_by: str, columns: Sequence[int]) -> Table:
    table = Table(show_footer=len(rows) > 1)
    table.add_column(group_by, footer="total", overflow="fold")
    total = _cells(total_row(rows))
    for column in columns:
        table.add_column(_HEADINGS[column], justify="right", no_wrap=True, footer=total[column])
    for row in rows:
        cells = _cells(row)
        table.add_row(Text(_shown(row.group)), *(cells[column] for column in columns))
    return table


def _cells(row: ReportRow) -> list[Text]:
    counts = (
        row.requests,
        row.compressed_requests,
        row.origin_tokens,
        row.compressed_tokens,
        row.origin_tokens - row.compressed_tokens,
    )
    percent = saved_percent(row)
    usage = (row.prompt_tokens, row.cached_tokens, row.completion_tokens)
    return [
        *(Text(f"{count:,}") for count in counts),
        Text("" if percent is None else f"{percent:.1f}"),
        *(Text(f"{count:,}") for count in usage),
        *(Text(f"{usd:.4f}") for usd in (row.counterfactual_usd, row.cost_usd, row.compression_usd)),
        Text(f"{row.negative_requests:,}"),
        Text(f"{row.negative_usd:.4f}"),
        Text(f"{row.saved_usd:.4f}", style="red" if row.saved_usd < 0 else "green"),
    ]


def _notes(rows: list[ReportRow], unpriced: list[str]) -> list[str]:
    total = total_row(rows)
    notes = []
    if total.shadow_requests:
        notes.append(
            f"{total.shadow_requests:,} in shadow mode: tokens that would have been saved; no money was."
        )
    if total.unpriced_requests:
        names = ", ".join(map(_shown, unpriced))
        notes.append(f"{total.unpriced_requests:,} not in the money: no price is known for {names}")
    return notes


def _shown(name: str) -> str:
    """A name for the terminal: clients choose model names, and escape codes are no part of one."""
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in name
    )
