"""What was there before, and that nobody waits for finding out."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from gateway.cache.memory import MemoryCache
from gateway.experiments.echoes import RETRY_HEADER, RETRY_S, Echo, Echoes, Hearing
from gateway.incoming import Incoming
from gateway.offload import Offload
from gateway.plan import Plan
from tests.gateway.pipeline import SECRET, incoming, pipeline, policy_set

QUESTION = "Which of them was against it, and why was that so?"
VARIANTS = [{"name": "a", "weight": 1, "mode": "off"}]
POLICIES = policy_set({"name": "rag", "experiment": {"salt": "s", "variants": VARIANTS}})


class Broken:
    """A cache that does what it must not."""

    async def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        raise RuntimeError("never")

    async def put_if_absent(self, key: bytes, value: bytes, ttl_s: float) -> bytes:
        raise RuntimeError("never")


class Silent(Broken):
    async def put_if_absent(self, key: bytes, value: bytes, ttl_s: float) -> bytes:
        await asyncio.get_running_loop().create_future()
        raise AssertionError


async def planned(*texts: str, **more: Any) -> Plan:
    messages = [{"role": "user", "content": text} for text in texts]
    plan = await pipeline(POLICIES).plan(json.dumps({"model": "m", "messages": messages, **more}).encode())
    assert plan.enrolled is not None
    return plan


def asker(**headers: str) -> Incoming:
    return incoming([(name.encode(), value.encode()) for name, value in headers.items()])


def echoes(clock: list[float] | None = None) -> Echoes:
    now = clock or [0.0]
    return Echoes(MemoryCache(1 << 20, lambda: now[0]), SECRET, Offload(threads=1))


async def heard(listening: Echoes, request_id: str, plan: Plan, who: Incoming | None = None) -> Echo:
    assert plan.enrolled is not None
    return await listening.hear(request_id, who or asker(), plan, plan.enrolled)


async def test_the_same_request_again_is_a_retry_for_a_minute() -> None:
    clock, plan = [0.0], await planned(QUESTION)
    listening = echoes(clock)
    assert await heard(listening, "1", plan) == Echo()
    assert await heard(listening, "2", plan) == Echo(is_retry=True)
    clock[0] = RETRY_S + 1
    assert await heard(listening, "3", plan) == Echo(is_repeat=True)


async def test_another_unit_asks_for_itself() -> None:
    listening, plan = echoes(), await planned(QUESTION)
    assert plan.enrolled is not None
    other = replace(plan, enrolled=replace(plan.enrolled, unit="other"))
    assert await heard(listening, "1", plan) == Echo()
    assert await heard(listening, "2", other) == Echo()


async def test_the_same_question_is_a_repeat_whatever_is_around_it() -> None:
    listening = echoes()
    assert await heard(listening, "1", await planned(QUESTION)) == Echo()
    first = await planned(QUESTION)
    again = replace(await planned("Hello.", QUESTION.upper(), seed=7), enrolled=first.enrolled)
    assert await heard(listening, "2", again) == Echo(is_repeat=True)
    short = replace(await planned("Go on."), enrolled=first.enrolled)
    assert await heard(listening, "3", short) == Echo()


@pytest.mark.parametrize(
    ("count", "is_retry"),
    [("0", False), ("1", True), ("12", True), ("-1", False), ("x", False), ("9" * 99, False)],
)
async def test_a_client_may_say_that_it_tries_again(count: str, is_retry: bool) -> None:
    plan = await planned(QUESTION)
    assert await heard(echoes(), "1", plan, asker(**{RETRY_HEADER: count})) == Echo(is_retry)


async def test_what_cannot_be_read_is_what_the_client_says() -> None:
    plan = replace(await planned(QUESTION), request=None)
    assert await heard(echoes(), "1", plan, asker(**{RETRY_HEADER: "1"})) == Echo(is_retry=True)


async def test_a_cache_that_fails_is_nothing_heard(caplog: pytest.LogCaptureFixture) -> None:
    plan = await planned(QUESTION)
    hearing = Hearing(Echoes(Broken(), SECRET, Offload(threads=1)), "1", asker(), plan)
    with caplog.at_level(logging.ERROR):
        assert await hearing.outcome() is None
    assert "RuntimeError" in caplog.text
    assert await Hearing(Echoes(Silent(), SECRET, Offload(threads=1)), "1", asker(), plan).outcome() is None


async def test_outside_experiments_nobody_listens() -> None:
    plan = replace(await planned(QUESTION), enrolled=None)
    assert await Hearing(echoes(), "1", asker(), plan).outcome() is None
    assert await Hearing(None, "1", asker(), await planned(QUESTION)).outcome() is None
    assert await Hearing(echoes(), "1", asker(), await planned(QUESTION)).outcome() == Echo()
