"""Measures embedded scorers: agreement with held-out grades, speed, load time and size.

    python -m compressor.train.embedded_eval --graded graded.jsonl.gz [FOLDER ...]

Each FOLDER holds an exported model; without any it is the one that ships. The model-free scorer stands beside
them. Speed is of one core: text to scores, words and windows included, in processor time, best of three;
tokens are those of o200k_base.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click
import numpy as np

from compressor.scorers.embedded import EmbeddedScorer
from compressor.scorers.embedded_folder import SHIPPED
from compressor.scorers.frequency import FrequencyScorer
from compressor.tokens import counter
from compressor.train.agreement import by_language, held_out
from compressor.train.frequency_samples import Sample
from compressor.types import Scorer, Scores
from compressor.words import split

_TIMED_CHARACTERS = 25_000
"""Fewer words than the embedded scorer's LONGEST in any language it is timed in."""
_TIMES = 3


@dataclass(frozen=True, slots=True)
class Speed:
    """In processor time of one core."""

    words_s: float
    tokens_s: float


def score_text(scorer: Scorer, text: str) -> Scores:
    """Text to scores, as the engine does it."""
    words = split(text)
    chunks = scorer.encode(text, words)
    return scorer.merge(words, chunks, scorer.forward(chunks))


def speed(scorer: Scorer, text: str) -> Speed:
    """How fast one core scores a text."""
    score_text(scorer, text)
    taken = min(_timed(lambda: score_text(scorer, text)) for _ in range(_TIMES))
    n_tokens = counter("o200k_base").count(text)
    return Speed(len(split(text)) / taken, n_tokens / taken)


def _timed(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def agreement_rows(scorer: Scorer, samples: Sequence[Sample]) -> list[str]:
    """Markdown rows: language, chunks, AUC light and heavy, F1."""
    found = by_language(samples, lambda sample: np.asarray(score_text(scorer, sample.text)))
    return [f"{name} | {a.n_texts} | {a.light:.3f} | {a.heavy:.3f} | {a.f1:.3f}" for name, a in found.items()]


def timed_text(samples: Sequence[Sample], language: str) -> str:
    """Chunks of a language in a row."""
    return "\n\n".join(sample.text for sample in samples if sample.language == language)[:_TIMED_CHARACTERS]


def _report(name: str, load: Callable[[], Scorer], samples: Sequence[Sample], size: int) -> None:
    began = time.process_time()
    scorer = load()
    taken = time.process_time() - began
    click.echo(f"\n{name}: {size / 1e6:.1f} MB, loaded in {taken:.2f} s of processor time")
    for row in agreement_rows(scorer, samples):
        click.echo(f"| {name} | {row} |")
    for language in ("en", "ko"):
        text = timed_text(samples, language)
        if text:
            fast = speed(scorer, text)
            click.echo(
                f"{name} {language}: {fast.words_s:,.0f} words/s, {fast.tokens_s:,.0f} tokens/s and core"
            )


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


@click.command()
@click.option("--graded", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("folders", nargs=-1, type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(graded: Path, folders: tuple[Path, ...]) -> None:
    """Print agreement and speed of the models of FOLDERS."""
    samples = list(held_out(graded))
    click.echo("| scorer | language | chunks | AUC light | AUC heavy | F1 |\n|---|---|--:|--:|--:|--:|")
    _report("frequency", FrequencyScorer, samples, 0)
    for folder in folders or (SHIPPED,):
        _report(folder.name, partial(EmbeddedScorer.load, folder, 1), samples, _size(folder))


if __name__ == "__main__":
    main()
