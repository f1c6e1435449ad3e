"""Scorers for a process of their own, which a text can make fail: by a word of so many letters."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compressor.errors import ModelError, OutOfMemory
from compressor.types import Chunk, Words
from tests.fakes import LengthScorer

KILL, HANG, RAISE, LOSE, SLOW, BABBLE = 21, 22, 23, 24, 25, 26
"""Letters of a word that does it."""
SLOW_S = 1.0


def front(told: dict[str, Any]) -> LengthScorer:
    """The half that stays."""
    return LengthScorer()


class Mortal(LengthScorer):
    summary = "cpu: as quick as can be"

    def __init__(self, n_chunks: int) -> None:
        super().__init__()
        self.n_chunks = n_chunks
        self.is_lost = False

    def forward(self, batch: Sequence[Chunk]) -> list[NDArray[np.float32]]:
        words = [chunk.payload for chunk in batch if isinstance(chunk.payload, Words)]
        longest = max(int(one.lengths.max()) for one in words)
        if longest == KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        if longest == HANG:
            time.sleep(1000)
        if longest == SLOW:
            time.sleep(SLOW_S)
        if longest == BABBLE:
            return ["garbage"]  # type: ignore[list-item]  # the fault
        self.is_lost |= longest == LOSE
        if longest == RAISE or self.is_lost:
            raise RuntimeError("words of a text")
        if len(batch) > self.n_chunks:
            raise OutOfMemory(f"{len(batch)} chunks")
        return super().forward(batch)


def mortal(n_chunks: str = "1000") -> Mortal:
    """Loads it."""
    return Mortal(int(n_chunks))


def refused() -> Mortal:
    raise ModelError("model 'x': there is none")


def broken() -> Mortal:
    raise OSError("a path")


def dying() -> Mortal:
    os._exit(3)


def other(path: str) -> Mortal:
    """Of another fingerprint the second time."""
    scorer = Mortal(1000)
    if os.path.exists(path):
        scorer.fingerprint = "other"
    with open(path, "w") as file:
        file.write("loaded")
    return scorer
