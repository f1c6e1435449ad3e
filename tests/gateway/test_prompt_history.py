"""Which prefixes the provider has seen: recorded, found again, and forgotten as the provider forgets."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

import pytest

from gateway.cache.memory import MemoryCache
from gateway.hashing import Secret
from gateway.prompt_cache import RULES
from gateway.prompt_history import MAX_PREFIXES, PromptHistory, Seen
from gateway.prompt_shape import Shape

OPENAI, ANTHROPIC = RULES["openai"], RULES["anthropic"]
SCOPE = b"tenant"


def shape(n: int, *, answered: tuple[int, ...] | None = None, marks: tuple[int, ...] = ()) -> Shape:
    """Of n messages; prefixes of equal length are equal."""
    origin, sent = ([f"{kind}{i}".encode() for i in range(n + 1)] for kind in ("o", "s"))
    counts = tuple(range(n + 1))
    ends = answered if answered is not None else tuple(range(1, n + 1, 2))
    return Shape(counts, counts, tuple(origin), tuple(sent), marks, ends, is_exact=True)


@dataclass
class World:
    now: float = 1_800_000_000.0
    cache: MemoryCache = field(default_factory=lambda: MemoryCache(1 << 20, lambda: 0.0))

    def look_up(self, found: Shape, *, scope: bytes = SCOPE, rules: str = "openai") -> Seen:
        history = PromptHistory(self.cache, Secret(b"s" * 32), lambda: self.now)
        return asyncio.run(history.look_up(scope, found, RULES[rules]))


def test_the_longest_prefix_that_was_sent_is_found() -> None:
    world = World()
    assert world.look_up(shape(3)) == Seen(None, None)
    assert world.look_up(shape(5)) == Seen(3, 3)
    assert world.look_up(shape(5)) == Seen(5, 5)
    assert world.look_up(shape(7), scope=b"another") == Seen(None, None)


def test_what_went_on_otherwise_is_told_apart_from_what_came() -> None:
    world = World()
    world.look_up(shape(3))
    changed = replace(shape(5), sent_chain=tuple(f"x{i}".encode() for i in range(6)))
    assert world.look_up(changed) == Seen(3, None)


@pytest.mark.parametrize(("waited_s", "found"), [(1.0, 3), (590.0, 3), (601.0, None), (10_000.0, None)])
def test_a_prefix_lives_as_long_as_the_provider_keeps_it(waited_s: float, found: int | None) -> None:
    world = World()
    world.look_up(shape(3))
    world.now += waited_s
    assert world.look_up(shape(5)).sent == found


def test_use_keeps_a_prefix_alive() -> None:
    world = World()
    for _ in range(5):
        world.look_up(shape(3))
        world.now += 400.0
    assert world.look_up(shape(3)).sent == 3


@pytest.mark.parametrize("step_s", [-10.0, -1e9, 1e9])
def test_a_clock_that_steps_loses_at_most_what_was_seen(step_s: float) -> None:
    world = World()
    world.look_up(shape(3))
    world.now += step_s
    assert world.look_up(shape(5)).sent in (None, 3)
    assert world.look_up(shape(7)).sent == 5


def test_what_conversations_share_is_found_in_another() -> None:
    world = World()
    world.look_up(shape(3, answered=(1, 3)))
    other = replace(shape(3, answered=(1, 3)), origin_chain=(b"", b"o1", b"q", b"r"))
    assert world.look_up(other).origin == 1


def test_of_marked_prompts_what_the_marks_cover_is_kept() -> None:
    world = World()
    assert world.look_up(shape(3, marks=(1, 2)), rules="anthropic") == Seen(None, None)
    assert world.look_up(shape(3), rules="anthropic") == Seen(None, None)  # no marks, nothing read
    assert world.look_up(shape(9, marks=(1, 9)), rules="anthropic") == Seen(2, 2)
    far = shape(9 + ANTHROPIC.lookback + 1, marks=(9 + ANTHROPIC.lookback + 1,))
    assert world.look_up(far, rules="anthropic") == Seen(None, None)  # farther back than is looked


def test_not_every_prefix_of_a_long_conversation_is_looked_for() -> None:
    class Counting(MemoryCache):
        n_keys = 0

        def __init__(self) -> None:
            super().__init__(1 << 20, lambda: 0.0)

        async def get_many(self, keys):  # type: ignore[no-untyped-def]  # as it is there
            self.n_keys += len(keys)
            return await super().get_many(keys)

    world = World(cache=Counting())
    world.look_up(shape(2000))
    assert isinstance(world.cache, Counting)
    assert world.cache.n_keys <= 2 * 3 * MAX_PREFIXES


def test_garbage_in_the_cache_is_a_miss() -> None:
    class Garbage(MemoryCache):
        async def get_many(self, keys):  # type: ignore[no-untyped-def]  # as it is there
            return [b"\xff" * (i % 9) for i in range(len(keys))]

    world = World(cache=Garbage(1 << 20, lambda: 0.0))
    assert world.look_up(shape(3)) == Seen(None, None)
