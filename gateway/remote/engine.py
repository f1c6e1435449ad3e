"""Scores from another instance of Pith: one with a GPU serves many without. No model and no torch here.

Law 7: whoever waits is answered by scores, an error or the deadline. Scores that come later are handed to
`late`, as the local engine does. Of an instance that does not answer nothing is asked for a while
(`Breaker`); one with another scorer than the first, or of a release that finds other words, is asked nothing
at all, for what is recorded under one fingerprint must be of one scorer. Its messages are believed only as
far as they fit the texts, and no text is in a log or in the words of an error.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from secrets import token_hex
from typing import Final

from compressor import (
    Chunk,
    DeadlineExceeded,
    Overloaded,
    ParamsError,
    ScorerDown,
    ScoreRequest,
    ScoringError,
)
from compressor.compat_chunks import Vocabulary
from compressor.engine import Late
from compressor.llmlingua2 import Probs
from compressor.types import Scores
from compressor.words import WORDS_VERSION
from compressor.worker import Vitals
from gateway.breaker import Breaker
from gateway.errors import GatewayError
from gateway.offload import Offload
from gateway.remote.frames import (
    BYTES_A_WORD,
    MAX_HEAD,
    MEDIA_TYPE,
    PATH,
    Answered,
    Asked,
    pack_asked,
    read_answered,
)
from gateway.types import Upstream, UpstreamRequest

PATIENCE_S: Final = 30.0
"""How long late scores are waited for, and any answer."""
GREETING_S: Final = 2.0
LOOK_S: Final = 2.0
"""How often one that is in trouble is asked how it is."""
GROUP_CHARACTERS: Final = 32 * 1024
GROUP_TEXTS: Final = 64
"""Texts that share a message, and so its fate: one that is late does not hold up all others."""


@dataclass(slots=True)
class _Spoken:
    """What was last seen of the other side."""

    fingerprint: str | None = None
    """The first that it gave."""
    unfit: str | None = None
    """Why its scores are of no use."""
    fault: str | None = None
    """Why there was no answer the last time."""


class RemoteEngine:
    """Implements `Scoring` over an `Upstream`. Starts with `async with`."""

    def __init__(
        self,
        upstream: Upstream,
        offload: Offload,
        *,
        clock: Callable[[], float] = time.monotonic,
        look_s: float = LOOK_S,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._upstream = upstream
        self._offload = offload
        self._breaker = Breaker(clock, failures=3, window_s=2 * patience_s)
        self._look_s = look_s
        self._patience_s = patience_s
        self._spoken = _Spoken()
        self._unknown = f"unknown-{token_hex(8)}"
        self._keeper: asyncio.Task[None] | None = None
        self._background: set[asyncio.Task[list[Scores | ScoringError]]] = set()

    @property
    def fingerprint(self) -> str:
        """The first scorer's there; before that is known, one that no other process has."""
        return self._spoken.fingerprint or self._unknown

    @property
    def degraded(self) -> str | None:
        """Why texts are left whole; None while all is well."""
        return self._spoken.unfit or self._spoken.fault

    @property
    def vocabulary(self) -> Vocabulary:
        """Rows of fidelity compat are not sent. Raises ParamsError."""
        raise ParamsError(
            "fidelity is 'compat', which a remote scorer cannot: load the model here, or use native"
        )

    def vitals(self) -> dict[str, Vitals]:
        """There is no device here."""
        return {}

    async def __aenter__(self) -> RemoteEngine:
        try:
            async with asyncio.timeout(GREETING_S):
                await self._greet()
        except TimeoutError:
            self._spoken.fault = f"the remote scorer did not answer within {GREETING_S:g} s"
        self._keeper = asyncio.create_task(self._keep(), name="watch of the remote scorer")
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Answer whoever still waits, and close every connection."""
        if self._keeper is not None:
            self._keeper.cancel()
        for task in self._background:
            task.cancel()
        await self._upstream.aclose()

    async def score(
        self, requests: Sequence[ScoreRequest], *, deadline_s: float | None = None, late: Late | None = None
    ) -> list[Scores | ScoringError]:
        """The scores of each text, or why there are none. Cancelling the call cancels it there, too."""
        if not requests:
            return []
        if (refusal := self._refusal()) is not None:
            return [refusal for _ in requests]
        groups = list(_groups(requests))
        tasks = [
            asyncio.create_task(self._score(requests[start:end], deadline_s, waits_on=late is not None))
            for start, end in groups
        ]
        try:
            await asyncio.wait(tasks, timeout=deadline_s)
        except asyncio.CancelledError:
            for task in tasks:
                task.cancel()
            raise
        outcomes: list[Scores | ScoringError] = []
        for (start, end), task in zip(groups, tasks, strict=True):
            if task.done() and not task.cancelled():
                outcomes += task.result()
            else:
                self._leave(task, start, late)
                missed = DeadlineExceeded(f"no scores from the remote scorer within {deadline_s} s")
                outcomes += [missed] * (end - start)
        return outcomes

    async def score_rows(self, chunks: Sequence[Chunk], *, deadline_s: float | None = None) -> Probs:
        """Not from here."""
        raise ScorerDown("a remote scorer takes no rows of fidelity compat")

    def _leave(self, task: asyncio.Task[list[Scores | ScoringError]], start: int, late: Late | None) -> None:
        """To `late`, what a group comes to after its deadline; without one it is cancelled."""
        if late is None:
            task.cancel()
            return

        def finished(task: asyncio.Task[list[Scores | ScoringError]]) -> None:
            self._background.discard(task)
            if not task.cancelled() and task.exception() is None:
                for at, outcome in enumerate(task.result(), start):
                    if not isinstance(outcome, ScoringError):
                        late(at, outcome)

        self._background.add(task)
        task.add_done_callback(finished)

    def _refusal(self) -> ScorerDown | None:
        """Why nothing is asked now."""
        if self._spoken.unfit is not None or self._spoken.fingerprint is None:
            return ScorerDown(self.degraded or "the remote scorer has not been heard of yet")
        if not self._breaker.allows():
            return ScorerDown(f"{self._spoken.fault}; the next attempt is in {self._breaker.wait_s:.1f} s")
        return None

    async def _score(
        self, requests: Sequence[ScoreRequest], deadline_s: float | None, *, waits_on: bool
    ) -> list[Scores | ScoringError]:
        texts = tuple(request.text for request in requests)
        deadline_ms = None if deadline_s is None else int(deadline_s * 1e3)
        patience_ms = int(self._patience_s * 1e3) if waits_on else 0
        try:
            answered = await self._ask(Asked(texts, self._spoken.fingerprint, deadline_ms, patience_ms))
        except ScoringError as error:
            return [error for _ in requests]
        if self._spoken.unfit is not None:
            return [ScorerDown(self._spoken.unfit) for _ in requests]
        sizes = [None if isinstance(one, ScoringError) else len(one) for one in answered.outcomes]
        wanted = [len(request.words) for request in requests]
        if len(sizes) != len(wanted) or any(
            size not in (None, want) for size, want in zip(sizes, wanted, strict=True)
        ):
            failure = self._failed("answered scores of other texts")
            return [failure for _ in requests]
        return list(answered.outcomes)

    async def _ask(self, asked: Asked) -> Answered:
        """What the other side says. Raises ScoringError; takes note of how it is."""
        n_characters = sum(map(len, asked.texts))
        body = await self._offload(n_characters, pack_asked, asked)
        try:
            async with asyncio.timeout(self._patience_s + 1.0):
                status, raw = await self._exchange(body, MAX_HEAD + BYTES_A_WORD * n_characters)
        except TimeoutError as error:
            raise self._failed(f"gave no answer for {self._patience_s:g} s") from error
        except GatewayError as error:
            is_news = getattr(error, "retry_after_s", None) is None  # else: it is left alone for a while
            raise self._failed(f"gives no answer: {error}" if is_news else None) from error
        if status == 503:
            raise Overloaded("the remote scorer serves as many requests as it can")
        if status in _OF_THE_MESSAGE and asked.texts:
            raise ScorerDown(f"the remote scorer {_STATUSES[status]}")  # others have done nothing wrong
        if status != 200 or raw is None:
            raise self._failed(
                _STATUSES.get(status, f"answered {status}") if raw is not None else "says too much"
            )
        try:
            answered = await self._offload(len(raw), read_answered, raw)
        except ValueError as error:
            raise self._failed(f"gave an answer that is none: {error}") from error
        self._breaker.succeeded()
        self._take(answered)
        return answered

    async def _exchange(self, body: bytes, limit: int) -> tuple[int, bytes | None]:
        """Status and body of the answer; None for a body that is too long."""
        headers = [(b"content-type", MEDIA_TYPE.encode()), (b"accept", MEDIA_TYPE.encode())]
        response = await self._upstream.send(UpstreamRequest("POST", PATH.encode(), headers, body))
        raw = bytearray()
        try:
            async for piece in response.body:
                raw += piece
                if len(raw) > limit:
                    return response.status, None
        finally:
            await response.aclose()
        return response.status, bytes(raw)

    def _take(self, answered: Answered) -> None:
        """Note who it is."""
        spoken = self._spoken
        spoken.fault = spoken.unfit = None
        if answered.words != WORDS_VERSION:
            spoken.unfit = (
                f"the remote scorer finds words by version {answered.words[:9]!r}, this release by "
                f"{WORDS_VERSION!r}: run the same release on both sides"
            )
        elif spoken.fingerprint is None:
            spoken.fingerprint = answered.fingerprint
        elif answered.fingerprint != spoken.fingerprint:
            spoken.unfit = "the remote scorer is another than at the start: restart this instance to use it"

    def _failed(self, how: str | None) -> ScorerDown:
        """Note that it failed, and how; None: as before."""
        self._breaker.failed()
        if how is not None or self._spoken.fault is None:
            self._spoken.fault = f"the remote scorer {how or 'gives no answer'}"
        return ScorerDown(self._spoken.fault)

    async def _greet(self) -> None:
        """Ask who is there."""
        try:
            await self._ask(Asked((), None, None, 0))
        except ScoringError:
            return  # noted

    async def _keep(self) -> None:
        """Notice that it is well again, or there at last."""
        while True:
            await asyncio.sleep(self._look_s)
            if self.degraded is not None or self._spoken.fingerprint is None:
                await self._greet()


_OF_THE_MESSAGE: Final = (400, 413)
_STATUSES: Final = {
    **dict.fromkeys(_OF_THE_MESSAGE, "takes no such message: it may be longer than its max_body_bytes"),
    401: "refuses this instance's key (401): correct compressor.remote_key",
    403: "refuses this instance's key (403): correct compressor.remote_key",
    404: "has no scores to give (404): it is another server or an older release",
}


def _groups(requests: Sequence[ScoreRequest]) -> Iterator[tuple[int, int]]:
    """Consecutive texts of about GROUP_CHARACTERS each, as [start, end)."""
    start = n_characters = 0
    for end, request in enumerate(requests, start=1):
        n_characters += len(request.text)
        if n_characters >= GROUP_CHARACTERS or end - start == GROUP_TEXTS or end == len(requests):
            yield start, end
            start, n_characters = end, 0
