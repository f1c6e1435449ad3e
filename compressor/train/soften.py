"""Soft grades: what scorers make of texts that nobody graded, for another network to learn from.

    python -m compressor.train.soften --data DIR --graded graded.jsonl.gz --scorer FOLDER --scorer FOLDER \\
        --language en --words 400000 --out soft.jsonl.gz

A few hundred thousand graded words are soon learnt by heart. Scorers too large to ship, or several together,
know what those words taught and say it of as many others as one likes: `pith train fit --soft` learns their
scores. A record has `id`, `src`, `lang`, `text` and `scores`, the mean of the scorers' in thousandths, one a
word. Sources take turns, so none outweighs the others. Texts that hold a held-out chunk are left out. Words
that an answer or a note took from a text score at least TOLD: what was asked for once is worth keeping.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from compressor.scorers import load
from compressor.train.chunking import chunks_of, size_of
from compressor.train.corpus import Text, read_texts
from compressor.train.embedded_eval import score_text
from compressor.train.frequency_samples import read_graded
from compressor.train.grade_rows import THOUSANDTHS
from compressor.train.records import write
from compressor.types import SCORE_ONE, Scorer
from compressor.words import split

TOLD = 0.85
_SHOWN = 80
"""Characters by which a chunk is recognised within a text."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a text. `marks`: as of `Text`, of its own characters."""

    source: str
    text: str
    marks: str = ""


def chosen_chunks(
    texts: Iterable[Text], closed: Sequence[str], language: str, n_words: int, seed: int
) -> Iterator[Chunk]:
    """Chunks of a language, of `n_words` words together, in an order of the seed; none from a text that holds
    one of `closed`. Those under half the size that teachers are given are left out."""
    least = size_of(language).least // 2
    by_source: dict[str, list[Chunk]] = defaultdict(list)
    for text in texts:
        if text.language == language and not any(part in text.text for part in closed):
            by_source[text.source] += [chunk for chunk in _chunks(text) if len(split(chunk.text)) >= least]
    random = np.random.default_rng(seed)
    orders = [[some[at] for at in random.permutation(len(some))] for some in by_source.values()]
    left = n_words
    for turn in chain.from_iterable(zip_longest(*orders)):
        if turn and left > 0:
            left -= len(split(turn.text))
            yield turn


def _chunks(text: Text) -> Iterator[Chunk]:
    at = 0
    for chunk in chunks_of(text.text, text.language):
        at = text.text.index(chunk, at)
        yield Chunk(text.source, chunk, text.marks[at : at + len(chunk)])
        at += len(chunk)


def soft_scores(scorers: Sequence[Scorer], chunk: Chunk) -> NDArray[np.int64]:
    """What all make of each word, in thousandths; of words told of, at least TOLD."""
    together = np.mean([score_text(scorer, chunk.text).astype(np.float64) for scorer in scorers], axis=0)
    scores = together / SCORE_ONE
    if chunk.marks:
        is_told = np.array([chunk.marks[at] == "1" for at in split(chunk.text).starts.tolist()])
        scores = np.where(is_told, np.maximum(scores, TOLD), scores)
    found: NDArray[np.int64] = np.rint(scores * THOUSANDTHS).astype(np.int64)
    return found


def records(scorers: Sequence[Scorer], chunks: Iterable[Chunk], language: str) -> Iterator[Any]:
    """The chunks as records of soft grades."""
    for at, chunk in enumerate(chunks):
        scores = soft_scores(scorers, chunk).tolist()
        known = {"id": f"soft-{language}-{at}", "src": chunk.source, "lang": language, "text": chunk.text}
        yield {**known, "scores": scores}


def closed_parts(graded: Path) -> list[str]:
    """What held-out chunks are recognised by."""
    return [sample.text[:_SHOWN] for sample in read_graded(graded) if sample.is_held_out]


@click.command()
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--graded", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--scorer", "names", required=True, multiple=True, help="A name, or a folder; several: the mean."
)
@click.option("--language", "languages", required=True, multiple=True, help="As in `lang`; several: each.")
@click.option("--words", default=400_000, show_default=True, help="Of each language.")
@click.option("--skip", "skipped", multiple=True, help="A source that is not taken.")
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--seed", default=0, show_default=True)
def main(
    data: Path,
    graded: Path,
    names: tuple[str, ...],
    languages: tuple[str, ...],
    words: int,
    skipped: tuple[str, ...],
    out: Path,
    seed: int,
) -> None:
    """Write soft grades of texts of DATA."""
    scorers = [load(name, "cpu") for name in names]
    texts = [text for text in read_texts(data) if text.source not in skipped]
    closed = closed_parts(graded)
    found = (
        records(scorers, chosen_chunks(texts, closed, language, words, seed), language)
        for language in languages
    )
    write(out, chain.from_iterable(found))


if __name__ == "__main__":
    main()
