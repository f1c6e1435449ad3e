"""One text compressed before the first request comes, for what is loaded at first use.

Of the scorers that ship those are tables; with the lexicon they take 0.25 s, which the first request would
wait for, and 45 MiB for a moment, which the process would keep.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
from numpy.typing import NDArray

from compressor import Chunk, CompressionParams, Engine, Scorer, Scores, Words

TEXT: Final = (
    "The committee did not agree on 3 of the 12 items: 不是 三个。 아니다. ない. Kein Wort, jamais non più."
)
"""Words, numbers and negations of several scripts, whose tables are read one by one."""


class Indifferent:
    """Keeps every word alike: to warm what is around a scorer that is not here."""

    fingerprint = "indifferent"

    def encode(self, text: str, words: Words) -> list[Chunk]:
        """Nothing to score."""
        return []

    def forward(self, batch: Sequence[Chunk]) -> list[NDArray[np.float32]]:
        """Never asked."""
        return []

    def merge(self, words: Words, chunks: Sequence[Chunk], scores: Sequence[NDArray[np.float32]]) -> Scores:
        """All the same."""
        return np.zeros(len(words), np.uint16)


def warm_up(scorer: Scorer) -> None:
    """Compress TEXT; a scorer that fails says so when it is asked in earnest."""
    with ThreadPoolExecutor(1, "pith-warming") as runner:  # whoever calls may have an event loop
        runner.submit(lambda: asyncio.run(_compress(scorer))).result()


async def _compress(scorer: Scorer) -> None:
    async with Engine(scorer) as engine:
        await engine.compress([TEXT], CompressionParams(rate=0.5))
