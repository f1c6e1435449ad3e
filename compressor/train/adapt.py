"""Teaches the started network eight languages before it sees a grade.

    python -m compressor.train.adapt --data DIR --tokenizer tokenizer.json --start FILE --out FILE

Three tasks share the encoder. Words left out: of 15 % of the words neither pieces nor anything else is shown,
and one of their pieces is to be found. Parts of speech, from treebanks. What answers and notes took from a
text: those words are to score above the others of their window. The heads of the first two are thrown away.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from compressor.scorers.embedded_inputs import MASK, NOTHING, inputs_of
from compressor.train.corpus import Text, read_texts
from compressor.train.net import Batch, Net, load, save
from compressor.train.peers import Peers, run
from compressor.train.rows import Row, batches, collate
from compressor.train.schedule import Rates, Stepper, groups, seed_all
from compressor.types import Words
from compressor.words import split

TAGS = "APRXCSDIMNTOEUYVZ"
"""Letters of the parts of speech."""
LANGUAGE_WORDS: Mapping[str, int] = {
    "en": 120_000,
    "ko": 230_000,
    "zh": 190_000,
    "ja": 170_000,
    "de": 32_000,
    "fr": 70_000,
    "es": 70_000,
    "pt": 62_000,
}
"""Words of each language in a pass; languages with fewer are read again."""
TAGGED, MARKED = 0.3, 0.4
"""Of these, the shares from treebanks and from texts with answers or notes."""
TOLD = 2.0
"""What words told of count for, beside the other tasks: a fraction of a nat against several."""
MASKED = 0.15
_WINDOW = (64, 320)
"""Shortest and longest window, in words."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The command's options."""

    data: Path
    tokenizer: Path
    start: Path
    out: Path
    share: float
    batch_words: int
    seed: int


class Heads(nn.Module):
    """Of the three tasks."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = nn.Linear(width, width)
        nn.init.eye_(self.mix.weight)
        nn.init.zeros_(self.mix.bias)
        self.tag = nn.Linear(width, len(TAGS))
        self.shift = nn.Parameter(torch.zeros(()))
        """What is told of is rarer than what is kept."""


def rows_of(text: Text, tokenizer: Tokenizer, random: np.random.Generator) -> Iterator[Row]:
    """The windows of a text, cut anywhere. Labels of a word: its tag, and if it was told of; -1 unknown."""
    words = split(text.text)
    if len(words) < 6:
        return
    inputs = inputs_of(text.text, words, tokenizer)
    labels = np.stack([_tags(text, words), _told(text, words)], axis=1)
    start = 0
    while start < len(words):
        end = min(start + int(random.integers(*_WINDOW)), len(words))
        kind = "tags" if text.tags else "told" if text.marks else "plain"
        yield Row(inputs, start, end, labels[start:end], np.ones(end - start, np.float32), kind)
        start = end


def _tags(text: Text, words: Words) -> NDArray[np.float32]:
    if not text.tags:
        return np.full(len(words), -1, np.float32)
    return np.array([TAGS.find(text.tags[at]) for at in words.starts.tolist()], np.float32)


def _told(text: Text, words: Words) -> NDArray[np.float32]:
    if not text.marks:
        return np.full(len(words), -1, np.float32)
    return np.array([float(text.marks[at] == "1") for at in words.starts.tolist()], np.float32)


def sample(texts: Sequence[Text], tokenizer: Tokenizer, seed: int, share: float) -> list[Row]:
    """Windows of one pass: of each language as many words as LANGUAGE_WORDS says."""
    random = np.random.default_rng(seed)
    by_language: dict[str, list[Text]] = defaultdict(list)
    for text in texts:
        by_language[text.language].append(text)
    rows: list[Row] = []
    for language, some in by_language.items():
        wanted = LANGUAGE_WORDS[language] * share
        left = wanted
        for part, part_share in (
            ([text for text in some if text.tags], TAGGED),
            ([text for text in some if text.marks], MARKED),
        ):
            if part:
                rows += _drawn(part, part_share * wanted, tokenizer, random)
                left -= part_share * wanted
        rows += _drawn(some, left, tokenizer, random)
    return rows


def _drawn(
    texts: Sequence[Text], wanted: float, tokenizer: Tokenizer, random: np.random.Generator
) -> Iterator[Row]:
    """Windows of texts in an order drawn, again and again until there are as many words as wanted."""
    left, before = wanted, -1.0
    while left > 0 and left != before:  # texts too short for a window leave as much as there was
        before = left
        for at in random.permutation(len(texts)):
            if left > 0:
                for row in rows_of(texts[at], tokenizer, random):
                    left -= len(row)
                    yield row


def loss_of(net: Net, heads: Heads, batch: Batch, labels: Tensor, weights: Tensor) -> Tensor:
    """The sum of the three tasks' losses over one batch."""
    is_out = (torch.rand(weights.shape, device=weights.device) < MASKED) & (weights > 0)
    words, known = net.vectors(_without(batch, is_out))
    words = torch.where(is_out[..., None], net.pieces.weight[MASK], words)
    encoded = net.encode(words, known, batch.is_word, int(torch.randint(0, 128, ())))
    # against the pieces of the batch alone: against all of them it would cost as much as the encoder
    pieces, place = torch.unique(batch.pieces, return_inverse=True)
    guessed = heads.mix(encoded[is_out]) @ net.pieces.weight[pieces].T
    wanted = place[_some_piece(batch)[batch.of[is_out]]]
    total = functional.cross_entropy(guessed.float(), wanted)
    has_tag, has_told = labels[..., 0] >= 0, labels[..., 1] >= 0
    has_tag, has_told = has_tag & (weights > 0), has_told & (weights > 0)
    if has_tag.any():
        total = total + functional.cross_entropy(
            heads.tag(encoded[has_tag]).float(), labels[..., 0][has_tag].long()
        )
    if has_told.any():
        logits = net.grades(encoded, known).float().mean(-1) + heads.shift
        total = total + TOLD * _told_loss(logits, labels[..., 1], has_told & ~is_out)
    return total


def _told_loss(logits: Tensor, told: Tensor, counts: Tensor) -> Tensor:
    """Words told of against the others of their window, in equal shares."""
    is_told, is_other = (told > 0.5) & counts, (told <= 0.5) & counts
    n_told, n_other = is_told.sum(-1, keepdim=True), is_other.sum(-1, keepdim=True)
    share = torch.where(is_told, 0.5 / n_told.clamp(min=1), 0.5 / n_other.clamp(min=1)) * counts
    share = share * ((n_told > 0) & (n_other > 0))
    losses = functional.binary_cross_entropy_with_logits(logits, (told > 0.5).float(), reduction="none")
    return (losses * share).sum() / share.sum().clamp(min=1)


def _without(batch: Batch, is_out: Tensor) -> Batch:
    """The batch, knowing nothing of the words left out."""
    values = torch.where(is_out[..., None], NOTHING, batch.values)
    return Batch(batch.pieces, batch.offsets, batch.of, values, batch.is_word)


def _some_piece(batch: Batch) -> Tensor:
    """Where one piece of each type stands, drawn."""
    sizes = torch.diff(batch.offsets, append=batch.offsets.new_tensor([len(batch.pieces)]))
    drawn = (torch.rand(len(sizes), device=sizes.device) * sizes).long()
    return batch.offsets + drawn


def adapt(peers: Peers, settings: Settings, rows: Sequence[Row]) -> None:
    """One pass, together with the other processes; the first writes the network every now and then."""
    net = load(settings.start).train()
    torch.manual_seed(settings.seed)
    heads = Heads(net.shape.width)
    plan = list(batches(rows, settings.batch_words, settings.seed))
    n_steps = len(plan) // peers.n
    rates = Rates(encoder=2e-4, pieces=7e-4, layer_decay=1.0)
    stepper = Stepper(groups(net, rates, heads), n_steps, peers)
    began, mean = time.monotonic(), 0.0
    torch.manual_seed(settings.seed + 1 + peers.rank)
    for at in range(n_steps):
        with torch.autocast("cpu", torch.bfloat16):
            loss = loss_of(net, heads, *collate(plan[at * peers.n + peers.rank]))
        stepper.step(loss)
        mean += (float(loss.detach()) - mean) / min(at + 1, 30)
        if peers.is_first and (at % 20 == 19 or at + 1 == n_steps):
            click.echo(f"{at + 1}/{n_steps} loss {mean:.3f} {time.monotonic() - began:.0f} s")
            save(net, settings.out)


@click.command()
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--tokenizer", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--start", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--share", default=1.0, show_default=True, help="Of a pass over LANGUAGE_WORDS.")
@click.option("--batch-words", default=2048, show_default=True, help="A step and process.")
@click.option("--processes", default=2, show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(processes: int, **settings: Any) -> None:
    """Train the network START on the texts of DATA and write it to OUT."""
    chosen = Settings(**settings)
    seed_all(chosen.seed)
    tokenizer = Tokenizer.from_file(str(chosen.tokenizer))
    rows = sample(list(read_texts(chosen.data)), tokenizer, chosen.seed, chosen.share)
    click.echo(f"{len(rows)} windows, {sum(map(len, rows))} words")
    run(adapt, processes, chosen, rows)


if __name__ == "__main__":
    main()
