"""`pith demo`: the whole thing on this machine, with no key, no network and no configuration."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import click
import httpx
import openai
from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from gateway.app import create_app
from gateway.cli import demo_experiment
from gateway.config import load as load_config
from gateway.demo import upstream
from gateway.demo.conversation import text, turns
from gateway.demo.running import running
from gateway.ledger.store import SqlLedger
from gateway.services import load
from policies.load import default_policies
from policies.schema import Policy

MODEL = "gpt-4o-mini"
STYLES = {"kept": "", "dropped": "strike dim red", "forced": "bold cyan", "protected": "green"}
LEGEND = {
    "kept": "by its score",
    "dropped": "by its score",
    "forced": "kept whatever its score: numbers, negations",
    "protected": "byte for byte: code, URLs, both ends",
}
SHOWN_CHARACTERS = 1_800
NEXT = """\
[bold]Next[/bold]
  pith serve     start Pith on port 8080, before https://api.openai.com
  pith report    what its ledger counted: pith.db, where Pith was started
  pith --help    the other commands

Point a client at it, with your own key:
  OpenAI(base_url="http://localhost:8080/v1")"""


@dataclass(frozen=True, slots=True)
class Turn:
    """What the headers said of one turn, and what the upstream answered."""

    title: str
    origin_tokens: int
    compressed_tokens: int
    answer: str
    is_streamed: bool

    @property
    def saved(self) -> str:
        return f"{1 - self.compressed_tokens / self.origin_tokens:.0%}"


@dataclass(frozen=True, slots=True)
class Money:
    """What the ledger's prices make of the whole conversation."""

    before_usd: float
    after_usd: float

    def __str__(self) -> str:
        saved = 1 - self.after_usd / self.before_usd
        return (
            f"At {MODEL}'s list prices, net of the upstream's prompt cache: "
            f"${self.after_usd:.6f} instead of ${self.before_usd:.6f}, {saved:.0%} less."
        )


@click.command()
@click.option("--full", is_flag=True, help="Show the whole transcript, not only its beginning.")
@click.option("--markdown", is_flag=True, help="Print the table alone, as README.md has it.")
@click.option(
    "--experiment", is_flag=True, help="Instead: an experiment with simulated users, to a decision."
)
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="With --experiment: keep its ledger and its policy file there.",
)
def demo(full: bool, markdown: bool, experiment: bool, into: Path | None) -> None:
    """Start Pith with a loopback upstream, hold a long conversation through it, and show what it saved."""
    if experiment:
        demo_experiment.run(into, is_markdown=markdown)
        return
    if into is not None:
        raise click.UsageError("--into keeps what --experiment leaves: add that")
    console = Console(quiet=markdown)
    with tempfile.TemporaryDirectory(prefix="pith-demo-") as folder:
        ledger = f"sqlite:///{Path(folder) / 'pith.db'}"
        with running(upstream.create_app()) as target:
            config = load_config(None, {}, {"upstreams.openai.url": target, "ledger": ledger})
            config = config.model_copy(update={"policies": _policies()})
            with running(create_app(config, load(config))) as pith:
                console.print(f"Pith runs on {pith}, its upstream on {target}.")
                console.print("No network and no key are used.\n")
                rows = list(_converse(console, pith))
                explained = httpx.post(f"{pith}/pith/v1/explain", json=_explain_request()).json()["results"]
        [total] = asyncio.run(SqlLedger(ledger).report(group_by="model"))
    money = Money(total.cost_usd + total.saved_usd, total.cost_usd)
    if markdown:
        click.echo(_markdown(rows, money))
        return
    _show_text(console, explained[0], full)
    console.print(_table(rows))
    console.print(f"{money}\n", highlight=False)
    console.print(NEXT, highlight=False)


def _converse(console: Console, pith: str) -> Iterator[Turn]:
    """The conversation as a client resends it: everything so far at each turn."""
    messages: list[Any] = []
    with openai.OpenAI(base_url=f"{pith}/v1", api_key="demo") as client:
        for title, added in turns():
            messages += added
            turn = _ask(client, messages, title)
            messages.append({"role": "assistant", "content": turn.answer})
            console.print(f"[bold]{title}[/bold]{' (answer streamed)' if turn.is_streamed else ''}")
            console.print(Padding(turn.answer, (0, 0, 1, 2)), highlight=False)
            yield turn


def _ask(client: openai.OpenAI, messages: list[Any], title: str) -> Turn:
    """One turn; every second one is streamed."""
    is_streamed = len(messages) % 2 == 1
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=messages, stream=is_streamed)
    answer = _read(raw.parse())
    counts = [raw.headers.get(f"x-pith-{kind}-tokens") for kind in ("origin", "compressed")]
    if None in counts:
        why = raw.headers.get("x-pith-skip")
        raise click.ClickException(f"{title} went on as it came ({why}); the lines above say what went wrong")
    origin, compressed = map(int, counts)
    return Turn(title, origin, compressed, answer, is_streamed)


def _read(answer: Any) -> str:
    if isinstance(answer, openai.Stream):
        return "".join(chunk.choices[0].delta.content or "" for chunk in answer)
    content: str = answer.choices[0].message.content
    return content


def _policies() -> tuple[Policy, ...]:
    """The default one. Of the demo's upstream it is known what it caches, which a gateway would find out."""
    return tuple(policy.model_copy(update={"benefit": "off"}) for policy in default_policies().policies)


def _explain_request() -> dict[str, Any]:
    """The transcript under the default policy's parameters."""
    [policy] = default_policies().policies
    params = policy.params.model_dump(by_alias=True, exclude_none=True, exclude={"roles"})
    return {"texts": [text("meeting")], "params": params, "model": MODEL}


def _show_text(console: Console, explained: dict[str, Any], full: bool) -> None:
    original = text("meeting")
    shown = Text()
    at = 0
    for fate, run in groupby(explained["words"], key=lambda word: word[3]):
        words = list(run)
        start, end = words[0][0], words[-1][1]
        if end > SHOWN_CHARACTERS and not full:
            break
        shown.append(original[at:start])
        shown.append(_struck(console, original[start:end], fate), style=STYLES[fate])
        at = end
    console.print(Panel(shown, title="the meeting transcript"))
    for fate, meaning in LEGEND.items():
        sample = _struck(console, fate, fate)
        console.print(Text.assemble("  ", (sample, STYLES[fate]), " " * (13 - len(sample)), meaning))
    console.print()


def _struck(console: Console, words: str, fate: str) -> str:
    """Dropped words in brackets where there is no colour to strike them with."""
    is_plain = console.color_system is None or console.no_color
    return f"[-{words}-]" if fate == "dropped" and is_plain else words


def _together(rows: list[Turn]) -> Turn:
    return Turn(
        "together",
        sum(row.origin_tokens for row in rows),
        sum(row.compressed_tokens for row in rows),
        answer="",
        is_streamed=False,
    )


def _cells(row: Turn) -> tuple[str, ...]:
    return row.title, f"{row.origin_tokens:,}", f"{row.compressed_tokens:,}", row.saved


HEADINGS = ("request with", "prompt tokens", "forwarded", "saved")


def _table(rows: list[Turn]) -> Table:
    [policy] = default_policies().policies
    note = f"A request repeats all before it. Texts under {policy.params.min_tokens} tokens stay whole."
    table = Table(title="What was saved", caption=note, show_footer=True)
    for heading, footer in zip(HEADINGS, _cells(_together(rows)), strict=True):
        is_first = heading == HEADINGS[0]
        table.add_column(heading, footer=footer, justify="left" if is_first else "right")
    for row in rows:
        table.add_row(*_cells(row))
    return table


def _markdown(rows: list[Turn], money: Money) -> str:
    lines = [HEADINGS, ("---", "---:", "---:", "---:"), *map(_cells, [*rows, _together(rows)])]
    return "\n".join(["| " + " | ".join(cells) + " |" for cells in lines] + ["", str(money)])
