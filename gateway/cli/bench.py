"""`pith bench`: what Pith costs, in microseconds a token and in milliseconds a request, on this machine."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any, TypeAlias

import click
from rich.console import Console
from rich.table import Table

from gateway.bench import (
    PARAMS,
    Samples,
    besides_model,
    gateway_bench,
    text_stages,
)
from gateway.cli.bench_ledger import ledger
from gateway.cli.load import gateway
from gateway.cli.throughput import compressor
from gateway.config import load as load_config
from gateway.interpreter import settle
from gateway.load.machine import confined, cores, load_average
from gateway.services import load

Json = dict[str, Any]

_SCORER = click.option(
    "--scorer",
    default="frequency",
    show_default=True,
    help="default, embedded, frequency, or a model folder or hub name.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")


Option: TypeAlias = Callable[[Callable[..., None]], Callable[..., None]]


def _repeats(default: int) -> Option:
    return click.option(
        "--repeats", type=click.IntRange(1), default=default, show_default=True, help="Measured runs."
    )


@click.group()
def bench() -> None:
    """Measure what Pith costs on this machine. No network, no key; texts are made from the demo's."""


bench.add_command(gateway)
bench.add_command(compressor)
bench.add_command(ledger)


@bench.command()
@click.option("--tokens", type=click.IntRange(1), default=100_000, show_default=True, help="Tokens in a run.")
@click.option(
    "--text-tokens", type=click.IntRange(1), default=1_000, show_default=True, help="Tokens in a text."
)
@_SCORER
@_repeats(9)
@_JSON
def text(tokens: int, text_tokens: int, scorer: str, repeats: int, as_json: bool) -> None:
    """CPU time of a new text, in microseconds a token, by stage."""
    before = load_average()
    core, _ = cores()
    with confined(core):  # libraries that are loaded meanwhile start no threads
        loaded = load(load_config(None, {}, {"compressor.scorer": scorer}))
        settle()  # as `pith serve` does
        n_tokens, runs = text_stages(loaded, tokens, text_tokens, repeats)
    sums = [besides_model({stage: seconds[run] for stage, seconds in runs.items()}) for run in range(repeats)]
    found: Json = {
        "bench": "text",
        "scorer": loaded.fingerprint,
        "rate": PARAMS.rate,
        "tokens": n_tokens,
        "text_tokens": text_tokens,
        "repeats": repeats,
        "load": [before, load_average()],
        "us_per_token": {stage: _spread(seconds, 1e6) for stage, seconds in runs.items()},
        "us_per_token_besides_model": _spread(sums, 1e6),
    }
    if as_json:
        click.echo(json.dumps(found))
        return
    rows = {**found["us_per_token"], "all but model": found["us_per_token_besides_model"]}
    _show(f"CPU µs a token; {n_tokens} tokens in texts of {text_tokens}, {repeats} runs", rows, found["load"])


@bench.command()
@click.option(
    "--tokens", type=click.IntRange(1), default=100_000, show_default=True, help="Tokens in a conversation."
)
@click.option("--messages", type=click.IntRange(1), default=100, show_default=True, help="Messages in it.")
@click.option(
    "--cache", metavar="URL", help="A cache for both Piths, e.g. redis://127.0.0.1; else in process."
)
@_SCORER
@_repeats(20)
@_JSON
def conversation(
    tokens: int, messages: int, cache: str | None, scorer: str, repeats: int, as_json: bool
) -> None:
    """What is added to a request: new, from recorded scores, already seen; and to one passed on unread."""
    loaded = load(load_config(None, {}, {"compressor.scorer": scorer}))
    before = load_average()
    with gateway_bench(loaded, cache) as running:
        n_bytes, conversations = running.conversations(tokens, messages, repeats)
        small = running.small(1024, repeats * 10)
    found: Json = {
        "bench": "conversation",
        "scorer": loaded.fingerprint,
        "tokens": tokens,
        "messages": messages,
        "bytes": n_bytes,
        "repeats": repeats,
        "load": [before, load_average()],
        "added_ms": {name: _spread(sample.added, 1e3) for name, sample in conversations.items()},
        "loop_late_ms": {name: _spread(sample.late, 1e3) for name, sample in conversations.items()},
        "loop_blocked_ms": {name: _spread(sample.blocked, 1e3) for name, sample in conversations.items()},
        "cpu_ms": {name: _spread(sample.cpu, 1e3) for name, sample in conversations.items()},
        "small_added_ms": _spread(small.added, 1e3),
    }
    if as_json:
        click.echo(json.dumps(found))
        return
    _show(
        f"ms added; {tokens} tokens in {messages} messages, {repeats} runs",
        _rows(conversations, small),
        found["load"],
    )


def _rows(conversations: Mapping[str, Samples], small: Samples) -> dict[str, dict[str, float]]:
    rows = {f"{name}": _spread(sample.added, 1e3) for name, sample in conversations.items()}
    rows |= {f"{name}: loop late": _spread(sample.late, 1e3) for name, sample in conversations.items()}
    rows |= {f"{name}: loop blocked": _spread(sample.blocked, 1e3) for name, sample in conversations.items()}
    rows |= {f"{name}: CPU": _spread(sample.cpu, 1e3) for name, sample in conversations.items()}
    return {**rows, "1 KB passed on": _spread(small.added, 1e3)}


def _spread(seconds: Sequence[float], scale: float) -> dict[str, float]:
    """Least, middle, 95th percentile and most."""
    ordered = sorted(seconds)
    at_95 = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    named = {"min": ordered[0], "p50": median(ordered), "p95": at_95, "max": ordered[-1]}
    return {name: round(value * scale, 3) for name, value in named.items()}


def _show(title: str, rows: Mapping[str, Mapping[str, float]], load: Sequence[float]) -> None:
    table = Table(title=title, caption=f"load average before and after: {load[0]:.2f}, {load[1]:.2f}")
    table.add_column("")
    for name in ("min", "p50", "p95", "max"):
        table.add_column(name, justify="right")
    for name, row in rows.items():
        table.add_row(name, *(f"{value:.3f}" for value in row.values()))
    Console().print(table)
