"""`pith replay`: what another policy would have saved of the requests that were kept. Nothing is sent."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from compressor.placement import close
from gateway.cli.report import Since
from gateway.config import load as load_config
from gateway.hashing import load_secret
from gateway.kept.files import Unread, paths, read
from gateway.kept.record import Kept
from gateway.kept.replay import Lab, open_lab, replayed
from gateway.kept.settings import kept_folder
from gateway.kept.tally import Sums, Tally, total
from gateway.ledger.database import STORE_ERRORS, sqlite_path
from gateway.ledger.opening import open_database
from gateway.ledger.postgres import is_postgres
from gateway.ledger.usages import Used, used_by
from gateway.services import prepare
from gateway.settings import Config
from policies.load import load_policies
from policies.match import PolicySet
from policies.parse import decode

_BATCH: Final = 100
_FAILED: Final = 400
_WIDEST: Final = 1000
_LEFT_OUT: Final = {
    "failed": "failed, so nothing was billed",
    "unread": "cannot be opened: kept under another PITH_SECRET, or damaged",
    "unparsable": "cannot be parsed by this version",
    "no_row": "have no row in the ledger: in the tokens, not in the money",
}


@dataclass(slots=True)
class Found:
    """What the replay came to."""

    tally: Tally = field(default_factory=Tally)
    left_out: Counter[str] = field(default_factory=Counter)


@click.command()
@click.option(
    "--policy",
    "policy_file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The policy file to try.",
)
@click.option("--config", "path", type=click.Path(path_type=Path), help="The gateway's configuration file.")
@click.option("--since", type=Since(), metavar="7d|2026-11-01", help="Only requests since then (UTC).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def replay(policy_file: Path, path: Path | None, since: float | None, as_json: bool) -> None:
    """Say what the policies in a file would have saved of the requests that were kept (keep_texts)."""
    config = load_config(path, os.environ, {})
    policies = load_policies(decode(policy_file.read_bytes(), str(policy_file)), str(policy_file))
    beside = None if is_postgres(config.ledger) else sqlite_path(config.ledger)
    folder = kept_folder(config.kept_texts, beside)
    if not paths(folder):
        raise click.ClickException(
            f"{folder}: no requests are kept; say keep_texts: true in a policy, and wait for some"
        )
    oldest = max(since or 0.0, time.time() - config.kept_texts.retention_s)
    found = asyncio.run(_replayed(config, policies, folder, beside, oldest))
    rows = found.tally.rows
    if as_json:
        print(json.dumps(_as_json(rows, found.left_out, policies.source, oldest), indent=2))
    else:
        _show(rows, found.left_out)


async def _replayed(
    config: Config, policies: PolicySet, folder: Path, beside: Path | None, since: float
) -> Found:
    secret = load_secret(os.environ, beside, is_shared=config.cache is not None)
    found, unread = Found(), Unread()
    scorer = prepare(config)
    console = Console(stderr=True)
    try:
        async with open_lab(config, secret, policies, scorer) as lab:
            with console.status("replaying") as status:
                for batch in _batches(read(folder, secret, since, unread)):
                    used = _used(config.ledger, [kept.id for kept in batch])
                    for kept in batch:
                        await _count(found, kept, used.get(kept.id), lab)
                    status.update(f"replaying: {total(found.tally.rows).requests:,} requests")
    finally:
        if scorer is not None:
            close(scorer)
    found.left_out["unread"] += unread.n_records
    return found


async def _count(found: Found, kept: Kept, used: Used | None, lab: Lab) -> None:
    if used is not None and used.status >= _FAILED:
        found.left_out["failed"] += 1
        return
    one = await replayed(lab, kept, used)
    if one is None:
        found.left_out["unparsable"] += 1
        return
    found.left_out["no_row"] += used is None
    found.tally.add(one)


def _batches(found: Iterator[Kept]) -> Iterator[list[Kept]]:
    while batch := list(islice(found, _BATCH)):
        yield batch


def _used(url: str, ids: Sequence[str]) -> dict[str, Used]:
    database = open_database(url)
    try:
        with database.open_reader() as connection:
            return used_by(connection, ids)
    except STORE_ERRORS as error:
        raise click.ClickException(database.explain(error)) from error


def _as_json(rows: Sequence[Sums], left_out: Counter[str], source: str, since: float) -> dict[str, object]:
    return {
        "policies": source,
        "since": since,
        "rows": [row.as_json() for row in rows],
        "total": total(rows).as_json(),
        "left_out": {name: left_out[name] for name in _LEFT_OUT},
    }


def _show(rows: Sequence[Sums], left_out: Counter[str]) -> None:
    console = Console()
    if not rows:
        console.print("No requests of that time can be replayed.")
    else:
        table = _table(rows)
        natural = console.measure(table, options=console.options.update(width=_WIDEST)).maximum
        console.width = max(console.width, natural)  # a figure cut short is wrong
        console.print(table)
    for note in _notes(rows, left_out):
        console.print(Text(note))


def _table(rows: Sequence[Sums]) -> Table:
    table = Table(show_footer=len(rows) > 1)
    footer = _cells(total(rows))
    headings = ("requests", "before", "sent", "would send", "uncompressed $", "cost $", "would cost $")
    table.add_column("policy", footer="total", overflow="fold")
    table.add_column("model", overflow="fold")
    for heading, cell in zip((*headings, "saved $", "would save $"), footer, strict=True):
        table.add_column(heading, justify="right", no_wrap=True, footer=cell)
    for row in rows:
        table.add_row(Text(_shown(row.policy)), Text(_shown(row.model)), *_cells(row))
    return table


def _cells(row: Sums) -> list[Text]:
    counts = (row.requests, row.origin_tokens, row.sent_tokens, row.would_tokens)
    saved = (row.uncompressed_usd - row.sent_usd, row.uncompressed_usd - row.would_usd)
    return [
        *(Text(f"{count:,}") for count in counts),
        *(Text(f"{usd:.4f}") for usd in (row.uncompressed_usd, row.sent_usd, row.would_usd)),
        *(Text(f"{usd:.4f}", style="red" if usd < 0 else "green") for usd in saved),
    ]


def _notes(rows: Sequence[Sums], left_out: Counter[str]) -> Iterator[str]:
    everything = total(rows)
    if everything.skips:
        reasons = ", ".join(f"{name} {n:,}" for name, n in everything.skips.most_common())
        yield f"Left as they came by these policies: {reasons}."
    unpriced = everything.requests - everything.priced_requests
    if unpriced:
        yield f"{unpriced:,} not in the money: usage or price is unknown."
    for name, why in _LEFT_OUT.items():
        if left_out[name]:
            yield f"{left_out[name]:,} {why}."
    if rows:
        yield "Answers are taken to be as long as they were; conditions on header fields match nothing."


def _shown(name: str) -> str:
    """A name for the terminal: clients choose model names, and escape codes are no part of one."""
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in name
    )
