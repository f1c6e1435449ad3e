"""The same scorer on several devices: each text goes to the device with the least to do.

A device that fails is avoided while others are well, and tried again with one text after a pause that doubles
while it keeps failing. A text is given to one device only: one that fails a device would fail the next, too.
Law 7 is the workers'.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from numpy import float32
from numpy.typing import NDArray

from compressor.errors import ModelError, Overloaded, ScorerDown, ScoringError
from compressor.pause import pause_s
from compressor.types import Chunk, Scorer, Scores, Words
from compressor.worker import Submission, Vitals, Worker

ONLY = "default"
"""What a device is called that is the only one."""


class Replicated:
    """Scorers of one fingerprint by the name of their device. A `Scorer` itself, on the first of them."""

    def __init__(self, replicas: Mapping[str, Scorer]) -> None:
        self.replicas = dict(replicas)
        self._first = next(iter(self.replicas.values()))
        self.fingerprint = self._first.fingerprint
        for name, scorer in self.replicas.items():
            if scorer.fingerprint != self.fingerprint:
                raise ModelError(
                    f"the scorer on {name} has fingerprint {scorer.fingerprint!r}, the first has "
                    f"{self.fingerprint!r}: load the same model on every device"
                )

    @property
    def compat(self) -> object:
        """For fidelity compat; None where the scorer has none."""
        return getattr(self._first, "compat", None)

    def encode(self, text: str, words: Words) -> list[Chunk]:
        """As each of them would."""
        return self._first.encode(text, words)

    def forward(self, batch: Sequence[Chunk]) -> list[NDArray[float32]]:
        """On the first device; an engine asks the replicas themselves."""
        return self._first.forward(batch)

    def merge(self, words: Words, chunks: Sequence[Chunk], scores: Sequence[NDArray[float32]]) -> Scores:
        """As each of them would."""
        return self._first.merge(words, chunks, scores)


def by_device(scorer: Scorer) -> dict[str, Scorer]:
    """The scorers that forward, by the name of their device."""
    return scorer.replicas if isinstance(scorer, Replicated) else {ONLY: scorer}


@dataclass(slots=True)
class _Replica:
    """A device, and when it is tried again if it has failed."""

    name: str
    worker: Worker
    n_tries: int = 0
    due_at: float = -math.inf

    def is_due(self, now: float) -> bool:
        """Whether to try it although it has failed; what says by itself that it is lost is not tried."""
        return self.worker.trouble is not None and not self.worker.is_lost and now >= self.due_at

    def note(self, now: float) -> None:
        """It is given a text: where it has failed, that is a try."""
        if self.worker.trouble is None:
            self.n_tries = 0
        else:
            self.due_at = now + pause_s(self.n_tries)
            self.n_tries += 1


@dataclass(slots=True)
class Replicas:
    """The workers of an engine, with the manners of one."""

    workers: Mapping[str, Worker]
    clock: Callable[[], float]
    _replicas: list[_Replica] = field(init=False)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._replicas = [_Replica(name, worker) for name, worker in self.workers.items()]

    @property
    def trouble(self) -> str | None:
        """Which devices are down, and why."""
        down = {name: worker.trouble for name, worker in self.workers.items() if worker.trouble}
        if len(self.workers) == 1 or not down:
            return next(iter(down.values()), None)
        return "; ".join(f"{name}: {trouble}" for name, trouble in down.items())

    def vitals(self) -> dict[str, Vitals]:
        """How each device is."""
        return {name: worker.vitals() for name, worker in self.workers.items()}

    def start(self) -> None:
        """Start the threads."""
        for worker in self.workers.values():
            worker.start()

    def stop(self, timeout_s: float) -> None:
        """Answer everybody now, on every device; then wait for passes under way, that long together."""
        for worker in self.workers.values():
            worker.close()
        until = self.clock() + timeout_s
        for worker in self.workers.values():
            worker.stop(max(0.0, until - self.clock()))

    def submit(
        self, chunks: Sequence[Chunk], *, owner: int, deadline: float = math.inf, is_background: bool = False
    ) -> Submission:
        """To the best device that takes them. Raises Overloaded, or ScorerDown, if none does."""
        refusal: ScoringError | None = None
        for worker in self._by_preference():
            try:
                return worker.submit(chunks, owner=owner, deadline=deadline, is_background=is_background)
            except (Overloaded, ScorerDown) as error:
                refusal = refusal or error
        assert refusal is not None
        raise refusal

    def drop(self, owner: int) -> None:
        """The owner has gone: take its chunks out of the queues."""
        for worker in self.workers.values():
            worker.drop(owner)

    def _by_preference(self) -> list[Worker]:
        """Who is to be tried again first, then the well by what they have to do, then the others."""
        if len(self._replicas) == 1:
            return [self._replicas[0].worker]
        now = self.clock()
        with self._lock:

            def rank(replica: _Replica) -> tuple[int, int]:
                if replica.is_due(now):
                    return 0, 0
                return (1 if replica.worker.trouble is None else 2), replica.worker.n_tokens

            ranked = sorted(self._replicas, key=rank)
            ranked[0].note(now)
        return [replica.worker for replica in ranked]
