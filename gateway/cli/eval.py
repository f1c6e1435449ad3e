"""`pith eval`: what survives compression, without a hosted model, against controls at equal tokens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from compressor.errors import EvalError
from compressor.eval import documents, public
from compressor.eval.curves import svg
from compressor.eval.methods import RATES
from compressor.eval.page import RATES as SHOWN_RATES
from compressor.eval.page import picture_of, refreshed
from compressor.eval.report import Part, Report, report, shown
from compressor.eval.tables import Table as Figures
from compressor.scorers import load
from compressor.types import Scorer
from gateway.cli.eval_ask import Asked, ask
from gateway.cli.narrow import parts

SHIPPED = Part("Texts written for Pith", "", ())
MOST_QUESTIONS = 20
"""Asked of one text of public data: no text outweighs a cell."""
FALLBACK = "frequency"


class Rates(click.ParamType[tuple[float, ...]]):
    """Rates with commas between."""

    name = "rates"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        if isinstance(value, tuple):
            return value
        try:
            rates = tuple(float(part) for part in str(value).split(","))
        except ValueError:
            rates = ()
        if not rates or not all(0 < rate < 1 for rate in rates):
            self.fail(f"{value!r} is no list of rates between 0 and 1, such as 0.5,0.33", param, ctx)
        return rates


_FILE = click.Path(path_type=Path)


@click.command()
@click.option(
    "--scorer",
    "scorers",
    multiple=True,
    default=("default",),
    help="default, frequency, or a model folder or hub name; the first is under test.  [default]",
)
@click.option(
    "--against", multiple=True, metavar="PATH", help="A scorer to compare with, as an LLMLingua-2 folder."
)
@click.option("--rates", type=Rates(), default=RATES, help="Rates to compress at.  [0.8,0.66,0.5,0.33,0.2]")
@click.option("--domains", default="", help="Only these, with commas between.")
@click.option("--languages", default="", help="Only these, as en,ko.")
@click.option("--limit", type=click.IntRange(1), help="Most texts of each domain and language.")
@click.option("--data", type=_FILE, help="Folder of public data to measure on, beside the shipped texts.")
@click.option(
    "--documents", "own", type=_FILE, help="Your documents and questions, JSON lines, instead of the shipped."
)
@click.option("--json", "json_file", type=_FILE, help="Write all figures there.")
@click.option("--plot", type=_FILE, help="Folder for curves of quality against tokens, SVG.")
@click.option(
    "--page", type=_FILE, help="Write the figures into this page, its JSON and its curves beside it."
)
@click.option(
    "--ask", "endpoint", metavar="URL", help="Let a model behind this OpenAI-compatible URL answer."
)
@click.option("--model", help="Which one, with --ask.")
@click.option("--key-env", default="OPENAI_API_KEY", show_default=True, help="Variable that holds its key.")
@click.option("--yes", is_flag=True, help="Do not ask before spending on --ask.")
def eval(
    scorers: Sequence[str],
    against: Sequence[str],
    rates: tuple[float, ...],
    domains: str,
    languages: str,
    limit: int | None,
    data: Path | None,
    own: Path | None,
    json_file: Path | None,
    plot: Path | None,
    page: Path | None,
    endpoint: str | None,
    model: str | None,
    key_env: str,
    yes: bool,
) -> None:
    """What survives compression: answers, numbers, names, negations; no hosted model, equal tokens."""
    there_are = _parts(own, data)
    parts = [_chosen(part, domains, languages, limit) for part in there_are]
    if not any(part.documents for part in parts):
        cells = sorted({" ".join(document.cell) for part in there_are for document in part.documents})
        wanted = f"domains {domains or 'any'} and languages {languages or 'any'}"
        raise EvalError(f"no text has {wanted}; there are {', '.join(cells) or 'none'}")
    loaded = load_all([*scorers, *against])
    if endpoint is not None:
        if not model:
            raise click.UsageError("--ask needs --model: which model shall answer")
        asked = Asked(endpoint, model, key_env, next(iter(rates)))
        ask(parts[0].documents, next(iter(loaded.values())), asked, is_agreed=yes)
        return
    n = sum(len(part.documents) for part in parts)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("measuring", total=n)
        found = report(parts, loaded, rates, data, lambda: bar.advance(task))
    if json_file:
        _write(json_file, dumped(found))
    if plot:
        _curves(found, plot)
    if page:
        write_page(page, found)
    show(found)


def load_all(names: Sequence[str]) -> dict[str, Scorer]:
    """The scorers by the names tables use; the model-free one joins them where it is not among them."""
    loaded: dict[str, Scorer] = {}
    for name in dict.fromkeys([*names, FALLBACK]):
        scorer = load(name, "auto", "auto")
        if name == FALLBACK and any(scorer.fingerprint == one.fingerprint for one in loaded.values()):
            continue
        loaded[Path(name).name] = scorer
    return loaded


def _parts(own: Path | None, data: Path | None) -> list[Part]:
    if own is not None:
        return [Part(own.name, "", documents.read(own))]
    parts = [replace(SHIPPED, documents=documents.shipped())]
    if data is not None:
        asked, kept = public.read(data)
        parts.append(Part("Public questions", "", public.capped(asked, MOST_QUESTIONS)))
        parts.append(Part("Public facts that must stay", "", kept))
    return [part for part in parts if part.documents]


def _chosen(part: Part, domains: str, languages: str, limit: int | None) -> Part:
    wanted = {name for name in domains.split(",") if name}, {name for name in languages.split(",") if name}
    some = [
        document
        for document in part.documents
        if all(not names or value in names for names, value in zip(wanted, document.cell, strict=True))
    ]
    sampled = public.sample(some, limit)
    n_questions = sum(len(document.questions) for document in sampled)
    note = f"{len(sampled):,} texts, {n_questions:,} questions"
    if limit is not None and len(sampled) < len(some):
        note += (
            f"; of {len(some):,} texts at most {limit} of each domain and language, by the hash of the text"
        )
    return Part(part.name, f"{note}.", sampled)


def dumped(found: Report) -> str:
    """A line a cell: figures that change are seen in a diff."""
    return (
        json.dumps(found, ensure_ascii=False, separators=(",", ":")).replace('{"domain"', '\n{"domain"')
        + "\n"
    )


def write_page(page: Path, found: Report) -> None:
    """The page's figures, its JSON file and its pictures, all named after the page."""
    pictures = [path.name for path in _curves(found, page.parent, f"{page.stem}-")]
    try:
        _write(page, refreshed(page.read_text("utf-8"), found, pictures))
    except OSError as error:
        raise EvalError(f"cannot read {page}: {error.strerror}") from error
    _write(page.with_suffix(".json"), dumped(found))


def _curves(found: Report, folder: Path, prefix: str = "") -> list[Path]:
    paths = [folder / f"{prefix}{picture_of(part)}" for part in found["parts"]]
    for path, part in zip(paths, found["parts"], strict=True):
        _write(path, svg(part["cells"], found["methods"], found["rates"]))
    return paths


def _write(path: Path, content: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    except OSError as error:
        raise EvalError(f"cannot write {path}: {error.strerror}") from error


def show(found: Report) -> None:
    """Tables on standard output."""
    console = Console(width=None if Console().is_terminal else 160)
    rates = [rate for rate in SHOWN_RATES if rate in found["rates"]] or found["rates"][:1]
    for name, table in shown(found, rates):
        title: str | None = f"{name}: {table.title}" if name else table.title
        for part in parts(_plain(table), console.width):
            console.print(_rich(title, part))
            title = None


def _plain(figures: Figures) -> Figures:
    """Without what makes figures bold on a page."""
    return replace(figures, rows=tuple(tuple(cell.replace("**", "") for cell in row) for row in figures.rows))


def _rich(title: str | None, figures: Figures) -> Table:
    table = Table(title=title, box=box.SIMPLE, title_justify="left")
    for i, column in enumerate(figures.head):
        table.add_column(column, justify="right" if i else "left")
    for row in figures.rows:
        table.add_row(*row)
    return table
