"""Writes a fitted network as the folder that `compressor.scorers.embedded` loads, and reads it back.

    python -m compressor.train.export --net FILE --tokenizer tokenizer.json --out FOLDER

Equal networks give equal files.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import asdict
from pathlib import Path

import click
from safetensors.numpy import save_file

from compressor.scorers.embedded_folder import GRAPH, TOKENIZER, WEIGHTS, read_model
from compressor.scorers.embedded_inputs import INPUTS_VERSION, N_VALUES
from compressor.train.graph import make_graph
from compressor.train.net import Net, Shape, load
from compressor.train.quantise import to_shipped, to_trainable


def export(net: Net, tokenizer: str, folder: Path) -> int:
    """Write the folder; its size in bytes."""
    weights = to_shipped(net)
    graph, named = make_graph(net.shape, weights)
    metadata = {
        "inputs": INPUTS_VERSION,
        "values": str(N_VALUES),
        "shape": json.dumps(asdict(net.shape)),
        "graph": json.dumps(named),
    }
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / WEIGHTS, metadata)
    (folder / GRAPH).write_bytes(graph)
    definition = json.dumps(json.loads(tokenizer), ensure_ascii=False, separators=(",", ":"))
    (folder / TOKENIZER).write_bytes(gzip.compress(definition.encode(), 9, mtime=0))
    return sum((folder / name).stat().st_size for name in (WEIGHTS, GRAPH, TOKENIZER))


def read_exported(folder: Path) -> tuple[Net, str]:
    """A network to train on from an exported folder, and its tokenizer. Raises ModelError."""
    model = read_model(folder)
    return to_trainable(model.weights, Shape(**model.shape)), model.tokenizer.to_str()


@click.command()
@click.option("--net", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--tokenizer", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path))
def main(net: Path, tokenizer: Path, out: Path) -> None:
    """Write the network NET as the folder OUT."""
    size = export(load(net), tokenizer.read_text(encoding="utf-8"), out)
    click.echo(f"{out}: {size:,} bytes")


if __name__ == "__main__":
    main()
