"""`pith train export`: makes of a checkpoint the folder that `compressor.scorer` takes."""

from __future__ import annotations

from pathlib import Path

import click

_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.argument("checkpoint", type=_FOLDER)
@click.option("--out", required=True, type=_FOLDER, help="Folder to write.")
def export(checkpoint: Path, out: Path) -> None:
    """Write CHECKPOINT, a folder of `pith train fit`, in eight-bit weights: small, and fast."""
    from compressor.train.checkpoint import read_checkpoint  # torch: seconds to import
    from compressor.train.export import export as work

    net, tokenizer = read_checkpoint(checkpoint)
    size = work(net, tokenizer.to_str(), out)
    click.echo(f"{out}: {size:,} bytes; serve it with compressor.scorer: {out}")
