"""Turns at the cache of answers: who goes to the upstream, who waits, what is recorded and for how long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from gateway.cache.memory import MemoryCache
from gateway.hashing import Secret
from gateway.offload import Offload
from gateway.response_cache import FLIGHT_WAIT_S, RECORDING_BYTES, ResponseCache, Turn
from gateway.response_key import Question, Wishes
from gateway.response_record import MAX_ANSWER_BYTES, Answer
from gateway.tap import UsageTap
from gateway.types import Cache, RawHeaders, Usage
from tests.gateway.pipeline import FastForward

TTL_S = 60.0
JSON: RawHeaders = [(b"content-type", b"application/json"), (b"set-cookie", b"a=b")]
BODY = b'{"choices":[{"message":{"content":"Hi"}}],"usage":{"prompt_tokens":9,"completion_tokens":2}}'
USAGE = Usage(9, 2)
ASKED = Question("team", "openai", "POST", b"/v1/chat/completions", [], b"{}", "scorer", b'{"model":"m"}')


@dataclass
class Clock:
    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Recorded:
    """A cache of answers and what it stands on."""

    store: Cache
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.responses = ResponseCache(self.store, Secret(b"s" * 32), Offload(threads=1), self.clock)

    async def look_up(
        self, asked: Wishes | None = None, body: bytes = ASKED.body
    ) -> tuple[Turn, Answer | None]:
        turn = self.responses.turn()
        question = Question(
            ASKED.tenant, ASKED.upstream, ASKED.method, ASKED.target, [], b"{}", "scorer", body
        )
        return turn, await turn.look_up(question, asked or Wishes(), TTL_S)


@pytest.fixture
def recorded() -> Recorded:
    clock = Clock()
    return Recorded(MemoryCache(8 << 20, clock), clock)


def goes_by(turn: Turn, *parts: bytes, status: int = 200, headers: RawHeaders = JSON) -> None:
    """An answer on its way to the client; parts are what came at once."""
    tap = turn.recording(UsageTap())
    tap.head(status, headers)
    assert b"".join([*map(tap.feed, parts), tap.end()]) == b"".join(parts)


async def answered(turn: Turn, *parts: bytes, is_complete: bool = True) -> None:
    goes_by(turn, *(parts or (BODY,)))
    turn.close(is_complete=is_complete, usage=USAGE)
    await settled()


async def settled() -> None:
    """Whatever was begun in the background is done: nothing here waits for anything outside."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_what_went_by_is_given_again(recorded: Recorded) -> None:
    first, nothing = await recorded.look_up()
    assert (nothing, first.state) == (None, "miss")
    await answered(first, BODY[:20], BODY[20:])
    second, answer = await recorded.look_up()
    assert second.state == "hit"
    assert answer == Answer([JSON[0]], BODY, recorded.clock.now, USAGE)
    second.close(is_complete=True, usage=None)
    assert recorded.responses.n_flights == 0
    assert recorded.responses.held_bytes == 0


@pytest.mark.parametrize(
    ("later_s", "state"),
    [(0, "hit"), (TTL_S - 1, "hit"), (TTL_S, "miss"), (1.5 * TTL_S, "miss"), (9 * TTL_S, "miss")],
)
@pytest.mark.parametrize("start", [0.0, 0.5, 0.999])
async def test_an_answer_lives_its_time_from_when_it_was_stored(
    recorded: Recorded, later_s: float, state: str, start: float
) -> None:
    recorded.clock.now = (1000 + start) * TTL_S
    turn, _ = await recorded.look_up()
    await answered(turn)
    recorded.clock.now += later_s
    later, _ = await recorded.look_up()
    assert later.state == state


async def test_reading_does_not_lengthen_a_life_and_what_expired_is_recorded_anew(recorded: Recorded) -> None:
    recorded.clock.now = 1000.9 * TTL_S
    turn, _ = await recorded.look_up()
    await answered(turn)
    for _ in range(5):
        recorded.clock.now += TTL_S / 6
        turn, answer = await recorded.look_up()
        assert answer is not None
    recorded.clock.now += TTL_S / 4
    turn, answer = await recorded.look_up()
    assert answer is None
    await answered(turn, BODY.replace(b"Hi", b"Ho"))
    _, answer = await recorded.look_up()
    assert answer is not None
    assert b"Ho" in answer.body


@pytest.mark.parametrize(
    ("parts", "is_complete"),
    [
        ((BODY,), False),
        ((BODY[:-1],), True),
        ((b'{"error":{}}',), True),
        ((b"{", b'"a":"', b"x" * MAX_ANSWER_BYTES, b'"}'), True),
    ],
)
async def test_what_is_not_whole_or_too_long_is_not_recorded(
    recorded: Recorded, parts: Sequence[bytes], is_complete: bool
) -> None:
    turn, _ = await recorded.look_up()
    await answered(turn, *parts, is_complete=is_complete)
    turn, answer = await recorded.look_up()
    assert answer is None
    assert recorded.responses.held_bytes == 0


@pytest.mark.parametrize("status", [201, 400, 429, 500])
async def test_no_other_status_is_recorded(recorded: Recorded, status: int) -> None:
    turn, _ = await recorded.look_up()
    goes_by(turn, BODY, status=status)
    assert recorded.responses.n_flights == 0, "nobody waits for what will not be recorded"
    turn.close(is_complete=True, usage=USAGE)
    await settled()
    assert (await recorded.look_up())[1] is None


async def test_a_client_that_wants_nothing_stored_is_let_by(recorded: Recorded) -> None:
    turn, answer = await recorded.look_up(Wishes(reads=False, stores=False))
    assert (answer, turn.state) == (None, "bypass")
    tap = UsageTap()
    assert turn.recording(tap) is tap
    turn.close(is_complete=True, usage=USAGE)


async def test_a_request_that_does_more_than_ask_is_let_by(recorded: Recorded) -> None:
    turn, answer = await recorded.look_up(body=b'{"store":true}')
    assert (answer, turn.state, recorded.responses.n_flights) == (None, "bypass", 0)


async def test_a_client_that_wants_a_new_answer_gets_one_and_it_is_recorded(recorded: Recorded) -> None:
    fresh = Wishes(reads=False)
    turn, answer = await recorded.look_up(fresh)
    assert (answer, turn.state, recorded.responses.n_flights) == (None, "miss", 0)
    await answered(turn)
    assert (await recorded.look_up(fresh))[1] is None
    assert (await recorded.look_up())[1] is not None


async def test_a_turn_that_looked_nothing_up_records_nothing(recorded: Recorded) -> None:
    turn, tap = recorded.responses.turn(), UsageTap()
    assert turn.recording(tap) is tap
    turn.close(is_complete=True, usage=USAGE)
    assert turn.state is None


class TestSingleFlight:
    async def followers(self, recorded: Recorded, n: int) -> list[asyncio.Task[tuple[Turn, Answer | None]]]:
        tasks = [asyncio.create_task(recorded.look_up()) for _ in range(n)]
        await settled()
        assert not any(task.done() for task in tasks)
        return tasks

    async def test_those_who_ask_the_same_meanwhile_wait_and_share(self, recorded: Recorded) -> None:
        leader, _ = await recorded.look_up()
        tasks = await self.followers(recorded, 5)
        await answered(leader)
        for turn, answer in await asyncio.gather(*tasks):
            assert turn.state == "hit"
            assert answer is not None
            assert answer.body == BODY
            turn.close(is_complete=True, usage=None)
        assert recorded.responses.n_flights == 0

    async def test_who_asks_something_else_does_not_wait(self, recorded: Recorded) -> None:
        await recorded.look_up()
        turn, answer = await recorded.look_up(body=b'{"model":"other"}')
        assert (turn.state, answer) == ("miss", None)

    @pytest.mark.parametrize(
        "end",
        [
            lambda turn: turn.close(is_complete=False, usage=None),
            lambda turn: goes_by(turn, BODY, status=500),
            lambda turn: goes_by(turn, b"x" * (MAX_ANSWER_BYTES + 1)),
            lambda turn: turn.close(is_complete=True, usage=None),
        ],
        ids=["leaves", "fails", "too long", "sends nothing"],
    )
    async def test_when_the_first_brings_nothing_the_others_go_themselves(
        self, recorded: Recorded, end: Callable[[Turn], object]
    ) -> None:
        leader, _ = await recorded.look_up()
        tasks = await self.followers(recorded, 3)
        end(leader)
        done = await asyncio.wait_for(asyncio.gather(*tasks), 20)
        assert [(turn.state, answer) for turn, answer in done] == [("miss", None)] * 3
        await answered(done[0][0])
        for turn, _ in done[1:]:
            turn.close(is_complete=False, usage=None)
        leader.close(is_complete=False, usage=None)
        assert (await recorded.look_up())[1] is not None
        assert recorded.responses.held_bytes == 0

    async def test_one_who_leaves_while_waiting_disturbs_nobody(self, recorded: Recorded) -> None:
        leader, _ = await recorded.look_up()
        leaving, staying = await self.followers(recorded, 2)
        leaving.cancel()
        await asyncio.wait([leaving])
        await answered(leader)
        _, answer = await staying
        assert answer is not None

    def test_nobody_waits_longer_than_the_limit(self) -> None:
        async def waits() -> float:
            recorded = Recorded(MemoryCache(8 << 20, Clock()))
            leader, _ = await recorded.look_up()
            turn, answer = await recorded.look_up()
            assert (turn.state, answer) == ("miss", None)
            await answered(leader)
            assert (await recorded.look_up())[1] is not None
            return asyncio.get_running_loop().time()

        with asyncio.Runner(loop_factory=FastForward) as runner:
            assert runner.run(waits()) == pytest.approx(FLIGHT_WAIT_S)


class GarbageCache:
    """Holds what is no answer; stores nothing."""

    async def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return [b"\x01garbage"] * len(keys)

    async def put_if_absent(self, key: bytes, value: bytes, ttl_s: float) -> bytes:
        return b"garbage"


async def test_a_store_of_garbage_is_a_miss_and_those_who_wait_still_share() -> None:
    recorded = Recorded(GarbageCache())
    leader, answer = await recorded.look_up()
    assert answer is None
    follower = asyncio.create_task(recorded.look_up())
    await settled()
    await answered(leader)
    assert (await follower)[1] is not None
    assert (await recorded.look_up())[1] is None


async def test_all_recordings_together_are_bounded(recorded: Recorded) -> None:
    recorded.responses.held_bytes = RECORDING_BYTES - 10
    turn, _ = await recorded.look_up()
    await answered(turn)
    assert (await recorded.look_up())[1] is None
    assert recorded.responses.held_bytes == RECORDING_BYTES - 10
