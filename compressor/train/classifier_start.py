"""Makes what a teacher of soft grades is fitted from: an encoder with a head that knows nothing yet.

    python -m compressor.train.classifier_start --encoder DIR --out FOLDER --seed 0
    pith train fit examples.jsonl --start FOLDER --out teacher --rate 2e-4 --epochs 4

DIR is a folder of Hugging Face's form (MiniLM's for one). FOLDER is the same as a token classifier of two
labels.
"""

from __future__ import annotations

from pathlib import Path

import click
import torch
from tokenizers import Tokenizer

LABELS = {0: "drop", 1: "keep"}


def make_classifier(encoder: Path, out: Path, seed: int) -> None:
    """Write the folder. The seed draws the head."""
    from transformers import AutoModelForTokenClassification
    from transformers.utils import logging

    logging.set_verbosity_error()  # that the head is new is what is wanted
    torch.manual_seed(seed)
    model = AutoModelForTokenClassification.from_pretrained(
        str(encoder),
        num_labels=len(LABELS),
        id2label=LABELS,
        label2id={name: at for at, name in LABELS.items()},
        local_files_only=True,
    )
    out.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(out)
    tokenizer = Tokenizer.from_file(str(encoder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.save(str(out / "tokenizer.json"))


@click.command()
@click.option("--encoder", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path))
@click.option("--seed", default=0, show_default=True)
def main(encoder: Path, out: Path, seed: int) -> None:
    """Write ENCODER with a fresh head to OUT."""
    make_classifier(encoder, out, seed)
    click.echo(f"{out}: labels {', '.join(LABELS.values())}")


if __name__ == "__main__":
    main()
