"""Scores of chunks kept between texts: of a text that was edited or has grown only what is new is scored.

For scorers that are local: the scores of a chunk depend on that chunk alone, its halo included, and the
chunk says so by a `Subject`. Windows are cut where the text is good to cut, so behind an edit they mostly
begin and end where they did before, soon.

Law: a text's scores are the same whether its chunks' are on the shelf or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from compressor.types import Chunk, Subject

Part: TypeAlias = NDArray[np.float32]
"""The scores of one chunk, as the scorer gave them."""


class Shelf(Protocol):
    """Where they are kept. Neither method raises, and what does not fit its subject is not given."""

    async def find(self, subjects: Sequence[Subject]) -> Sequence[Part | None]:
        """The scores of each, None where there are none."""

    def keep(self, subjects: Sequence[Subject], parts: Sequence[Part]) -> None:
        """Keep these, some time soon."""


@dataclass(frozen=True, slots=True, eq=False)
class Shelved:
    """The chunks of a text, and what is on the shelf of each."""

    shelf: Shelf
    subjects: Sequence[Subject]
    known: Sequence[Part | None]

    def missing(self, chunks: Sequence[Chunk]) -> list[Chunk]:
        """Those to be scored."""
        return [chunk for chunk, part in zip(chunks, self.known, strict=True) if part is None]

    def completed(self, scored: Sequence[Part]) -> list[Part]:
        """The scores of all chunks, from those of the missing, which are kept."""
        self.shelf.keep(
            [subject for subject, part in zip(self.subjects, self.known, strict=True) if part is None], scored
        )
        new = iter(scored)
        return [next(new) if part is None else part for part in self.known]


def subjects_of(chunks: Sequence[Chunk]) -> list[Subject]:
    """Of a text in several chunks by a local scorer; of one in one chunk all is on record as it is."""
    found = [chunk.subject for chunk in chunks if chunk.subject is not None]
    return found if len(found) == len(chunks) > 1 else []
