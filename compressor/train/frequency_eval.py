"""Measures the model-free scorer: do answers survive, and does it agree with graded text?

    python -m compressor.train.frequency_eval --data DIR

DIR holds `qa_valid.jsonl.gz` (context, question, answers, `at`) and `distill/graded.jsonl.gz`. Selection is
simple on purpose: numbers and newlines stay, then the words of highest score until the share of words asked
for is reached (of characters in Chinese and Japanese). An answer survives where all its words do.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from compressor.scorers.frequency import score
from compressor.scorers.frequency_types import find_types
from compressor.train.agreement import by_language, held_out
from compressor.train.frequency_samples import READABLE, Sample
from compressor.types import Bools, Words
from compressor.words import Flag, split

RATES = (0.66, 0.5)

Scoring = Callable[[Words], NDArray[np.int64]]


def by_scorer(words: Words) -> NDArray[np.int64]:
    """The scorer under test."""
    return score(words).astype(np.int64)


def by_rarity(words: Words) -> NDArray[np.int64]:
    """Baseline: rare in the document and in the language; no context, no form."""
    types = find_types(words)
    return -(types.tenths[types.of].astype(np.int64) + np.minimum(types.counts[types.of], 50))


def by_chance(words: Words) -> NDArray[np.int64]:
    """Baseline: an order that follows from the text alone."""
    seed = int.from_bytes(hashlib.sha256(words.codes.tobytes()).digest()[:8], "big")
    return np.random.default_rng(seed).permutation(len(words))


SCORINGS: dict[str, Scoring] = {"frequency": by_scorer, "rarest": by_rarity, "chance": by_chance}


def kept_words(words: Words, scores: NDArray[np.int64], rate: float) -> Bools:
    """Newlines, words with a digit, and the best of the others up to `rate` of the whole."""
    sizes = np.where((words.flags & Flag.CJK) != 0, words.ends - words.starts, 1).astype(np.int64)
    sizes[(words.flags & READABLE) == 0] = 0
    forced = (words.flags & (Flag.HAS_DIGIT | Flag.NEWLINE)) != 0
    order = np.lexsort((np.arange(len(words)), -scores, ~forced))
    kept = np.zeros(len(words), np.bool_)
    kept[order[np.cumsum(sizes[order]) <= rate * sizes.sum()]] = True
    kept |= forced
    return kept


def survives(words: Words, kept: Bools, start: int, end: int) -> bool:
    """Are all words with letters or digits that touch [start, end) kept?"""
    first = int(np.searchsorted(words.ends, start, side="right"))
    past = int(np.searchsorted(words.starts, end, side="left"))
    is_readable = (words.flags[first:past] & READABLE) != 0
    return bool(kept[first:past][is_readable].all())


def occurrences(text: str, answer: str) -> Iterator[int]:
    """Where the answer stands in the text."""
    at = text.find(answer)
    while at >= 0:
        yield at
        at = text.find(answer, at + 1)


@dataclass(slots=True)
class Tally:
    """Answers that survive anywhere, and at the place that answers."""

    n: int = 0
    anywhere: int = 0
    n_placed: int = 0
    placed: int = 0

    def __str__(self) -> str:
        strict = f"{self.placed / self.n_placed:.2f}" if self.n_placed else "-"
        return f"{self.anywhere / self.n:.2f} / {strict}"


def answer_tallies(path: Path) -> dict[tuple[str, str, float], Tally]:
    """Tallies by (domain and language, scoring, rate)."""
    tallies: dict[tuple[str, str, float], Tally] = defaultdict(Tally)
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            words = split(record["context"])
            for name, scoring in SCORINGS.items():
                scores = scoring(words)
                for rate in RATES:
                    key = (f"{record['domain']} {record['lang']}", name, rate)
                    _count(tallies[key], record, words, kept_words(words, scores, rate))
    return tallies


def _count(tally: Tally, record: dict[str, object], words: Words, kept: Bools) -> None:
    context, answers, at = record["context"], record["answers"], record.get("at")
    assert isinstance(context, str)
    assert isinstance(answers, list)
    tally.n += 1
    tally.anywhere += any(
        survives(words, kept, start, start + len(answer))
        for answer in answers
        for start in occurrences(context, answer)
    )
    if isinstance(at, int):
        tally.n_placed += 1
        tally.placed += survives(words, kept, at, at + len(answers[0]))


def _of_sample(scoring: Scoring) -> Callable[[Sample], NDArray[np.int64]]:
    return lambda sample: scoring(sample.words)


@click.command()
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(data: Path) -> None:
    """Print both tables for the folder DATA."""
    click.echo("Agreement with grades on documents not fitted to: AUC light / heavy")
    samples = list(held_out(data / "distill" / "graded.jsonl.gz"))
    agreements = {name: by_language(samples, _of_sample(scoring)) for name, scoring in SCORINGS.items()}
    for language, first in agreements["frequency"].items():
        of_language = ((name, found[language]) for name, found in agreements.items())
        cells = (f"{name} {found.light:.3f} / {found.heavy:.3f}" for name, found in of_language)
        click.echo(f"| {language} ({first.n_texts} chunks) | {' | '.join(cells)} |")
    click.echo("Answers that survive: anywhere / where they answer")
    tallies = answer_tallies(data / "qa_valid.jsonl.gz")
    columns = [(name, rate) for rate in RATES for name in SCORINGS]
    click.echo("| domain | n | " + " | ".join(f"{name} {rate}" for name, rate in columns) + " |")
    for domain in dict.fromkeys(key[0] for key in tallies):
        cells = (str(tallies[domain, name, rate]) for name, rate in columns)
        click.echo(f"| {domain} | {tallies[domain, 'frequency', RATES[0]].n} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
