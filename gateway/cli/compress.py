"""`pith compress`: compress a file or standard input, and say what it saved."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import astuple
from pathlib import Path
from typing import Literal, cast, get_args

import click

from compressor import Compressed, CompressionParams, Engine, ScoringError, encoding_for
from compressor.explain import Explained, explain
from compressor.flow import ScoreRequest, advance
from compressor.params import Fidelity
from compressor.scorers import load
from gateway.api import described
from gateway.cli import explained as view


@click.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True), default="-")
@click.option("--rate", type=float, help="Compressed ÷ original tokens of the prose.  [default: 0.5]")
@click.option("--target-tokens", type=int, help="Most tokens the whole text may keep.")
@click.option("--threshold", type=float, help="Keep words scoring at least this.")
@click.option(
    "--fidelity",
    type=click.Choice(get_args(Fidelity)),
    default="native",
    help="compat: as the llmlingua package does with the same weights.  [default: native]",
)
@click.option("--model", help="Target model, for the tokenizer.  [default: o200k_base]")
@click.option("--scorer", default="default", help="default, frequency, or a model folder or hub name.")
@click.option("--explain", "is_explained", is_flag=True, help="Show every word, and why it stayed or went.")
@click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    help="Colours of --explain; auto: on a terminal, unless NO_COLOR is set.  [default: auto]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON result instead of the text.")
def compress(
    file: Path,
    rate: float | None,
    target_tokens: int | None,
    threshold: float | None,
    fidelity: Fidelity,
    model: str | None,
    scorer: str,
    is_explained: bool,
    color: Literal["auto", "always", "never"],
    as_json: bool,
) -> None:
    """Compress FILE (- reads standard input); the text goes to standard output, counts to standard error."""
    text = sys.stdin.read() if str(file) == "-" else _read(file)
    params = CompressionParams(
        rate=0.5 if rate is None else rate,
        target_tokens=target_tokens,
        threshold=threshold,
        fidelity=fidelity,
        tokenizer=encoding_for(model)[0],
    )
    if is_explained and fidelity == "compat":
        raise click.UsageError("--explain says nothing of --fidelity compat: leave one of them out")
    engine = Engine(load(scorer, "auto", "auto"))
    if is_explained:
        explained = asyncio.run(_explained(engine, text, params))
        words = {"words": [astuple(word) for word in explained.words]}
        if as_json:
            click.echo(json.dumps(described(explained.result) | words, ensure_ascii=False))
            return
        look = view.Look(has_color=_has_color(color))
        click.echo(view.painted(explained, look).rstrip("\n") + "\n", color=True)
        click.echo(view.legend(explained, params.tokenizer, look), color=True, nl=False)
        _tell(explained.result)
        return
    [result] = engine.compress_sync([text], params)
    if as_json:
        click.echo(json.dumps(described(result), ensure_ascii=False))
        return
    click.echo(result.text, nl=False)
    _tell(result)


def _tell(result: Compressed) -> None:
    kept = result.compressed_tokens / max(1, result.origin_tokens)
    why = f", left whole: {result.skip}" if result.skip else ""
    click.echo(f"{result.origin_tokens} → {result.compressed_tokens} tokens ({kept:.0%}{why})", err=True)


async def _explained(engine: Engine, text: str, params: CompressionParams) -> Explained:
    async with engine:
        steps = explain(text, params)
        step = advance(steps, None)
        if isinstance(step, ScoreRequest):
            [scores] = await engine.score([step])
            if isinstance(scores, ScoringError):
                raise click.ClickException(f"no scores: {scores}")
            step = advance(steps, scores)
        return cast(Explained, step)


def _has_color(color: Literal["auto", "always", "never"]) -> bool:
    """As https://no-color.org has it: an option outweighs the environment."""
    if color != "auto":
        return color == "always"
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except OSError as error:
        raise click.ClickException(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{file} is not UTF-8 text: convert it first ({error.reason})") from error
