"""`pith bench compressor`: how fast a token classifier's texts are compressed, and what bounds that."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from compressor.scorers.folder import find_model
from gateway.cli.load import Numbers
from gateway.demo.corpus import PROSE, prose
from gateway.load.machine import load_average
from gateway.throughput.cases import Case, cases
from gateway.throughput.peer import PYTHON, peer

if TYPE_CHECKING:
    from gateway.throughput.bench import Row

Json = dict[str, Any]

SHAPES = ("xlm-roberta-large", "mbert", "default")
QUICK_SIZES, QUICK_AT_ONCE = (200, 1000), (1, 4)
_AGREEMENT_TOKENS = 2000


@click.command()
@click.option("--shape", type=click.Choice(SHAPES), help="A model of this shape with random weights.")
@click.option("--scorer", metavar="FOLDER", help="A model instead: folder or hub name.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@click.option("--precision", default="auto", show_default=True, help="auto, fp32, bf16, fp16 or int8.")
@click.option("--sizes", type=Numbers(), default=(200, 4000, 10_000, 100_000), help="[200,4000,10000,100000]")
@click.option("--concurrency", type=Numbers(), default=(1, 8, 64), help="Calls at once.  [1,8,64]")
@click.option("--messages", type=Numbers(), default=(64,), help="4k tokens as so many texts.  [64]")
@click.option(
    "--repeats", type=click.IntRange(1), default=2, show_default=True, help="Runs; the best counts."
)
@click.option("--limit", type=float, default=60.0, show_default=True, help="Seconds a run may take.")
@click.option("--quick", is_flag=True, help="200 and 1,000 tokens, 1 and 4 at once, one run.")
@click.option("--against", type=click.Choice(["llmlingua"]), help="The package, same texts and weights.")
@click.option(
    "--python", type=click.Path(path_type=Path), default=PYTHON, show_default=True, help="That has it."
)
@click.option("--agreement", is_flag=True, help="Words decided otherwise than in fp32; nothing else.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
def compressor(
    shape: str | None,
    scorer: str | None,
    device: str,
    precision: str,
    sizes: Sequence[int],
    concurrency: Sequence[int],
    messages: Sequence[int],
    repeats: int,
    limit: float,
    quick: bool,
    against: str | None,
    python: Path,
    agreement: bool,
    as_json: bool,
) -> None:
    """Throughput and latency of a token classifier, text in to text out, beside its bare forward pass."""
    if shape and scorer:
        raise click.UsageError("--shape and --scorer name two models: give one")
    if quick:
        sizes, concurrency, messages, repeats = QUICK_SIZES, QUICK_AT_ONCE, (), 1
    planned = list(cases(sizes, concurrency, messages))
    before = load_average()
    with _folder(shape or "default", scorer) as folder:
        if agreement:
            found = _agreement(folder, device, precision)
        else:
            plan = Plan(planned, repeats, limit, python if against else None)
            found = _measured(folder, device, precision, plan)
    found = {"bench": "compressor", "model": scorer or shape or "default", **found}
    found["load"] = [before, load_average()]
    if as_json:
        click.echo(json.dumps(found))
    elif agreement:
        _show_agreement(found)
    else:
        show(found)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure, how often, how long it may take, and the peer's interpreter."""

    cases: Sequence[Case]
    repeats: int
    limit_s: float
    python: Path | None


@contextmanager
def _folder(shape: str, scorer: str | None) -> Iterator[Path]:
    """The model's folder; one of random weights is gone afterwards."""
    if scorer is not None:
        yield find_model(scorer).path
        return
    from compressor.scorers.shapes import SHAPES as known
    from compressor.scorers.shapes import build

    texts = [prose(name, 8000, Random(name)) for name in PROSE]  # noqa: S311  # the same everywhere
    with tempfile.TemporaryDirectory() as where:
        yield build(known[shape], Path(where), texts)


def _measured(folder: Path, device: str, precision: str, plan: Plan) -> Json:
    from compressor.scorers.classifier import ClassifierScorer
    from gateway.throughput.bench import bounds, rows

    with ExitStack() as stack:
        progress = stack.enter_context(Progress(console=Console(stderr=True), transient=True))
        task = progress.add_task("loading the model", total=len(plan.cases) + 1)
        scorer = ClassifierScorer.load(str(folder), device, precision)
        progress.update(task, description="its bounds")
        bound = bounds(scorer, plan.repeats)
        beside = stack.enter_context(peer(plan.python, folder, scorer.device)) if plan.python else None
        measured = []
        for case, row in zip(
            plan.cases, rows(scorer, plan.cases, beside, plan.repeats, plan.limit_s), strict=True
        ):
            progress.update(task, advance=1, description=case.name)
            measured.append(_row(row))
    return {
        "chosen": scorer.summary,
        "precision": scorer.precision,
        "bare": {
            "tokens_per_second": bound.bare.per_second,
            "cpu_us_per_token": bound.bare.cpu_us,
            "row_tokens": bound.bare.row_tokens,
            "gflops": bound.flops / 1e9,
            "peak_gflops": bound.peak_flops / 1e9,
            "peak_share": bound.peak_share,
        },
        "besides_model_us_per_token": bound.besides_model_us,
        "rows": measured,
    }


def _row(row: Row) -> Json:
    """What the table and the JSON say of a case."""
    found: Json = {"tokens": row.case.tokens, "texts": row.case.n_texts, "at_once": row.case.at_once}
    if row.ours is None:
        return {**found, "left_out_s": row.left_out_s}
    ours = row.ours
    found |= {
        "model_tokens": ours.tokens,
        "tokens_per_second": ours.per_second,
        "cpu_us_per_token": ours.cpu_us,
        "p50_ms": ours.p50_ms,
        "p99_ms": ours.p99_ms,
        "given_share": ours.given_tokens / ours.tokens,
        "in_model_share": ours.forward_seconds / ours.seconds,
    }
    if row.bare_cpu_us is not None:
        found["bare_share"] = row.bare_cpu_us / ours.cpu_us
    if row.theirs is not None:
        found["other_tokens_per_second"] = ours.tokens / row.theirs.seconds
        found["other_cpu_us_per_token"] = row.theirs.cpu_seconds / ours.tokens * 1e6
        found["times"] = row.theirs.seconds / ours.seconds
        found["times_less_cpu"] = row.theirs.cpu_seconds / ours.cpu_seconds
    return found


def _agreement(folder: Path, device: str, precision: str) -> Json:
    from compressor.scorers.classifier import ClassifierScorer
    from gateway.throughput.agreement import flips

    texts = [prose(name, _AGREEMENT_TOKENS, Random(name)) for name in PROSE]  # noqa: S311  # the same everywhere
    exact = ClassifierScorer.load(str(folder), device, "fp32")
    rounded = ClassifierScorer.load(str(folder), device, precision)
    shares = flips(exact, rounded, texts)
    return {
        "chosen": rounded.summary,
        "precision": rounded.precision,
        "turned": {str(rate): share for rate, share in shares.items()},
    }


Columns = tuple[tuple[str, str, str], ...]

_SPEED: Columns = (
    ("tokens/s", "tokens_per_second", ",.0f"),
    ("CPU µs/token", "cpu_us_per_token", ",.1f"),
    ("p50 ms", "p50_ms", ",.0f"),
    ("p99 ms", "p99_ms", ",.0f"),
    ("of bare", "bare_share", ".0%"),
    ("given", "given_share", ".2f"),
)
"""Heading, figure, form. `given`: tokens that went to the model for one of the text."""
_BESIDE: Columns = (
    ("tokens/s", "tokens_per_second", ",.0f"),
    ("llmlingua", "other_tokens_per_second", ",.0f"),
    ("× faster", "times", ".1f"),
    ("× less CPU", "times_less_cpu", ".1f"),
)


def show(found: Json) -> None:
    """As tables, for a terminal of 80 columns."""
    console = Console()
    console.print(f"{found['model']} on {found['chosen']}", highlight=False)
    bare = found["bare"]
    console.print(
        f"bare forward pass: {bare['tokens_per_second']:,.0f} tokens/s, {bare['gflops']:,.0f} GFLOP/s, "
        f"{bare['peak_share']:.0%} of what products reach here ({bare['peak_gflops']:,.0f}); "
        f"besides the model {found['besides_model_us_per_token']:.2f} µs a token",
        highlight=False,
    )
    measured = [row for row in found["rows"] if "left_out_s" not in row]
    console.print(_table(measured, _SPEED))
    if any("times" in row for row in measured):
        console.print(_table(measured, _BESIDE))
    for row in found["rows"]:
        if "left_out_s" in row:
            what = f"{_size(row)} tokens, {row['at_once']} at once"
            console.print(f"left out: {what}, would take {row['left_out_s']:,.0f} s", highlight=False)
    before, after = found["load"]
    console.print(f"load average before and after: {before:.2f}, {after:.2f}", highlight=False)


def _table(rows: Sequence[Json], columns: Columns) -> Table:
    """Two of them, since one with every column does not fit a terminal of 80."""
    table = Table()
    for name in ("target tokens", "at once", *(name for name, _, _ in columns)):
        table.add_column(name, justify="right")
    for row in rows:
        figures = [f"{row[key]:{form}}" if key in row else "" for _, key, form in columns]
        table.add_row(_size(row), str(row["at_once"]), *figures)
    return table


def _size(row: Json) -> str:
    return f"{row['tokens']:,}" + (f" as {row['texts']}" if row["texts"] > 1 else "")


def _show_agreement(found: Json) -> None:
    console = Console()
    console.print(f"{found['model']} on {found['chosen']}", highlight=False)
    table = Table(title="words decided otherwise than in fp32")
    for rate in found["turned"]:
        table.add_column(f"rate {rate}", justify="right")
    table.add_row(*(f"{share:.2%}" for share in found["turned"].values()))
    console.print(table)
