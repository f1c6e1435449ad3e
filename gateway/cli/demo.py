"""`pith demo`: the whole thing on this machine, with no key, no network and no configuration."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import httpx
import openai
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from gateway.app import create_app
from gateway.config import load as load_config
from gateway.demo import upstream
from gateway.demo.conversation import text, turns
from gateway.demo.running import running
from gateway.ledger.store import SqlLedger
from gateway.services import load
from gateway.types import ReportRow
from policies.load import default_policies

MODEL = "gpt-4o-mini"
STYLES = {"kept": "", "dropped": "strike dim red", "forced": "bold cyan", "protected": "green"}
SHOWN_CHARACTERS = 1_800


@dataclass(frozen=True, slots=True)
class Turn:
    """What the headers said of one turn."""

    title: str
    origin_tokens: int
    compressed_tokens: int
    skip: str | None


@click.command()
@click.option("--full", is_flag=True, help="Show the whole transcript, not only its beginning.")
def demo(full: bool) -> None:
    """Start Pith with a loopback upstream, hold a long conversation through it, and show what it saved."""
    console = Console()
    with tempfile.TemporaryDirectory(prefix="pith-demo-") as folder:
        ledger = f"sqlite:///{Path(folder) / 'pith.db'}"
        with running(upstream.create_app()) as target:
            config = load_config(None, {}, {"upstreams.openai.url": target, "ledger": ledger})
            with running(create_app(config, load(config))) as pith:
                console.print(f"Pith runs on {pith}, its upstream on {target}; no network is used.\n")
                client = openai.OpenAI(base_url=f"{pith}/v1", api_key="demo")
                rows = [_ask(console, client, messages, title) for title, messages in _grown()]
                explained = httpx.post(f"{pith}/pith/v1/explain", json=_explain_request()).json()["results"][
                    0
                ]
        [total] = asyncio.run(SqlLedger(ledger).report(group_by="model"))
    _show_text(console, explained, full)
    console.print(_table(rows, total))


def _grown() -> Iterator[tuple[str, list[Any]]]:
    """The conversation as a client resends it: everything so far at each turn."""
    messages: list[Any] = []
    for title, added in turns():
        messages += added
        yield title, messages


def _ask(console: Console, client: openai.OpenAI, messages: list[Any], title: str) -> Turn:
    """One turn; every second one is streamed. The answer joins the conversation."""
    console.print(f"[bold]{title}[/bold]")
    is_streamed = len(messages) % 2 == 1
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=messages, stream=is_streamed)
    answer = _read(raw.parse())
    messages.append({"role": "assistant", "content": answer})
    console.print(f"  {answer}{' (streamed)' if is_streamed else ''}\n", highlight=False)
    origin, compressed = (int(raw.headers[f"x-pith-{kind}-tokens"]) for kind in ("origin", "compressed"))
    return Turn(title, origin, compressed, raw.headers.get("x-pith-skip"))


def _read(answer: Any) -> str:
    if isinstance(answer, openai.Stream):
        return "".join(chunk.choices[0].delta.content or "" for chunk in answer)
    content: str = answer.choices[0].message.content
    return content


def _explain_request() -> dict[str, Any]:
    """The transcript under the default policy's parameters."""
    [policy] = default_policies().policies
    params = policy.params.model_dump(by_alias=True, exclude_none=True, exclude={"roles"})
    return {"texts": [text("meeting")], "params": params, "model": MODEL}


def _show_text(console: Console, explained: dict[str, Any], full: bool) -> None:
    original = text("meeting")
    shown = Text()
    at = 0
    for start, end, _, fate in explained["words"]:
        if end > SHOWN_CHARACTERS and not full:
            break
        shown.append(original[at:start])
        shown.append(original[start:end], style=STYLES[fate])
        at = end
    legend = Text.assemble("kept  ", *((f"{fate}  ", style) for fate, style in STYLES.items() if style))
    console.print(Panel(shown, title="meeting transcript", subtitle=legend))


def _table(rows: list[Turn], total: ReportRow) -> Table:
    table = Table(title="What was saved", show_footer=True)
    before, after = (
        sum(getattr(row, name) for row in rows) for name in ("origin_tokens", "compressed_tokens")
    )
    money = f"${total.saved_usd:.6f} of ${total.cost_usd + total.saved_usd:.6f}"
    table.add_column("turn", footer="all, net of the upstream's prompt cache")
    table.add_column("prompt tokens", footer=f"{before:,}", justify="right")
    table.add_column("forwarded", footer=f"{after:,}", justify="right")
    table.add_column("saved", footer=f"{1 - after / before:.0%}, {money}", justify="right")
    for row in rows:
        saved = f"{1 - row.compressed_tokens / row.origin_tokens:.0%}" if row.skip is None else row.skip
        table.add_row(row.title, f"{row.origin_tokens:,}", f"{row.compressed_tokens:,}", saved)
    return table
