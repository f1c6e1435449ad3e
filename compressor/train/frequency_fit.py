"""Fits the weights of the model-free scorer and writes `frequency_weights.json`.

    python -m compressor.train.frequency_fit --data DIR [--out compressor/data]

DIR holds what `frequency_samples` reads. Logistic regression with ridge penalties on graded words and, beside
them, on the words of answers against the others of their passage; the latter have intercepts of their own, so
a score stays the probability that a grader keeps the word. Each group of scripts has the common weights and
small corrections of its own; a few hundred frequent words have a weight for themselves.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import click
import numpy as np
import torch
from numpy.typing import NDArray

from compressor.chars import hash_word
from compressor.lexicon import LANGUAGES
from compressor.scorers.frequency_features import SIZES
from compressor.scorers.frequency_types import find_types
from compressor.scorers.frequency_weights import GROUPS, UNIT
from compressor.train.frequency_samples import (
    N_WEIGHTS,
    OFFSETS,
    Rows,
    Sample,
    answer_rows,
    read_graded,
    rows_of,
)

COMMON_RIDGE, GROUP_RIDGE = 6e-5, 3e-4
RAREST_LISTED = 50
"""Zipf tenths below which no word gets a weight of its own: topics stay out."""
LEAST_SEEN = 20
LEAST_SOURCES = {"en": 3, "ko": 2, "zh": 2, "ja": 2}
REPEATED_LINE = (0, -UNIT)
"""Set by hand: lines repeated word for word are too rare in graded chunks to learn from."""

Listed: TypeAlias = dict[tuple[int, int], int]
"""Words with a weight of their own: (column, stem) to number."""


def listed_words(samples: Sequence[Sample], rows: Sequence[Rows]) -> Listed:
    """Frequent words seen often enough to get a weight of their own, numbered from 0."""
    seen: Counter[tuple[int, int]] = Counter()
    sources: dict[tuple[int, int], set[str]] = defaultdict(set)
    for sample, some in zip(samples, rows, strict=True):
        for word, tenths in zip(some.words, some.tenths, strict=True):
            if tenths >= RAREST_LISTED:
                seen[word] += 1
                sources[word].add(sample.source)
    listed = (
        word
        for word, count in seen.items()
        if count >= LEAST_SEEN and len(sources[word]) >= LEAST_SOURCES.get(LANGUAGES[word[0]], 1)
    )
    return {word: i for i, word in enumerate(sorted(listed))}


def fit(rows: Sequence[Rows], listed: Listed) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights by group, the intercept last, shape [groups, N_WEIGHTS + 1]; and weights of listed words."""
    nothing = N_WEIGHTS + 1 + len(listed)  # stands for what has no weight; held at 0
    n_common = nothing + 1 + len(GROUPS)  # the answers' intercepts come last
    ridge = np.full(n_common + len(GROUPS) * (N_WEIGHTS + 1), GROUP_RIDGE)
    ridge[:n_common] = COMMON_RIDGE
    ridge[[N_WEIGHTS, *range(nothing + 1, n_common)]] = 0
    ridge[nothing] = 1e3
    indices = []
    for some in rows:
        n = len(some.targets)
        intercept = nothing + 1 + some.group if some.is_answers else N_WEIGHTS
        words = np.array([listed.get(word, len(listed)) for word in some.words]) + N_WEIGHTS + 1
        own = n_common + some.group * (N_WEIGHTS + 1)
        own_intercept = nothing if some.is_answers else own + N_WEIGHTS
        shared = np.column_stack([some.indices, np.full(n, intercept), words])
        indices.append(np.column_stack([shared, some.indices + own, np.full(n, own_intercept)]))
    targets = np.concatenate([some.targets for some in rows])
    importance = np.concatenate([some.importance for some in rows])
    found = _minimise(np.concatenate(indices), targets, importance / importance.sum(), ridge)
    by_group = found[: N_WEIGHTS + 1] + found[n_common:].reshape(len(GROUPS), -1)
    return by_group, found[N_WEIGHTS + 1 : nothing]


def _minimise(
    indices: NDArray[np.int64],
    targets: NDArray[np.float64],
    shares: NDArray[np.float64],
    ridge: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The weights of least cross entropy and penalty."""
    at, target, share, penalty = (torch.from_numpy(array) for array in (indices, targets, shares, ridge))
    weight = torch.zeros(len(ridge), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        logits = weight[at].sum(1)
        cross = torch.nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
        value = (cross * share).sum() + (penalty * weight**2).sum()
        value.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    found: NDArray[np.float64] = weight.detach().numpy()
    return found


def spellings(samples: Sequence[Sample]) -> dict[int, str]:
    """A spelling for each stem's hash: prefixes of the words seen."""
    found: dict[int, str] = {}
    for sample in samples:
        types = find_types(sample.words)
        stems = types.stems[types.of].tolist()
        ranges = zip(sample.words.starts.tolist(), sample.words.ends.tolist(), strict=True)
        for stem, hash_, (start, end) in zip(stems, sample.words.hashes.tolist(), ranges, strict=True):
            if stem not in found:
                word = sample.text[start:end].lower()
                found[stem] = word if stem == hash_ else _prefix(word, stem)
    return found


def _prefix(word: str, stem: int) -> str:
    return next(word[:end] for end in range(1, len(word) + 1) if hash_word(word[:end]) == stem)


def _rounded(values: NDArray[np.float64]) -> list[int]:
    return [round(value * UNIT) for value in values.tolist()]


def _laid_out(value: object, depth: int = 0) -> str:
    """JSON with one line for each innermost object or list."""
    if not isinstance(value, dict) or not any(isinstance(item, dict | list) for item in value.values()):
        return json.dumps(value, ensure_ascii=False)
    pad = " " * (depth + 1)
    rows = (f"{pad}{json.dumps(key)}: {_laid_out(item, depth + 1)}" for key, item in value.items())
    return "{\n" + ",\n".join(rows) + "\n" + " " * depth + "}"


@click.command()
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", default=Path("compressor/data"), type=click.Path(file_okay=False, path_type=Path))
def main(data: Path, out: Path) -> None:
    """Fit to the folder DATA and write OUT/frequency_weights.json."""
    graded = read_graded(data / "distill" / "graded.jsonl.gz")
    samples = [sample for sample in graded if not sample.is_held_out]
    rows = [rows_of(sample) for sample in samples]
    listed = listed_words(samples, rows)
    by_group, by_word = fit([*rows, *answer_rows(data / "qa_train.jsonl.gz")], listed)
    spelled = spellings(samples)
    words: dict[str, dict[str, int]] = {language: {} for language in LANGUAGES}
    for (column, stem), weight in zip(listed, _rounded(by_word), strict=True):
        words[LANGUAGES[column]][spelled[stem]] = weight
    tables: dict[str, dict[str, list[int]]] = {
        name: {
            group: _rounded(by_group[i, OFFSETS[name] : OFFSETS[name] + size])
            for i, group in enumerate(GROUPS)
        }
        for name, size in SIZES.items()
    }
    tables["repeated_line"] = {group: list(REPEATED_LINE) for group in GROUPS}
    result = {
        "intercepts": {group: _rounded(by_group[i, -1:])[0] for i, group in enumerate(GROUPS)},
        "features": tables,
        "words": {language: dict(sorted(of.items())) for language, of in words.items()},
    }
    path = out / "frequency_weights.json"
    path.write_text(_laid_out(result) + "\n", encoding="utf-8")
    click.echo(f"{path}: {len(samples)} chunks, {len(listed)} words")


if __name__ == "__main__":
    main()
