"""A scorer whose forward pass runs in a process of its own: what kills that process costs savings, not Pith.

Texts are encoded and merged here, in the engine's threads; only arrays cross (`wire.py`). The process is
started, watched and started again by a thread (`_keep`), which is its parent as far as the system is
concerned. Whoever asks while it is away, and whoever is waiting when it dies, is answered ScorerLost at once
(law 7); one that answers nothing for `watchdog_s` is killed. Another process with other scores is not used.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from compressor import wire
from compressor.child import receive
from compressor.child_process import ChildProcess, launch
from compressor.compat_chunks import Vocabulary
from compressor.errors import CompressorError, ModelError, OutOfMemory, ScorerDown, ScorerLost
from compressor.pause import pause_s
from compressor.types import Chunk, Scores, Words
from compressor.wire import Array, Kind, WireError
from compressor.words import split

WELL_S: Final = 10.0
"""A process that scored for so long is followed by another without a pause that has grown."""
WATCHDOG_S: Final = 60.0
CLOSING_S: Final = 5.0

_SAMPLE: Final = "a text"

_log = logging.getLogger(__name__)


class Front(Protocol):
    """What of a scorer runs here."""

    def encode(self, text: str, words: Words) -> list[Chunk]:
        """As of a scorer."""

    def merge(self, words: Words, chunks: Sequence[Chunk], scores: Sequence[NDArray[np.float32]]) -> Scores:
        """As of a scorer."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to make the two halves of a scorer."""

    loader: str
    """`module:function`, called in the process with the arguments; gives a Scorer."""
    arguments: tuple[str, ...]
    front: Callable[[dict[str, Any]], Front]
    """From what the process said of its scorer: `fingerprint` and `limits`."""


class IsolatedScorer:
    """A `Scorer`. `start` and `close` it; in between it keeps a process running."""

    def __init__(
        self,
        recipe: Recipe,
        *,
        watchdog_s: float = WATCHDOG_S,
        pause_s: Callable[[int], float] = pause_s,
        well_s: float = WELL_S,
    ) -> None:
        self._recipe = recipe
        self._watchdog_s = watchdog_s
        self._pause_s = pause_s
        self._well_s = well_s
        self._latest: ChildProcess | None = None
        self._child: ChildProcess | None = None
        """The latest once it scores, and as long as it does."""
        self._lock = threading.Lock()
        """Of these two and `trouble`, for a moment. `_asking` is held for as long as a batch takes."""
        self._asking = threading.Lock()
        self._is_closing = threading.Event()
        self._has_settled = threading.Event()
        """The first process scores, or was refused."""
        self._refusal: str | None = None
        self._front: Front | None = None
        self._thread = threading.Thread(target=self._keep, name="pith-keeper", daemon=True)
        self.fingerprint = ""
        self.trouble: str | None = "the scorer's process is being started"
        self.n_restarts = 0

    @property
    def compat(self) -> Vocabulary | None:
        """For fidelity compat; None where the scorer has none. Raises ModelError."""
        found: Vocabulary | None = getattr(self._here(), "compat", None)
        return found

    @property
    def pid(self) -> int | None:
        """Of the process that scores now."""
        child = self._child
        return child.process.pid if child else None

    def start(self) -> None:
        """Start the process and wait until it scores. Raises ModelError if it cannot."""
        self._thread.start()
        self._has_settled.wait()
        if self._refusal is not None:
            self._thread.join()
            raise ModelError(self._refusal)
        try:
            for chunk in self.encode(_SAMPLE, split(_SAMPLE)):
                wire.kind_of(chunk)
        except TypeError as error:
            self.close()
            raise ModelError(
                f"{error}: the scorer cannot have a process of its own; use isolation: thread"
            ) from error

    def close(self) -> None:
        """End the process; whoever waits for it is answered."""
        with self._lock:
            self._is_closing.set()
            self._child = None
            latest = self._latest
        if latest is not None:
            latest.part()
            latest.end(CLOSING_S)
        if self._thread.ident is not None:
            self._thread.join()

    def encode(self, text: str, words: Words) -> list[Chunk]:
        """Here, in the caller's thread."""
        return self._here().encode(text, words)

    def merge(self, words: Words, chunks: Sequence[Chunk], scores: Sequence[NDArray[np.float32]]) -> Scores:
        """Here, in the caller's thread."""
        return self._here().merge(words, chunks, scores)

    def forward(self, batch: Sequence[Chunk]) -> list[NDArray[np.float32]]:
        """There. Raises ScorerLost where there is nobody, or is not any more."""
        kinds: dict[Kind, list[int]] = {}
        for at, chunk in enumerate(batch):
            kinds.setdefault(wire.kind_of(chunk), []).append(at)
        scores: dict[int, NDArray[np.float32]] = {}
        for kind, places in kinds.items():
            asked = wire.pack_chunks(kind, [batch[at] for at in places])
            scores.update(zip(places, self._ask(asked), strict=False))
        return [scores[at] for at in sorted(scores)]

    def _here(self) -> Front:
        if self._front is None:
            raise ScorerLost("the scorer's process was not started")
        return self._front

    def _ask(self, frame: bytes) -> list[NDArray[np.float32]]:
        with self._asking:
            with self._lock:
                child = self._child
            if child is None:
                raise ScorerLost(self.trouble or "the scorer's process is being started")
            try:
                kind, arrays = child.ask(frame)
                if kind == Kind.FAILED:
                    raise self._failure(child, wire.said(arrays))
                if kind != Kind.SCORES:
                    raise WireError("an answer that is none")
                return wire.split(*arrays) if arrays else []
            except TimeoutError as error:
                raise self._gone(child, f"gave no answer for {self._watchdog_s:g} s") from error
            except (OSError, EOFError) as error:
                raise self._gone(child, "ended") from error
            except (WireError, TypeError) as error:
                raise self._gone(child, "gave an answer that is none") from error

    def _failure(self, child: ChildProcess, told: dict[str, Any]) -> ScorerDown:
        if told.get("is_lost"):
            return self._gone(child, f"lost its device ({told.get('why')})")
        return (OutOfMemory if told.get("is_memory") else ScorerDown)(str(told.get("why")))

    def _gone(self, child: ChildProcess, how: str) -> ScorerLost:
        """It is of no use any more: kill it, if it is not dead already; `_keep` sees it end."""
        trouble = f"the scorer's process {how}; another is being started"
        with self._lock:
            if self._child is child:
                self._child = None
                self.trouble = trouble
        child.process.kill()
        return ScorerLost(trouble)

    def _keep(self) -> None:
        """Have a process running until `close`."""
        n_failed = 0
        while not self._is_closing.is_set():
            how, scored_s = self._live()
            if not self._has_settled.is_set():
                self._refusal = self._refusal or f"the scorer's process ended while it was started: {how}"
                self._has_settled.set()
                return
            n_failed = 0 if scored_s >= self._well_s else n_failed + 1
            pause_s = self._pause_s(max(0, n_failed - 1))
            said = f"{self._refusal or how}; another is started in {pause_s:g} s"
            self._say(said)
            if not self._is_closing.is_set():
                _log.warning("the scorer's process ended: %s", said)
            self._refusal = None
            self._is_closing.wait(pause_s)
            self.n_restarts += 1
        self._say("it was closed")

    def _live(self) -> tuple[str, float]:
        """One process from its start to its end: how it ended, and for how long it scored."""
        try:
            child = self._spawn()
        except OSError as error:  # no memory, no descriptors, or no interpreter any more
            return f"it could not be started ({error.strerror})", -math.inf
        self._watch(child)
        how = child.end(0.0)
        child.part()
        with self._asking:  # else whoever still reads from it would read from what gets its number next
            child.link.close()
        return how, time.monotonic() - child.since

    def _say(self, what: str) -> None:
        with self._lock:
            self._child = None
            self.trouble = f"the scorer's process ended: {what}"

    def _spawn(self) -> ChildProcess:
        """Raises OSError."""
        child = launch()
        with self._lock:
            self._latest = child
            if self._is_closing.is_set():
                child.part()
        return child

    def _watch(self, child: ChildProcess) -> None:
        """From its loading to its end."""
        try:
            kind, arrays = self._greeted(child)
            told = wire.said(arrays)
        except (OSError, EOFError, WireError):
            return
        if kind != Kind.READY:
            self._refusal = str(told.get("why"))
            return
        fingerprint = str(told.get("fingerprint"))
        if self._front is None:
            try:
                self._front = self._recipe.front(told)
            except (CompressorError, OSError) as error:
                why = error if isinstance(error, CompressorError) else type(error).__name__
                self._refusal = f"what of the scorer stays in this process does not load: {why}"
                return
            self.fingerprint = fingerprint
        elif fingerprint != self.fingerprint:
            self._refusal = "the model has changed: restart Pith to use it"
            return
        _log.info("the scorer's process scores: %s", told.get("summary") or fingerprint)
        child.link.settimeout(self._watchdog_s)
        child.since = time.monotonic()
        with self._lock:
            if self._is_closing.is_set():
                return
            self._child, self.trouble = child, None
        self._has_settled.set()
        child.process.wait()

    def _greeted(self, child: ChildProcess) -> tuple[Kind, list[Array]]:
        """Told what to load, which may take minutes; a process that dies meanwhile closes its end."""
        asked = {"loader": self._recipe.loader, "arguments": self._recipe.arguments}
        child.link.sendall(wire.pack_said(Kind.LOAD, asked))
        return receive(child.link)
