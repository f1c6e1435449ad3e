"""The scorers that the playground may ask besides the one of requests.

Each is loaded when first asked for, and stays. One text is scored at a time, in a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from compressor import ModelError, Scorer, ScoreRequest
from compressor.scorers import load
from compressor.types import Chunk, Scores
from gateway.refusal import Refusal
from gateway.settings import CompressorConfig

LOADED: Final = "loaded"
"""The one that requests use."""

BESIDE: Final = {"default": "embedded", "frequency": "frequency"}
"""What the page calls the others, and their names as `compressor.scorer`."""

MAX_TOGETHER: Final = 8
"""Chunks of a forward pass: as much memory as a request's batch takes at most."""


def choices(config: CompressorConfig) -> dict[str, str]:
    """What may be chosen, and what the page says of it; what requests use is not there twice."""
    own = "remote" if config.remote is not None else config.scorer
    used = {own, *(name for name, known in BESIDE.items() if own == known)}
    others = {name: said for name, said in _SAID.items() if name not in used}
    return {LOADED: f"as requests have it: {own}", **others}


_SAID: Final = {"default": "default: the model that ships", "frequency": "frequency: word statistics"}


class Beside:
    """Scorers by name."""

    def __init__(self) -> None:
        self._scorers: dict[str, Scorer] = {}

    async def get(self, name: str) -> Scorer:
        """Raises Refusal where it cannot be loaded."""
        if name not in self._scorers:
            try:
                self._scorers[name] = await asyncio.to_thread(load, BESIDE[name], "cpu")
            except ModelError as error:
                message = f"scorer {name} cannot be loaded: {error}"
                raise Refusal(400, code="invalid_request", message=message) from error
        return self._scorers[name]

    async def score(self, name: str, request: ScoreRequest) -> Scores:
        """The words of one text."""
        return await asyncio.to_thread(_score, await self.get(name), request)


def _score(scorer: Scorer, request: ScoreRequest) -> Scores:
    chunks = scorer.encode(request.text, request.words)
    scores = [one for group in _groups(chunks) for one in scorer.forward(group)]
    return scorer.merge(request.words, chunks, scores)


def _groups(chunks: Sequence[Chunk]) -> list[Sequence[Chunk]]:
    return [chunks[start : start + MAX_TOGETHER] for start in range(0, len(chunks), MAX_TOGETHER)]
