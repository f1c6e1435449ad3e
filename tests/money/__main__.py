"""What compressing saves in money, on simulated providers (docs/benchmarks.md):

    python -m tests.money

plays agents, chats and retrieval of 20 to 200 turns through the gateway on loopback, and the same
conversations uncompressed and compressed as others do it. Prints a table in Markdown, or one JSON object.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import click

from gateway.config import load as load_config
from gateway.services import load
from tests.money.play import RUNS, Outcome, play
from tests.money.traces import KINDS, traces

HEAD = (
    "conversations",
    "turns",
    "tokens whole",
    "read: whole",
    "Pith",
    "naive",
    "farthest apart: Pith",
    "naive",
    "saved: Pith",
    "worst",
    "naive",
    "worst",
    "ledger off by",
)


def line(name: str, outcomes: list[Outcome]) -> list[str]:
    """The row of a kind."""
    usd = {run: sum(one.bills[run].usd for one in outcomes) for run in RUNS}
    prompt = {run: sum(one.bills[run].prompt for one in outcomes) for run in RUNS}
    read = {run: sum(one.bills[run].read for one in outcomes) for run in RUNS}
    told = sum(one.told_usd for one in outcomes)
    off = (told - (usd["whole"] - usd["pith"])) / usd["whole"]
    cells = [f"{len(outcomes)} {name}", f"{sum(len(one.trace.turns) for one in outcomes):,}"]
    cells += [f"{prompt['whole']:,}"]
    cells += [f"{read[run] / prompt[run]:.1%}" for run in ("whole", "pith", "naive")]
    cells += [f"{max(one.apart(run) for one in outcomes):.1f}" for run in ("pith", "naive")]
    for run in ("pith", "naive"):
        cells += [f"{1 - usd[run] / usd['whole']:.1%}", f"{min(one.saved(run) for one in outcomes):.1%}"]
    return [*cells, f"{off:+.2%}"]


def table(outcomes: list[Outcome]) -> str:
    """All kinds, and all of them."""
    by_kind = [(kind, [one for one in outcomes if one.trace.kind == kind]) for kind in KINDS]
    lines = [[*HEAD], ["---"] + ["--:"] * (len(HEAD) - 1)]
    lines += [line(kind, some) for kind, some in by_kind if some] + [line("together", outcomes)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def record(one: Outcome) -> dict[str, Any]:
    """One conversation as JSON."""
    return {
        "name": one.trace.name,
        "model": one.world.model,
        "turns": len(one.trace.turns),
        "saved": {run: round(one.saved(run), 5) for run in RUNS},
        "read": {run: round(one.read(run), 5) for run in RUNS},
        "usd": {run: one.bills[run].usd for run in RUNS},
        "told_usd": one.told_usd,
    }


@click.command()
@click.option("--each", type=click.IntRange(1), default=6, show_default=True, help="Conversations a kind.")
@click.option("--turns", type=click.IntRange(1), default=200, show_default=True, help="Most turns of one.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, conversation by conversation.")
def main(each: int, turns: int, as_json: bool) -> None:
    """Play the conversations and print what they came to."""
    scorer = load(load_config(None, {}, {"compressor.scorer": "frequency"}))
    assert scorer is not None
    with tempfile.TemporaryDirectory() as folder:
        found = play(
            traces(each, turns), Path(folder), scorer, lambda name: click.echo(f"… {name}", err=True)
        )
    click.echo(json.dumps([record(one) for one in found]) if as_json else table(found))


if __name__ == "__main__":
    main()
