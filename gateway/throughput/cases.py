"""What the compressor is given: texts of a size, so many calls at once; and one size as many messages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from compressor import counter
from gateway.demo.corpus import ENCODING, prose

_KINDS = ("meeting", "document", "tool_result")


@dataclass(frozen=True, slots=True)
class Case:
    """`n_texts` texts of `tokens` target tokens in all, by each of `at_once` callers."""

    tokens: int
    at_once: int = 1
    n_texts: int = 1

    @property
    def name(self) -> str:
        """As the table shows it."""
        size = f"{self.tokens:,}"
        return size if self.n_texts == 1 else f"{size} as {self.n_texts}"

    def calls(self, seed: str) -> list[list[str]]:
        """The texts of each caller; another seed gives others."""
        random = Random(f"{seed} {self.name}")  # noqa: S311  # the same texts on every machine, not secrets
        size = self.tokens // self.n_texts
        return [
            [_text(_KINDS[at % len(_KINDS)], size, random) for at in range(self.n_texts)]
            for _ in range(self.at_once)
        ]


def cases(sizes: Sequence[int], at_once: Sequence[int], messages: Sequence[int]) -> Iterator[Case]:
    """Each size as one text by so many at once, then 4k tokens as so many messages."""
    for size in sizes:
        yield from (Case(size, callers) for callers in at_once)
    yield from (Case(4000, 1, n_texts) for n_texts in messages)


def _text(kind: str, tokens: int, random: Random) -> str:
    """Prose of about so many tokens, cut at a space."""
    text = prose(kind, tokens, random)
    end = len(text) * tokens // max(tokens, counter(ENCODING).count(text))
    return text[:end].rsplit(" ", 1)[0] if end < len(text) else text
