"""`POST /pith/v1/scores`: this instance's scorer for other instances; the binary twin of /pith/v1/explain.

Nothing is recorded here: whoever asks has the texts' tenants, and a cache. A request is cancelled when
whoever asked has left; what it had in the queue is dropped then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from compressor import ScorerDown, ScoreRequest, ScoringError
from compressor.types import Scores
from compressor.words import WORDS_VERSION, split
from gateway.offload import Offload
from gateway.remote.frames import Answered, Asked, pack_answered, read_asked
from gateway.scoring import Scoring

MAX_PATIENCE_S = 60.0


async def answer(raw: bytes, scoring: Scoring, offload: Offload) -> bytes:
    """The message for a message. Raises ValueError for what is none."""
    asked = await offload(len(raw), read_asked, raw)
    if asked.fingerprint not in (None, scoring.fingerprint):
        why = ScorerDown("another scorer is asked for")
        outcomes: Sequence[Scores | ScoringError] = [why for _ in asked.texts]
    else:
        requests = await offload(len(raw), _requests, asked)
        outcomes = await _scored(requests, asked, scoring)
    return await offload(
        len(raw), pack_answered, Answered(scoring.fingerprint, WORDS_VERSION, tuple(outcomes))
    )


def _requests(asked: Asked) -> list[ScoreRequest]:
    return [ScoreRequest(text, split(text)) for text in asked.texts]


@dataclass(slots=True)
class _Late:
    """Scores that come after the deadline."""

    scores: dict[int, Scores] = field(default_factory=dict)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, index: int, scores: Scores) -> None:
        self.scores[index] = scores
        self.came.set()


async def _scored(
    requests: Sequence[ScoreRequest], asked: Asked, scoring: Scoring
) -> list[Scores | ScoringError]:
    """In time, or as long as they are of use."""
    if not requests:
        return []
    deadline_s = None if asked.deadline_ms is None else asked.deadline_ms / 1e3
    late = _Late() if asked.patience_ms else None
    loop = asyncio.get_running_loop()
    until = loop.time() + min(asked.patience_ms / 1e3, MAX_PATIENCE_S)
    outcomes = await scoring.score(requests, deadline_s=deadline_s, late=late)
    if late is None:
        return outcomes
    missing = {
        at
        for at, one in enumerate(outcomes)
        if isinstance(one, ScoringError) and not isinstance(one, ScorerDown)
    }
    try:
        async with asyncio.timeout_at(until):
            while missing - late.scores.keys():
                late.came.clear()
                await late.came.wait()
    except TimeoutError:
        pass
    return [late.scores.get(at, outcome) for at, outcome in enumerate(outcomes)]
