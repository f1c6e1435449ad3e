"""Answers to requests that were asked before, word for word: recorded as they go by, replayed as they came.

A request takes a `Turn`. It looks up what is recorded. Where nothing is, the first to ask goes to the
upstream, and whoever asks the same meanwhile waits for that answer, no longer than FLIGHT_WAIT_S and only as
long as its own client does. If the first one fails, leaves or brings nothing that may be recorded, the others
go themselves.

Laws: recording is a tap on bytes that go by anyway: it changes none, delays none, and holds a bounded number
of them; the store is written to after the answer has ended. A store that has nothing, or garbage, is a miss.

An answer lives for the policy's `ttl_s` from when it was stored, however often it is read: it is recorded
under its key and the span of time it was stored in (spans are `ttl_s` long), and looked for in this span and
the one before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Final, Literal, TypeAlias

from gateway.hashing import Secret
from gateway.offload import Offload
from gateway.passthrough import Tap
from gateway.response_key import Named, Question, Wishes, name
from gateway.response_record import MAX_ANSWER_BYTES, Answer, is_recordable, is_whole, kept, pack, unpack
from gateway.types import Cache, RawHeaders, Usage

FLIGHT_WAIT_S: Final = 60.0
"""Most a request waits for the answer to the same request of another."""

RECORDING_BYTES: Final = 64 << 20
"""Of all answers that are being recorded; beyond it, recordings are given up."""

State: TypeAlias = Literal["hit", "miss", "bypass"]
"""Answered from the record; asked of the upstream and perhaps recorded; not to be recorded or looked up."""

_Flight: TypeAlias = "asyncio.Future[Answer | None]"


class ResponseCache:
    """What requests share. For one event loop."""

    def __init__(self, cache: Cache, secret: Secret, offload: Offload, clock: Callable[[], float]) -> None:
        """`clock` gives Unix seconds, for replicas share the store."""
        self.secret = secret
        self.offload = offload
        self.clock = clock
        self.held_bytes = 0
        """Of answers that are being recorded."""
        self._cache = cache
        self._flights: dict[bytes, _Flight] = {}
        self._background: set[asyncio.Task[None]] = set()

    def turn(self) -> Turn:
        """For one request."""
        return Turn(self)

    @property
    def n_flights(self) -> int:
        """Requests that others may be waiting for."""
        return len(self._flights)

    def flight(self, key: bytes) -> _Flight | None:
        """The request under way that asks the same, if any."""
        return self._flights.get(key)

    def depart(self, key: bytes) -> _Flight:
        """Begin a request that others may wait for."""
        flight: _Flight = asyncio.get_running_loop().create_future()
        self._flights[key] = flight
        return flight

    def land(self, key: bytes, flight: _Flight, answer: Answer | None) -> None:
        """Give those who wait their answer; None sends them off themselves. May be called again."""
        if not flight.done():
            flight.set_result(answer)
        if self._flights.get(key) is flight:
            del self._flights[key]

    async def find(self, key: bytes, ttl_s: float) -> Answer | None:
        """What is recorded and still fresh."""
        now = self.clock()
        for value in await self._cache.get_many(self._places(key, ttl_s, now)):
            answer = unpack(value)
            if answer is not None and answer.is_fresh(now, ttl_s):
                return answer
        return None

    async def store(self, key: bytes, ttl_s: float, answer: Answer) -> None:
        """Record, unless another was first."""
        place = self._places(key, ttl_s, answer.stored_at)[0]
        await self._cache.put_if_absent(place, pack(answer), ttl_s)

    def in_background(self, work: Coroutine[object, object, None]) -> None:
        """Do what the client need not wait for."""
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _places(self, key: bytes, ttl_s: float, now: float) -> list[bytes]:
        span = int(now // ttl_s)
        length = repr(ttl_s).encode()
        return [self.secret.keyed(b"span", key, length, b"%d" % at) for at in (span, span - 1)]


class Turn:
    """One request's dealings with the cache: none until it looks something up. `close` ends it, always."""

    def __init__(self, responses: ResponseCache) -> None:
        self._responses = responses
        self._named: Named | None = None
        self._ttl_s = 0.0
        self._flight: _Flight | None = None
        self._recording: Recording | None = None
        self.state: State | None = None

    async def look_up(self, question: Question, asked: Wishes, ttl_s: float) -> Answer | None:
        """The answer on record or on its way; None: ask the upstream."""
        self.state = "bypass"
        named = await self._responses.offload(len(question.body), name, question, self._responses.secret)
        if named is None or not asked.stores:
            return None
        self.state, self._named, self._ttl_s = "miss", named, ttl_s
        answer = await self._known(named.key) if asked.reads else None
        if answer is not None:
            self.state = "hit"
        return answer

    def recording(self, tap: Tap) -> Tap:
        """`tap`, and where an answer may be recorded, a recording of what it lets by."""
        if self._named is None or self.state != "miss":
            return tap
        self._recording = Recording(tap, self._responses, self._named.is_streamed, self._leave)
        return self._recording

    def close(self, *, is_complete: bool, usage: Usage | None) -> None:
        """The request has ended, however it did. `usage` is the upstream's own."""
        taken = self._recording.take() if self._recording is not None and is_complete else None
        if self._recording is not None:
            self._recording.drop()
        if taken is None or self._named is None:
            self._leave()
            return
        answer = Answer(*taken, self._responses.clock(), usage)
        self._responses.in_background(self._keep(self._named, answer))

    async def _known(self, key: bytes) -> Answer | None:
        """Of another's request under way, else of the store; with neither, others wait for this one."""
        if (flight := self._responses.flight(key)) is not None:
            done, _ = await asyncio.wait({flight}, timeout=FLIGHT_WAIT_S)
            return flight.result() if done else None
        self._flight = self._responses.depart(key)
        answer = await self._responses.find(key, self._ttl_s)
        if answer is not None:
            self._leave(answer)
        return answer

    async def _keep(self, named: Named, answer: Answer) -> None:
        headers, body = answer.headers, answer.body
        try:
            whole = await self._responses.offload(
                len(body), is_whole, headers, body, is_streamed=named.is_streamed
            )
            if whole:
                self._leave(answer)
                await self._responses.store(named.key, self._ttl_s, answer)
        finally:
            self._leave()

    def _leave(self, answer: Answer | None = None) -> None:
        if self._flight is not None and self._named is not None:
            self._responses.land(self._named.key, self._flight, answer)


class Recording:
    """A tap behind a tap: holds what goes to the client, until it is too much or must not be recorded."""

    def __init__(
        self, tap: Tap, responses: ResponseCache, is_streamed: bool, give_up: Callable[[], None]
    ) -> None:
        self._tap = tap
        self._responses = responses
        self._is_streamed = is_streamed
        self._give_up = give_up
        self._headers: RawHeaders = []
        self._parts: list[bytes] | None = None
        self._size = 0

    def head(self, status: int, headers: RawHeaders) -> RawHeaders | None:
        """The head goes by."""
        changed = self._tap.head(status, headers)
        if is_recordable(status, headers, is_streamed=self._is_streamed):
            self._headers, self._parts = kept(headers), []
        else:
            self._give_up()
        return changed

    def feed(self, chunk: bytes) -> bytes:
        """Some bytes go by."""
        return self._hold(self._tap.feed(chunk))

    def end(self) -> bytes:
        """The end goes by."""
        return self._hold(self._tap.end())

    def take(self) -> tuple[RawHeaders, bytes] | None:
        """What was recorded, if all of it was."""
        return None if self._parts is None else (self._headers, b"".join(self._parts))

    def drop(self) -> None:
        """Hold nothing more."""
        self._responses.held_bytes -= self._size
        self._parts, self._size = None, 0

    def _hold(self, passed: bytes) -> bytes:
        if self._parts is not None and passed:
            self._parts.append(passed)
            self._size += len(passed)
            self._responses.held_bytes += len(passed)
            if self._size > MAX_ANSWER_BYTES or self._responses.held_bytes > RECORDING_BYTES:
                self.drop()
                self._give_up()
        return passed
