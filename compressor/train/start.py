"""Makes the network that training starts from: MiniLM's weights under another vocabulary.

    python -m compressor.train.start --minilm DIR --tokenizer tokenizer.json --layers 0,1,2,3,4,5 \\
        --learnt FOLDER --out FILE

DIR is a BERT checkpoint folder (vocab, weights). A piece that DIR's own tokenizer has too starts as it is
there. Another starts as FOLDER, a network trained before, spells it, and without one as the mean of what
DIR's tokenizer makes of it. What is known of a word besides its pieces starts as nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor

from compressor.scorers.embedded_inputs import BEGIN, END, MASK, N_SPECIALS, WORD_MARK
from compressor.train.checkpoint import read_checkpoint
from compressor.train.net import Layer, Net, Shape, save

_SPECIALS = {MASK: "[MASK]", BEGIN: "[CLS]", END: "[SEP]"}


def start(
    weights: dict[str, Tensor],
    theirs: Tokenizer,
    ours: Tokenizer,
    layers: Sequence[int],
    learnt: tuple[Net, Tokenizer] | None = None,
) -> Net:
    """A network of the chosen layers."""
    net = Net(Shape(ours.get_vocab_size(), len(layers)))
    table = weights["embeddings.word_embeddings.weight"]
    with torch.no_grad():
        net.pieces.weight.copy_(_pieces(table, theirs, ours))
        if learnt:
            at, rows = _learnt_rows(*learnt, ours, theirs)
            net.pieces.weight[at] = rows
        net.positions.weight.copy_(
            weights["embeddings.position_embeddings.weight"]
            + weights["embeddings.token_type_embeddings.weight"][0]
        )
        _copy_norm(net.norm, weights, "embeddings.LayerNorm")
        net.values.weight.normal_(0, 0.05)
        net.project.weight.zero_()
        for ours_at, theirs_at in enumerate(layers):
            layer = net.layers[ours_at]
            assert isinstance(layer, Layer)
            _copy_layer(layer, weights, f"encoder.layer.{theirs_at}")
    return net


def _copy_layer(layer: Layer, weights: dict[str, Tensor], prefix: str) -> None:
    parts = [f"{prefix}.attention.self.{name}" for name in ("query", "key", "value")]
    for kind in ("weight", "bias"):
        getattr(layer.qkv, kind).copy_(torch.cat([weights[f"{part}.{kind}"] for part in parts]))
        getattr(layer.out, kind).copy_(weights[f"{prefix}.attention.output.dense.{kind}"])
        getattr(layer.up, kind).copy_(weights[f"{prefix}.intermediate.dense.{kind}"])
        getattr(layer.down, kind).copy_(weights[f"{prefix}.output.dense.{kind}"])
    _copy_norm(layer.norm, weights, f"{prefix}.attention.output.LayerNorm")
    _copy_norm(layer.inner_norm, weights, f"{prefix}.output.LayerNorm")


def _copy_norm(norm: torch.nn.LayerNorm, weights: dict[str, Tensor], prefix: str) -> None:
    norm.weight.copy_(weights[f"{prefix}.weight"])
    norm.bias.copy_(weights[f"{prefix}.bias"])


def _pieces(table: Tensor, theirs: Tokenizer, ours: Tokenizer) -> Tensor:
    """A vector for each of our pieces."""
    known = theirs.get_vocab()
    size = ours.get_vocab_size()
    found = table.mean(0).repeat(size, 1)
    found += torch.randn(found.shape, generator=torch.Generator().manual_seed(0)) * 0.02
    for at, name in _SPECIALS.items():
        found[at] = table[known[name]]
    for piece, at in ours.get_vocab().items():
        if at >= N_SPECIALS + 256:
            rows = _rows(piece, known, theirs)
            if rows:
                found[at] = table[rows].mean(0)
    return found


def _rows(piece: str, known: dict[str, int], theirs: Tokenizer) -> list[int]:
    """Their pieces for one of ours; none for the mark alone and for what they do not know."""
    spelled = piece.removeprefix(WORD_MARK)
    tokens = theirs.encode(spelled, add_special_tokens=False).tokens if spelled else []
    if piece[0] != WORD_MARK and tokens:
        tokens[0] = f"##{tokens[0]}" if f"##{tokens[0]}" in known else tokens[0]
    return [known[token] for token in tokens if token != "[UNK]"]  # noqa: S105


def _learnt_rows(net: Net, narrow: Tokenizer, ours: Tokenizer, theirs: Tokenizer) -> tuple[Tensor, Tensor]:
    """The pieces that `theirs` has not as they are, and what a network trained before makes of each."""
    known, learnt, mark = theirs.get_vocab(), narrow.get_vocab(), narrow.token_to_id(WORD_MARK)
    places, rows = [], []
    for piece, at in ours.get_vocab().items():
        spelled = piece.removeprefix(WORD_MARK)
        if at in _SPECIALS or (spelled if piece[0] == WORD_MARK else f"##{piece}") in known:
            continue
        parts = [learnt[piece]] if piece in learnt else narrow.encode(spelled, add_special_tokens=False).ids
        said = [part for part in parts if part != mark] or parts
        places.append(at)
        rows.append(net.pieces.weight[said].mean(0))
    return torch.tensor(places), torch.stack(rows)


@click.command()
@click.option("--minilm", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--tokenizer", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--layers", default="0,1,2,3,4,5", show_default=True, help="Which of its layers to take.")
@click.option("--learnt", type=click.Path(exists=True, file_okay=False, path_type=Path), help="A checkpoint.")
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path))
def main(minilm: Path, tokenizer: Path, layers: str, learnt: Path | None, out: Path) -> None:
    """Write the network that training starts from."""
    config = json.loads((minilm / "config.json").read_text(encoding="utf-8"))
    chosen = [int(layer) for layer in layers.split(",")]
    if max(chosen) >= config["num_hidden_layers"]:
        raise click.BadParameter(f"{minilm} has {config['num_hidden_layers']} layers, counted from 0")
    theirs = Tokenizer.from_file(str(minilm / "tokenizer.json"))
    theirs.no_padding()
    theirs.no_truncation()
    ours = Tokenizer.from_file(str(tokenizer))
    before = read_checkpoint(learnt) if learnt else None
    save(start(load_file(minilm / "model.safetensors"), theirs, ours, chosen, before), out)


if __name__ == "__main__":
    main()
