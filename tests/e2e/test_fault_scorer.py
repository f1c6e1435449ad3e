"""The fault matrix's scorer: whatever its steps do, texts go on, whole at worst.

For each cell a gateway with a scorer of its own; several cells are tried at the same time.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compressor.types import Chunk, Scores, Words
from tests.e2e.fault_matrix import SCORER, Cell
from tests.e2e.whole_cells import Came, Place, at, came, named, side_by_side, text
from tests.fakes import LengthScorer
from tests.redis_server import PATIENCE_S

# A thread that ends is one of the faults.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")

MARK = "Struck."
"""What a text says that the fault is to meet."""
SLOW_S = 0.1
pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnhandledThreadExceptionWarning"
)  # it is the fault

HOLE_MS = 300
"""The deadline where it has to pass."""

NAN = np.array([np.nan], np.float32)


@dataclass(frozen=True)
class Bad:
    """What a step is to answer that is not right."""

    little: object
    no_number: object
    garbage: object


class FaultyScorer(LengthScorer):
    """Goes wrong in one way at one step, where a text is marked, until `is_well`."""

    def __init__(self, fault: str, moment: str) -> None:
        super().__init__()
        self._fault, self._moment = fault, moment
        self._marked: set[Words] = set()
        self.is_well = threading.Event()

    def encode(self, text: str, words: Words) -> list[Chunk]:
        if MARK in text:
            self._marked.add(words)
        chunks = super().encode(text, words)
        bad = Bad([], [Chunk(0, words)], ["no chunk"])
        answer: list[Chunk] = self._step("connect", [words], lambda: chunks, bad)
        return answer

    def forward(self, batch: Sequence[Chunk]) -> list[NDArray[np.float32]]:
        texts = [chunk.payload for chunk in batch if isinstance(chunk.payload, Words)]
        score = super().forward
        moment = "mid-stream" if self._moment == "mid-stream" else "headers"
        nan = [NAN.repeat(len(words)) for words in texts]
        bad = Bad(score(batch)[:-1], nan, ["no scores"] * len(texts))
        answer: list[NDArray[np.float32]] = self._step(moment, texts, lambda: score(batch), bad)
        return answer

    def merge(self, words: Words, chunks: Sequence[Chunk], scores: Sequence[NDArray[np.float32]]) -> Scores:
        with np.errstate(invalid="ignore"):
            whole = super().merge(words, chunks, scores)
        bad = Bad(whole[:-1], NAN.repeat(len(words)), None)
        answer: Scores = self._step("end", [words], lambda: whole, bad)
        return answer

    def _step(self, moment: str, texts: Sequence[Words], right: Callable[[], object], bad: Bad) -> Any:
        if moment != self._moment or self.is_well.is_set() or self._marked.isdisjoint(texts):
            return right()
        match self._fault:
            case "refused":
                raise RuntimeError("never shown")
            case "black hole":
                assert self.is_well.wait(PATIENCE_S)
            case "reset":
                raise SystemExit
            case "slow drip":
                self.is_well.wait(SLOW_S)
            case "half close":
                return bad.little
            case "bad chunk":
                return bad.no_number
            case "garbage":
                return bad.garbage
        return right()


@dataclass
class Seen:
    """What came of one cell."""

    skip: str | None
    sent: list[str]
    """The texts of the request, as the client sent them; the last is marked."""
    forwarded: list[str]
    later: list[str]
    """What went on of one that is not marked, afterwards."""


async def tried(cell: Cell, place: Place) -> Seen:
    fault, moment = cell
    scorer, expected = FaultyScorer(fault, moment), SCORER[cell]
    settings: dict[str, Any] = {"compressor": {"deadline_ms": HOLE_MS}} if fault == "black hole" else {}
    async with place.asking(cell, scorer, **settings) as asker:
        try:
            sent = [text(1000), f"{MARK} {text(1001)}"][moment != "mid-stream" :]
            answer = await asker.ask(*sent)
            if moment != "mid-stream" or expected.is_for_good:  # else the other text may have come later
                await asker.says("scorer", expected.degraded)
            scorer.is_well.set()
            later = await asker.ask()
            while later.headers.get("x-pith-skip") in ("deadline", "overloaded"):
                later = await asker.ask()
            await asker.says("scorer", expected.degraded if expected.is_for_good else None)
        finally:
            scorer.is_well.set()
        found = asker.forwarded()
    return Seen(answer.headers.get("x-pith-skip"), sent, found[0], found[-1])


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Came[Seen]:
    async def run(folder: Path) -> Came[Seen]:
        async with at(folder) as place:
            return await side_by_side(SCORER, lambda cell: tried(cell, place))

    return asyncio.run(run(tmp_path_factory.mktemp("cells")))


@pytest.mark.parametrize("cell", SCORER, ids=named)
def test_cell(seen: Came[Seen], cell: Cell) -> None:
    expected, found = SCORER[cell], came(seen, cell)
    is_whole = [sent == forwarded for sent, forwarded in zip(found.sent, found.forwarded, strict=True)]
    assert is_whole[-1] == (expected.skip is not None)
    assert expected.others == "either" or not any(is_whole[:-1])
    assert found.skip == (expected.skip if all(is_whole) else None)
    assert (len(found.later[0]) < len(text(0))) != expected.is_for_good
