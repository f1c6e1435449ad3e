"""`pith train distill`: has a teacher compress chunks of documents, at two strengths."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from compressor.tokens import counter, encoding_for
from compressor.train.chunking import size_of
from compressor.train.distill import TOO_SHORT, Chunk, chunks, instruction
from compressor.train.records import read
from gateway.accounting import Price
from gateway.cli.parameters import Fields, PriceType, address
from gateway.distill.budget import Budget, usd
from gateway.distill.journal import Journal
from gateway.distill.run import Cost, Pace, Run, Tally
from gateway.distill.teacher import Endpoint, Teacher
from gateway.prices import PriceBook

_FILE = click.Path(dir_okay=False, path_type=Path)
_EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)


@dataclass(frozen=True, slots=True)
class Asked:
    """The command's arguments and options, by their names."""

    file: str
    out: Path
    rejects: Path | None
    url: str
    model: str
    key_env: str | None
    instruction: Path | None
    body: dict[str, Any]
    price: Price | None
    max_usd: float
    max_chunks: int | None
    concurrency: int
    attempts: int
    again: bool
    dry_run: bool


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--out", type=_FILE, required=True, help="Grows from run to run.")
@click.option("--rejects", type=_FILE, help="Grows too: what was refused or answered badly.  [OUT.rejects]")
@click.option("--url", callback=address, default="https://api.openai.com/v1", show_default=True)
@click.option("--model", required=True, help="The teacher.")
@click.option("--key-env", metavar="NAME", help="Environment variable that holds the key.  [no key is sent]")
@click.option("--instruction", type=_EXISTING, help="File with what the teacher is told.  [ours]")
@click.option("--body", type=Fields(), default="{}", help="Fields for each request; null takes one away.")
@click.option("--price", type=PriceType(), help="USD a million tokens, where the price map lacks the model.")
@click.option(
    "--max-usd", type=click.FloatRange(0), default=5.0, show_default=True, help="Spent by this run."
)
@click.option("--max-chunks", type=click.IntRange(1), help="Asked by this run.")
@click.option("--concurrency", type=click.IntRange(1, 256), default=8, show_default=True, help="At once.")
@click.option("--attempts", type=click.IntRange(1), default=6, show_default=True, help="For each chunk.")
@click.option("--again", is_flag=True, help="Ask what is among the rejects again.")
@click.option("--dry-run", is_flag=True, help="Say what it would cost, and stop.")
@click.pass_context
def distill(ctx: click.Context, /, **given: Any) -> None:
    """Have a teacher compress the documents of FILE (- reads standard input) by deletion, at two strengths.

    Run it again to go on: what is in OUT is not asked again. Ctrl-C waits for what is under way; twice, it
    does not. Exit code 1 when something that was to be asked is missing.
    """
    asked = Asked(**given)
    told = instruction() if asked.instruction is None else asked.instruction.read_text("utf-8")
    endpoint = Endpoint(asked.url, asked.model, _key(asked.key_env), asked.body)
    cost = _cost(asked, told)
    console = Console(stderr=True)
    with ExitStack() as stack:
        done = stack.enter_context(Journal(asked.out))
        left = stack.enter_context(Journal(asked.rejects or asked.out.with_name(f"{asked.out.name}.rejects")))
        every = list(chunks(read(asked.file)))
        if not every:
            least = size_of("en").least // TOO_SHORT
            raise click.ClickException(
                f"{asked.file} has no text that is long enough: {least} words at least"
            )
        missing = [chunk for chunk in every if not _is_done(chunk, done, left, asked.again)]
        chosen = missing[: asked.max_chunks]
        _announce(console, done, len(missing), chosen, cost, asked.max_usd)
        if asked.dry_run or not chosen:
            return
        run = Run(
            asked.model, cost, Budget(asked.max_usd), done, left, Pace(asked.concurrency, asked.attempts)
        )
        try:
            asyncio.run(_with_progress(run, chosen, endpoint, told, console))
        except asyncio.CancelledError:
            run.tally.ended = "stopped twice: what was under way is lost"
        finally:
            _report(console, run.tally)
    if run.tally.n_done < len(chosen) or run.tally.n_unanswered:
        ctx.exit(1)


def _is_done(chunk: Chunk, done: Journal, left: Journal, again: bool) -> bool:
    return done.has(chunk.id, chunk.text) or (not again and left.has(chunk.id, chunk.text))


def _key(variable: str | None) -> str | None:
    if variable is None:
        return None
    key = os.environ.get(variable, "").strip()
    if not key:
        raise click.UsageError(f"environment variable {variable} is not set: put the key there")
    if not (key.isascii() and key.isprintable()):
        raise click.UsageError(f"environment variable {variable} holds what is no key: copy it anew")
    return key


def _cost(asked: Asked, told: str) -> Cost:
    """Refuses a model whose price nobody knows."""
    price = asked.price or PriceBook().price(asked.model)
    if price is None or price.input is None or price.output is None:
        raise click.UsageError(
            f"no price is known for {asked.model!r}: give it as --price IN,OUT in USD a million tokens "
            "(0,0 for a model of your own)"
        )
    tokens = counter(encoding_for(asked.model)[0])
    limits = (asked.body.get(name) for name in ("max_completion_tokens", "max_tokens"))
    most = next((limit for limit in limits if isinstance(limit, int)), None)
    return Cost(price, tokens, tokens.count(told), most)


def _announce(
    console: Console, done: Journal, n_missing: int, chosen: Sequence[Chunk], cost: Cost, max_usd: float
) -> None:
    if done.was_torn:
        console.print(f"{done.path}: its last line was torn, and is mended", soft_wrap=True)
    usages = [cost.usage(chunk) for chunk in chosen]
    given, said = (sum(n) for n in ([u.prompt_tokens for u in usages], [u.completion_tokens for u in usages]))
    expected = sum(usd(usage, cost.price) for usage in usages)
    console.print(
        f"{len(done):,} chunks are done, {n_missing:,} missing; {len(chosen):,} to ask: about {given:,} "
        f"tokens in and {said:,} out, {expected:.2f} USD; at most {max_usd:.2f} USD",
        soft_wrap=True,
    )


async def _with_progress(
    run: Run, chosen: Sequence[Chunk], endpoint: Endpoint, told: str, console: Console
) -> None:
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("0.00 USD", total=len(chosen))

        def show(tally: Tally) -> None:
            progress.update(task, completed=tally.n_done, description=f"{tally.spent_usd:.2f} USD")

        run.told = show
        _stop_on_signals(run, console)
        async with Teacher(endpoint, told, run.pace.concurrency) as teacher:
            await run.distil(chosen, teacher)


def _stop_on_signals(run: Run, console: Console) -> None:
    """The first lets what is under way finish, the second does not."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None

    def stop() -> None:
        if run.stop.is_set():
            task.cancel()
            return
        console.print("stopping when what is under way is done; once more to leave it")
        run.stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)


def _report(console: Console, tally: Tally) -> None:
    parts = {
        "answered": tally.n_answered,
        "malformed": tally.n_malformed,
        "refused": tally.n_refused,
        "without an answer": tally.n_unanswered,
        "attempts repeated": tally.n_retries,
    }
    console.print(", ".join(f"{n:,} {name}" for name, n in parts.items() if n or name == "answered"))
    tokens = f"{tally.prompt_tokens:,} tokens in, {tally.completion_tokens:,} out"
    guessed = f" ({tally.n_estimated:,} answers without usage: estimated)" if tally.n_estimated else ""
    console.print(f"{tokens}: {tally.spent_usd:.4f} USD{guessed}", soft_wrap=True)
    if tally.ended and tally.n_done < tally.n_chunks:
        console.print(f"ended early: {tally.ended}; run it again to go on", soft_wrap=True)
