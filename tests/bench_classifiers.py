"""What a new text costs with a token-classification model, all but the model (docs/benchmarks.md).

    python -m tests.bench_classifiers --text-tokens 10000

Models with random weights are made on the spot, small ones, since their own time is left out. Their
tokenizers are learnt from texts like those that are measured, so that they have pieces of ordinary size. As
`pith bench text --scorer FOLDER` does, on one core; the texts that were compressed before are others of the
same words.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import click
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertForTokenClassification

from compressor import load_scorer
from compressor.bench import MODEL
from gateway.bench import besides_model, text_stages
from gateway.demo.corpus import PROSE, prose
from gateway.interpreter import settle
from gateway.load.machine import confined, cores, load_average

PIECES = 8000
SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]


def wordpiece() -> tuple[Tokenizer, trainers.Trainer]:
    """As BERT's."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer, trainers.WordPieceTrainer(
        vocab_size=PIECES, special_tokens=SPECIALS, show_progress=False
    )


def unigram() -> tuple[Tokenizer, trainers.Trainer]:
    """As XLM-RoBERTa's."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
    )
    return tokenizer, trainers.UnigramTrainer(
        vocab_size=PIECES, special_tokens=SPECIALS, unk_token="[UNK]", show_progress=False
    )


def byte_level() -> tuple[Tokenizer, trainers.Trainer]:
    """As RoBERTa's and ModernBERT's."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    return tokenizer, trainers.BpeTrainer(
        vocab_size=PIECES, special_tokens=SPECIALS, initial_alphabet=alphabet, show_progress=False
    )


KINDS = {"WordPiece": wordpiece, "Unigram": unigram, "byte-level BPE": byte_level}


def learnt_from() -> Iterator[str]:
    for at in range(4 * len(PROSE)):
        yield prose(PROSE[at % len(PROSE)], 2000, Random(f"learnt {at}"))


def framed(kind: str) -> Tokenizer:
    """A tokenizer that has learnt, with control tokens around a row."""
    tokenizer, trainer = KINDS[kind]()
    tokenizer.train_from_iterator(learnt_from(), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


def make(kind: str, folder: Path) -> None:
    """A model's folder, as `save_pretrained` leaves it."""
    tokenizer = framed(kind)
    shape: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = BertConfig(vocab_size=PIECES, intermediate_size=64, **shape)  # with two labels
    BertForTokenClassification(config).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))


def measure(kind: str, tokens: int, text_tokens: int, repeats: int) -> dict[str, float]:
    """Microseconds a token by stage, and of all but the model."""
    with tempfile.TemporaryDirectory() as name:
        make(kind, Path(name))
        scorer = load_scorer(name, device="cpu", precision="fp32")
        settle()  # as `pith serve` does
        _, runs = text_stages(scorer, tokens, text_tokens, repeats)
    sums = [besides_model({stage: seconds[run] for stage, seconds in runs.items()}) for run in range(repeats)]
    return {stage: median(seconds) * 1e6 for stage, seconds in runs.items() if stage != MODEL} | {
        "all but the model": median(sums) * 1e6
    }


@click.command()
@click.option("--tokens", type=click.IntRange(1), default=100_000, show_default=True)
@click.option("--text-tokens", type=click.IntRange(1), default=1_000, show_default=True)
@click.option("--repeats", type=click.IntRange(1), default=5, show_default=True)
@click.option("--json", "as_json", is_flag=True)
def main(tokens: int, text_tokens: int, repeats: int, as_json: bool) -> None:
    """Print µs a token, by kind of tokenizer."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    before = load_average()
    core, _ = cores()
    with confined(core):
        found = {kind: measure(kind, tokens, text_tokens, repeats) for kind in KINDS}
    if as_json:
        click.echo(json.dumps({"us_per_token": found, "load": [before, load_average()]}))
        return
    for kind, stages in found.items():
        click.echo(f"{kind}: " + ", ".join(f"{stage} {value:.3f}" for stage, value in stages.items()))


if __name__ == "__main__":
    main()
