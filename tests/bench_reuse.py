"""How much of an edited or grown text a local scorer need not score again (docs/benchmarks.md).

    python -m tests.bench_reuse

Texts in rows of 512 tokens, as token-classification models of 512 positions take them; of the tokens in the
rows of the new text, the share in rows that the old one had too. Which those are depends on the tokenizer
little; a small one is learnt on the spot.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from statistics import quantiles

import click

from compressor.chunks import Limits
from compressor.scorers.rows import RowFront
from compressor.scorers.tokenizer import TextTokenizer
from compressor.words import split
from gateway.demo.corpus import PROSE, prose
from tests.bench_classifiers import framed

LIMITS = Limits.of(510)
NEW = "This paragraph is another one, and says something else."


def replaced(text: str, random: Random) -> str:
    """A paragraph anew."""
    lines = text.split("\n")
    lines[random.randrange(len(lines))] = NEW
    return "\n".join(lines)


def inserted(text: str, random: Random) -> str:
    """A paragraph more."""
    lines = text.split("\n")
    lines.insert(random.randrange(len(lines)), NEW)
    return "\n".join(lines)


def grown(text: str, random: Random) -> str:
    """A tenth more at the end."""
    return f"{text}\n{prose(PROSE[0], len(text) // 40, random)}"


CHANGES: dict[str, Callable[[str, Random], str]] = {
    "replaced": replaced,
    "inserted": inserted,
    "grown": grown,
}


def share_known(front: RowFront, old: str, new: str) -> float:
    """Of the new text's rows in tokens, how many the old one had."""
    known = {chunk.subject for chunk in front.encode(old, split(old))}
    chunks = front.encode(new, split(new))
    return sum(c.n_tokens for c in chunks if c.subject in known) / sum(c.n_tokens for c in chunks)


@click.command(help=__doc__)
@click.option(
    "--repeats", type=click.IntRange(2), default=40, show_default=True, help="Texts of each length."
)
@click.option("--text-tokens", type=click.IntRange(100), multiple=True, default=(4_000, 10_000, 40_000))
def main(repeats: int, text_tokens: tuple[int, ...]) -> None:
    random = Random("reuse")  # the same texts on every machine
    front = RowFront(TextTokenizer(json.loads(framed("Unigram").to_str()), "bench"), LIMITS)
    for n_tokens in text_tokens:
        for name, change in CHANGES.items():
            shares = []
            for at in range(repeats):
                old = prose(PROSE[at % len(PROSE)], n_tokens, random)
                shares.append(share_known(front, old, change(old, random)))
            tenth, *_, median, _, _, _, _ = quantiles(shares, n=10)
            click.echo(f"{n_tokens:>7} tokens, {name:<8}  median {median:.2f}, a tenth below {tenth:.2f}")


if __name__ == "__main__":
    main()
