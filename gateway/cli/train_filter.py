"""`pith train filter`: leaves out what a teacher did badly, and says why."""

from __future__ import annotations

import json

import click
from rich.console import Console
from rich.table import Table

from compressor.train.filter import Limit, count, judge, rejected
from compressor.train.records import read, write

_SHARE = click.FloatRange(0, 1)
_PERCENTILE = click.FloatRange(0, 100)


@click.command("filter")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--out", type=click.Path(dir_okay=False, allow_dash=True), default="-", help="Where to.  [-]")
@click.option(
    "--rejects", type=click.Path(dir_okay=False), help="Where what is left out goes, with its reasons."
)
@click.option(
    "--variation-percentile", type=_PERCENTILE, default=95.0, help="Let through, by language.  [95]"
)
@click.option("--gap-percentile", type=_PERCENTILE, default=90.0, help="Let through, by language.  [90]")
@click.option("--max-variation", type=_SHARE, help="A limit instead: share of words the source has not.")
@click.option("--max-gap", type=_SHARE, help="A limit instead: words found, but out of order.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as one JSON object.")
def filter_records(
    file: str,
    out: str,
    rejects: str | None,
    variation_percentile: float,
    gap_percentile: float,
    max_variation: float | None,
    max_gap: float | None,
    as_json: bool,
) -> None:
    """Leave out the worst of FILE (- reads standard input), which `pith train annotate` wrote.

    5 % of a language go for words the teacher made up (variation) and 10 % for words that lost their order
    (alignment gap), as in LLMLingua-2; limits may be given instead. What stays keeps its order.
    """
    if rejects in (out, file):
        raise click.UsageError(f"--rejects is {rejects!r}, which is taken: name a file of its own")
    limits = {
        "variation": Limit(variation_percentile, max_variation),
        "gap": Limit(gap_percentile, max_gap),
    }
    verdicts = judge(list(read(file)), limits)
    write(out, (verdict.record.fields for verdict in verdicts if not verdict.reasons))
    if rejects is not None:
        write(rejects, (rejected(verdict) for verdict in verdicts if verdict.reasons))
    found = count(verdicts)
    if as_json:
        click.echo(json.dumps(found), err=out == "-")
    else:
        Console(stderr=True).print(_table(found))


def _table(found: dict[str, dict[str, int]]) -> Table:
    table = Table(title="records by language, and why they went", title_justify="left")
    columns = next(iter(found.values()), {"records": 0})
    for name in ("language", *columns):
        table.add_column(name.replace("_", " "), justify="left" if name == "language" else "right")
    for language, counts in sorted(found.items()):
        table.add_row(language, *(f"{n:,}" for n in counts.values()))
    return table
