"""`pith compress`: compress a file or standard input, and say what it saved."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import get_args

import click

from compressor import CompressionParams, Engine, encoding_for
from compressor.params import Fidelity
from compressor.scorers import load
from gateway.api import described


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
@click.option("--json", "as_json", is_flag=True, help="Print one JSON result instead of the text.")
def compress(
    file: Path,
    rate: float | None,
    target_tokens: int | None,
    threshold: float | None,
    fidelity: Fidelity,
    model: str | None,
    scorer: str,
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
    [result] = Engine(load(scorer, "auto", "auto")).compress_sync([text], params)
    if as_json:
        click.echo(json.dumps(described(result), ensure_ascii=False))
        return
    click.echo(result.text, nl=False)
    kept = result.compressed_tokens / max(1, result.origin_tokens)
    why = f", left whole: {result.skip}" if result.skip else ""
    click.echo(f"{result.origin_tokens} → {result.compressed_tokens} tokens ({kept:.0%}{why})", err=True)


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except OSError as error:
        raise click.ClickException(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{file} is not UTF-8 text: convert it first ({error.reason})") from error
