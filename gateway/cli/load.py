"""`pith bench gateway`: latency and throughput under load, beside the upstream and any other gateway."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from gateway.demo.instant import instant_upstream
from gateway.hashing import VARIABLE as SECRET_VARIABLE
from gateway.load.cases import CHAT, DIALECTS, cases, settings_with
from gateway.load.machine import confined, cores, load_average, pin
from gateway.load.processes import Gateway, pith
from gateway.load.run import Row, Target, run

DIRECT, PITH, OTHER = "direct", "pith", "other"


class Numbers(click.ParamType[tuple[int, ...]]):
    """Whole numbers with commas between."""

    name = "numbers"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        try:
            numbers = tuple(int(part) for part in str(value).split(","))
        except ValueError:
            numbers = ()
        if not numbers or min(numbers) < 1:
            self.fail(f"{value!r} is no list of whole numbers from 1, such as 1,16,64", param, ctx)
        return numbers


class Header(click.ParamType[tuple[str, str]]):
    """`NAME: VALUE`."""

    name = "header"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        name, colon, content = str(value).partition(":")
        if not colon or not name.strip():
            self.fail("write it as NAME: VALUE", param, ctx)  # its value may be a key: not shown
        return name.strip(), content.strip()


@click.command()
@click.option("--connections", type=Numbers(), default=(1, 16, 64), help="At the same time.  [1,16,64]")
@click.option(
    "--dialect",
    "dialects",
    type=click.Choice(list(DIALECTS)),
    multiple=True,
    default=(CHAT,),
    help="Which API; again for another.  [chat_completions]",
)
@click.option("--paced", is_flag=True, help="Streams come event by event, a millisecond apart.")
@click.option("--kilobytes", type=Numbers(), default=(1, 32), help="Sizes of request bodies.  [1,32]")
@click.option(
    "--seconds", type=click.FloatRange(0.1), default=2.0, show_default=True, help="Of each measurement."
)
@click.option("--scorer", help="Pith's: default, frequency, or a token-classification model.  [default]")
@click.option(
    "--cache", metavar="URL", help="A shared cache for Pith, e.g. redis://127.0.0.1; else in process."
)
@click.option("--against", metavar="URL", help="Another gateway, measured in the same run.")
@click.option(
    "--against-header", type=Header(), multiple=True, help="A header field for it, such as its key."
)
@click.option(
    "--against-pid", type=int, help="Its process, if it runs here: pinned to Pith's core, looked at."
)
@click.option(
    "--upstream-port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Where the bench's upstream listens, for the other gateway to forward to.  [any]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def gateway(
    connections: Sequence[int],
    dialects: Sequence[str],
    paced: bool,
    kilobytes: Sequence[int],
    seconds: float,
    scorer: str | None,
    cache: str | None,
    against: str | None,
    against_header: Sequence[tuple[str, str]],
    against_pid: int | None,
    upstream_port: int,
    as_json: bool,
) -> None:
    """Latency and throughput under load: plain and streamed, compression off and on.

    Pith runs as `pith serve` does, with policies, ledger, metrics and log, on a core of its own; upstream and
    load share another. To compare, let the other gateway forward to http://127.0.0.1:PORT of --upstream-port.
    """
    console = Console(stderr=True)
    core, own_core = cores()
    before = load_average()
    if cache is not None:  # replicas share a secret; that of this run was never used
        os.environ.setdefault(SECRET_VARIABLE, secrets.token_hex(32))
    with ExitStack() as stack:
        stack.enter_context(confined(own_core))
        upstream = stack.enter_context(instant_upstream(upstream_port))
        targets = [
            Target(Gateway(DIRECT, upstream)),
            Target(stack.enter_context(pith(upstream, settings_with(scorer, cache), core))),
        ]
        if against is not None:
            if against_pid is not None and core is not None:
                pin(against_pid, core)
            targets.append(
                Target(Gateway(OTHER, against, against_pid), tuple(against_header), may_finish_nothing=True)
            )
        status = stack.enter_context(console.status("starting"))
        measured = run(
            targets,
            cases([1024 * size for size in kilobytes], dialects, is_paced=paced),
            connections,
            seconds,
            status.update,
        )
        rows = list(measured)
    found = {
        "bench": "gateway",
        "seconds": seconds,
        "pinned": core is not None,
        "load": [before, load_average()],
        "rows": [_with_ratios(row, rows) for row in rows],
    }
    if as_json:
        click.echo(json.dumps(found))
    else:
        _show(found)


def _with_ratios(row: Row, rows: Sequence[Row]) -> dict[str, Any]:
    """The row, what is added to the direct one, and how the other gateway compares."""
    beside = {other.target: other for other in rows if _place(other) == _place(row)}
    direct = beside[DIRECT]
    added = _less(row.p50_ms, direct.p50_ms)
    first = _less(row.first_byte_p50_ms, direct.first_byte_p50_ms)
    shown = {
        **asdict(row),
        "added_p50_ms": added,
        "added_p99_ms": _less(row.p99_ms, direct.p99_ms),
        "added_first_byte_ms": first,
        "cpu_event_us": _an_event(row),
    }
    if row.target == PITH and OTHER in beside:
        other = beside[OTHER]
        shown["times_per_second"] = _times(row.per_second, other.per_second)
        shown["times_events"] = _times(row.events_per_second, other.events_per_second)
        shown["times_less_added"] = _times(_less(other.p50_ms, direct.p50_ms), added)
    return shown


def _an_event(row: Row) -> float | None:
    """Processor time of the gateway for each event of a stream, all of the request included."""
    if row.cpu_us is None or not row.n_events or not row.per_second:
        return None
    return row.cpu_us * row.per_second / row.events_per_second


def _less(value: float | None, direct: float | None) -> float | None:
    return value - direct if value is not None and direct is not None else None


def _times(one: float | None, other: float | None) -> float | None:
    """How many times the other; None where there is nothing to compare with."""
    return one / other if one is not None and other is not None and other > 0 else None


def _place(row: Row) -> tuple[str, int]:
    return row.case, row.connections


Columns = tuple[tuple[str, str, str], ...]

_PLAIN: Columns = (
    ("req/s", "per_second", ",.0f"),
    ("+p50 ms", "added_p50_ms", ".3f"),
    ("+p99 ms", "added_p99_ms", ".3f"),
    ("CPU µs", "cpu_us", ",.0f"),
    ("MiB", "resident_mib", ".0f"),
    ("× other", "times_per_second", ".1f"),
)
_STREAMED: Columns = (
    ("events/s", "events_per_second", ",.0f"),
    ("first byte", "first_byte_p50_ms", ".2f"),
    ("+ms", "added_first_byte_ms", ".2f"),
    ("CPU µs", "cpu_us", ",.0f"),
    ("an event", "cpu_event_us", ".1f"),
    ("MiB", "resident_mib", ".0f"),
    ("× other", "times_per_second", ".1f"),
)
"""Heading, figure, form. `+` is what is added to the direct request; the first byte is the middle one's."""


def _show(found: dict[str, Any]) -> None:
    console = Console()
    for case in dict.fromkeys(row["case"] for row in found["rows"]):
        console.print(_table(case, [row for row in found["rows"] if row["case"] == case]))
    before, after = found["load"]
    place = "a core for the gateway" if found["pinned"] else "not pinned"
    console.print(
        f"{found['seconds']:g} s each, {place}; load average before and after: {before:.2f}, {after:.2f}"
    )


def _table(case: str, rows: Sequence[dict[str, Any]]) -> Table:
    known = _STREAMED if any(row.get("events_per_second") for row in rows) else _PLAIN
    columns = [column for column in known if any(row.get(column[1]) for row in rows)]
    table = Table(title=case, title_justify="left")
    table.add_column("at once", justify="right")
    table.add_column("to")
    for name, _, _ in columns:
        table.add_column(name, justify="right")
    for row in rows:
        figures = [f"{row[key]:{form}}" if row.get(key) else "" for _, key, form in columns]
        table.add_row(str(row["connections"]), row["target"], *figures)
    return table
