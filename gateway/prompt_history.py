"""Which prefixes of prompts the provider has seen of late: recorded as pins are, by keyed hashes alone.

For each request that the provider takes the prefixes that stay in its cache are recorded, as they came and as
they went on. A later request looks for its own prefixes there. What is lost counts as never seen, and the
money of that request is told in the mix that was reported. Nothing here is waited for before a request goes
on.

Records are put, never changed, so a prefix that is used again is recorded anew in a later stretch of time.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from gateway.hashing import Secret
from gateway.prompt_cache import CacheRules
from gateway.prompt_shape import Shape
from gateway.types import Cache

MAX_PREFIXES = 24
"""Prefixes of one request that are looked for, the longest ones and the shortest."""
STRETCHES = 3
"""A prefix is looked for in the present stretch of time, half as long as it lives, and in those before."""

MAX_MARKS = 4
"""Of one request; a provider refuses more."""

_MOMENT = struct.Struct("<d")


@dataclass(frozen=True, slots=True)
class Seen:
    """The longest prefixes seen, as how many messages they have; None: none."""

    origin: int | None
    sent: int | None


class PromptHistory:
    """The record."""

    def __init__(self, cache: Cache, secret: Secret, clock: Callable[[], float]) -> None:
        """`clock` gives Unix seconds: replicas share the record."""
        self._cache = cache
        self._secret = secret
        self._clock = clock
        self._recording: set[asyncio.Task[None]] = set()

    async def look_up(self, scope: bytes, shape: Shape, rules: CacheRules) -> Seen:
        """What the provider has seen of the prompt, which it sees now. `scope`: whose cache it is."""
        seen = await self.look(scope, shape, rules)
        await self.record(scope, shape, rules)
        return seen

    async def look(self, scope: bytes, shape: Shape, rules: CacheRules) -> Seen:
        """What the provider has seen of the prompt."""
        now = self._clock()
        ends = list(_looked_for(shape, rules))
        chains = (shape.origin_chain, shape.sent_chain)
        keys = [
            self._key(scope, chain[end], rules, now, ago)
            for chain in chains
            for end in ends
            for ago in range(STRETCHES)
        ]
        values = await self._cache.get_many(keys)
        half = len(ends) * STRETCHES
        found = [
            _longest(ends, [_is_alive(value, now, rules) for value in part])
            for part in (values[:half], values[half:])
        ]
        return Seen(*found)

    def record_soon(self, scope: bytes, shape: Shape, rules: CacheRules) -> None:
        """As `record`, waited for by nobody."""
        task = asyncio.create_task(self.record(scope, shape, rules), name="prompt history")
        self._recording.add(task)
        task.add_done_callback(self._recording.discard)

    async def record(self, scope: bytes, shape: Shape, rules: CacheRules) -> None:
        """That the provider sees the prompt now."""
        now = self._clock()
        chains = (shape.origin_chain, shape.sent_chain)
        recorded = [chain[end] for chain in chains for end in _recorded(shape, rules)]
        present = [self._key(scope, prefix, rules, now, 0) for prefix in recorded]
        moment, ttl_s = _MOMENT.pack(now), rules.ttl_s * 2
        await asyncio.gather(*(self._cache.put_if_absent(key, moment, ttl_s) for key in present))

    def _key(self, scope: bytes, prefix: bytes, rules: CacheRules, now: float, ago: int) -> bytes:
        stretch = int(now // (rules.ttl_s / 2)) - ago
        return self._secret.keyed(b"prompt", scope, prefix, str(stretch).encode())


def _looked_for(shape: Shape, rules: CacheRules) -> Iterator[int]:
    """Prefixes that may be in the cache, shortest first, not too many."""
    if rules.is_marked:
        ends = sorted({i for mark in shape.marks for i in range(max(0, mark - rules.lookback), mark + 1)})
    else:
        ends = sorted(set(shape.answered))
    yield from ends[:1]
    yield from ends[1:][-(MAX_PREFIXES - 1) :]


def _recorded(shape: Shape, rules: CacheRules) -> Sequence[int]:
    """Prefixes that the provider keeps of this request."""
    if rules.is_marked:
        return shape.marks[-MAX_MARKS:]
    return sorted({shape.answered[0], shape.answered[-1]})


def _longest(ends: Sequence[int], alive: Sequence[bool]) -> int | None:
    found = (ends[i // STRETCHES] for i, is_alive in enumerate(alive) if is_alive)
    return max(found, default=None)


def _is_alive(value: bytes | None, now: float, rules: CacheRules) -> bool:
    """Whether a record says that the prefix is still there. A clock that was set back counts as no time."""
    if value is None or len(value) != _MOMENT.size:
        return False
    return bool(now - _MOMENT.unpack(value)[0] <= rules.ttl_s)
