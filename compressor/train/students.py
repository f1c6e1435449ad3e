"""Compares students: each is taught for the same number of words, then measured for agreement and speed.

    python -m compressor.train.students --graded graded.jsonl.gz --soft soft.jsonl.gz --start FOLDER \\
        --words 400000 --picture students.svg

FOLDER is a checkpoint of `adapt` or `fit` of which encoders take layers. A short lesson ranks them; it does
not show what each can reach. Agreement is of the network alone, on held-out grades. Speed is of one core,
from text to scores, in processor time, twice that for two: encoders as they ship, eight bits in onnxruntime,
the convolutional one in torch, fp32.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path

import click
import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import nn

from compressor.scorers.embedded import EmbeddedScorer
from compressor.scorers.embedded_inputs import inputs_of
from compressor.tokens import counter
from compressor.train.agreement import Agreement, by_language
from compressor.train.checkpoint import read_checkpoint
from compressor.train.convolutional import Convolutional, hashed_inputs
from compressor.train.embedded_eval import speed, timed_text
from compressor.train.export import export
from compressor.train.fit import LOSSES, Plan, with_holes
from compressor.train.frequency_samples import Sample, read_graded
from compressor.train.grade_rows import See, kept_shares, soft_rows, windows, word_weights
from compressor.train.net import Net, Shape
from compressor.train.peers import Peers
from compressor.train.rows import Row, batches, collate
from compressor.train.schedule import Rates, Stepper, groups, seed_all
from compressor.types import Words
from compressor.words import split

LAYERS: dict[str, tuple[int, ...]] = {
    "encoder, 6 layers": (0, 1, 2, 3, 4, 5),
    "encoder, 4 layers": (0, 1, 3, 5),
    "encoder, 3 layers": (0, 2, 5),
    "encoder, 2 layers": (0, 5),
}
_BATCH_WORDS = 2048
_RATE = 2e-3
"""Of a network that begins from nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Student:
    """A network, how it sees a text, and its learning rates."""

    name: str
    net: nn.Module
    see: See
    groups: list[dict[str, object]]


@dataclass(frozen=True, slots=True)
class Result:
    """What a student came to. `tokens_s` is of two cores."""

    name: str
    size: int
    tokens_s: float
    agreement: dict[str, Agreement]


def with_layers(net: Net, layers: Sequence[int]) -> Net:
    """A network of some of another's layers, its other weights the same."""
    taken = Net(Shape(**{**_sizes(net.shape), "n_layers": len(layers)}))
    state = {name: value for name, value in net.state_dict().items() if not name.startswith("layers.")}
    for ours, theirs in enumerate(layers):
        own = net.layers[theirs].state_dict()
        state |= {f"layers.{ours}.{name}": value for name, value in own.items()}
    taken.load_state_dict(state)
    return taken


def _sizes(shape: Shape) -> dict[str, int]:
    return {name: getattr(shape, name) for name in shape.__slots__}


def encoder(name: str, net: Net, tokenizer: Tokenizer) -> Student:
    """The student of some layers that LAYERS names."""
    taken = with_layers(net, LAYERS[name])
    return Student(name, taken, partial(inputs_of, tokenizer=tokenizer), groups(taken, Rates()))


def convolutional() -> Student:
    """The student that begins from nothing."""
    net = Convolutional()
    group = {"params": list(net.parameters()), "lr": _RATE, "base": _RATE, "weight_decay": 0.01}
    return Student("convolutional", net, hashed_inputs, [group])


def lessons(samples: Sequence[Sample], soft: Sequence[Path], see: See) -> list[Row]:
    """Graded chunks, each by itself, and soft grades, as a student sees them."""
    rows: list[Row] = []
    for sample in samples:
        inputs = see(sample.text, sample.words)
        rows += windows(inputs, kept_shares(sample), word_weights(sample.words, sample.language))
    for path in soft:
        rows += [row for some in soft_rows(path, see) for row in some]
    return rows


def teach(student: Student, rows: Sequence[Row], n_words: int, seed: int) -> None:
    """Show rows until a student has seen `n_words`."""
    seed_all(seed)
    plan = Plan(Path(), (), Path())  # for what it hides
    steps: list[list[Row]] = []
    seen = epoch = 0
    while seen < n_words:
        for group in batches(rows, _BATCH_WORDS, seed + epoch):
            if seen < n_words:
                steps.append(group)
                seen += sum(map(len, group))
        epoch += 1
    stepper = Stepper(student.groups, len(steps), Peers())
    student.net.train()
    for group in steps:
        batch, labels, weights = collate(group)
        stepper.step(LOSSES[group[0].kind](student.net, with_holes(batch, plan), labels, weights))
    student.net.eval()


def scores_of(student: Student, text: str, words: Words) -> NDArray[np.float32]:
    """The mean of both levels' probabilities of each word."""
    blank = np.zeros((len(words), 2), np.float32)
    rows = list(windows(student.see(text, words), blank, blank[:, 0]))
    with torch.inference_mode():
        found = [torch.sigmoid(student.net(collate([row])[0])[0, 1:-1]).mean(-1).numpy() for row in rows]
    return np.concatenate(found)


def measured(student: Student, tokenizer: Tokenizer, held_out: Sequence[Sample]) -> Result:
    """Agreement, speed and size."""
    agreement = by_language(held_out, lambda sample: scores_of(student, sample.text, sample.words))
    text = timed_text(held_out, "en")
    if isinstance(student.net, Net):
        with tempfile.TemporaryDirectory() as folder:
            size = export(student.net, tokenizer.to_str(), Path(folder))
            tokens_s = speed(EmbeddedScorer.load(Path(folder), 1), text).tokens_s
    else:
        size = sum(weight.numel() for weight in student.net.parameters())  # eight bits each
        taken = min(_seconds(partial(_scored, student, text)) for _ in range(3))
        tokens_s = counter("o200k_base").count(text) / taken
    return Result(student.name, size, 2 * tokens_s, agreement)


def _scored(student: Student, text: str) -> None:
    scores_of(student, text, split(text))


def _seconds(work: Callable[[], None]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def table(results: Sequence[Result], languages: Sequence[str]) -> str:
    """Markdown: a row a student; AUC light / heavy by language."""
    head = ["student", "MB", "tokens/s, two cores", *(f"{language}, AUC" for language in languages)]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for one in results:
        cells = [one.name, f"{one.size / 1e6:.1f}", f"{one.tokens_s:,.0f}"]
        found = (one.agreement.get(language) for language in languages)
        cells += [f"{some.light:.3f} / {some.heavy:.3f}" if some else "" for some in found]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def picture(results: Sequence[Result], language: str) -> str:
    """SVG: speed from left to right, by powers of ten; the mean of both AUCs upwards."""
    width, height, margin = 520, 300, 46
    found = [(np.log10(one.tokens_s), _mean(one.agreement[language]), one.name) for one in results]
    low, high = min(point[1] for point in found) - 0.01, max(point[1] for point in found) + 0.01
    left, right = min(point[0] for point in found) - 0.2, max(point[0] for point in found) + 0.4
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text x="{margin}" y="16" font-weight="bold">Agreement ({language}, mean of both AUCs) against '
        "tokens a second on two cores</text>",
    ]
    for speed_shown in (10_000, 30_000, 100_000, 300_000, 1_000_000):
        x = margin + (np.log10(speed_shown) - left) / (right - left) * (width - 2 * margin)
        if margin <= x <= width - margin:
            lines.append(f'<line x1="{x:.0f}" y1="26" x2="{x:.0f}" y2="{height - margin}" stroke="#ddd"/>')
            lines.append(f'<text x="{x:.0f}" y="{height - 28}" text-anchor="middle">{speed_shown:,}</text>')
    for i, (at, quality, name) in enumerate(found):
        x = margin + (at - left) / (right - left) * (width - 2 * margin)
        y = 30 + (high - quality) / (high - low) * (height - margin - 40)
        lines.append(f'<circle cx="{x:.0f}" cy="{y:.0f}" r="4" fill="#1565c0"/>')
        lines.append(
            f'<text x="{x - 4:.0f}" y="{y + (18 if i % 2 else -9):.0f}">{escape(name)}, {quality:.3f}</text>'
        )
    return "\n".join([*lines, "</svg>", ""])


def _mean(found: Agreement) -> float:
    return (found.light + found.heavy) / 2


@click.command()
@click.option("--graded", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--soft", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--start", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--words", default=400_000, show_default=True, help="That each is shown.")
@click.option("--picture", "drawn", type=click.Path(dir_okay=False, path_type=Path), help="Where to draw.")
@click.option("--seed", default=0, show_default=True)
def main(
    graded: Path, soft: tuple[Path, ...], start: Path, words: int, drawn: Path | None, seed: int
) -> None:
    """Teach and measure every student."""
    torch.set_num_threads(1)
    net, tokenizer = read_checkpoint(start)
    samples = list(read_graded(graded))
    learnt = [sample for sample in samples if not sample.is_held_out]
    held_out = [sample for sample in samples if sample.is_held_out]
    results = []
    for name in (*LAYERS, None):
        seed_all(seed)
        student = encoder(name, net, tokenizer) if name else convolutional()
        teach(student, lessons(learnt, soft, student.see), words, seed)
        results.append(measured(student, tokenizer, held_out))
        click.echo(table(results[-1:], list(results[-1].agreement)).splitlines()[-1])
    click.echo("\n" + table(results, list(results[0].agreement)))
    if drawn:
        drawn.write_text(picture(results, next(iter(results[0].agreement))), encoding="utf-8")


if __name__ == "__main__":
    main()
