"""What is expected of the provider's cache for what was sent to be answered, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, replace
from typing import Any

from gateway.counterfactual import Prompt
from gateway.dialects.anthropic_answers import COUNT_ANSWERS
from gateway.expecting import Destination, Expecting, unmodelled
from gateway.plan import Plan
from gateway.types import UpstreamRequest, UpstreamResponse
from tests.gateway.pipeline import FastForward, Pipeline, PureCompressor, count, pipeline, policy_set

POLICY = policy_set({"name": "mild", "benefit": "off", "params": {"rate": 0.8, "min_tokens": 4}})
PROSE = "The committee of the city decided on the long agenda of the day, and it was fine with all of them. "
BODY = {"model": "gpt-4o", "messages": [{"role": "user", "content": PROSE * 75}]}
"""Small enough to be worked on at once: no thread, no waiting."""
AT = Destination("tenant", "openai", "gpt-4o")


def run(work: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=FastForward) as runner:
        runner.run(work)


async def planned() -> tuple[Pipeline, Plan]:
    count(PROSE)  # the vocabulary is loaded once
    running = pipeline(POLICY, PureCompressor())
    plan = await running.plan(json.dumps(BODY).encode())
    assert plan.skip is None
    return running, plan


@dataclass
class Answering:
    """An upstream that answers with a status."""

    status: int

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        return UpstreamResponse(self.status, [], nothing())

    async def aclose(self) -> None:
        pass


async def nothing() -> AsyncIterator[bytes]:
    return
    yield b""


async def outcome(running: Pipeline, plan: Plan, status: int = 200) -> Prompt:
    expecting = Expecting(running.services, plan, AT)
    await expecting.heard_by(Answering(status)).send(UpstreamRequest("POST", b"/", [], b""))
    prompt = await expecting.outcome()
    await asyncio.gather(*(task for task in asyncio.all_tasks() if task.get_name() == "prompt history"))
    assert prompt is not None
    return prompt


def test_what_was_sent_before_is_expected_to_be_read() -> None:
    async def holds() -> None:
        running, plan = await planned()
        first, second = await outcome(running, plan), await outcome(running, plan)
        assert (first.origin.read, first.sent.read) == (0, 0)
        assert second.origin.read > second.sent.read > 0

    run(holds())


def test_what_was_refused_is_in_no_cache_when_it_is_tried_again() -> None:
    async def holds() -> None:
        running, plan = await planned()
        for status in (429, 500, 503, 529):
            assert (await outcome(running, plan, status)).sent.read == 0
        assert (await outcome(running, plan)).sent.read == 0
        assert (await outcome(running, plan)).sent.read > 0

    run(holds())


def test_what_was_only_counted_is_not() -> None:
    async def holds() -> None:
        running, plan = await planned()
        counted = replace(plan, answers=COUNT_ANSWERS)
        assert await outcome(running, counted) == unmodelled(plan)
        assert (await outcome(running, plan)).origin.read == 0, "no provider keeps what it only counts"

    run(holds())


def test_nothing_is_expected_where_nothing_was_looked_at() -> None:
    async def holds() -> None:
        running, _ = await planned()
        assert await Expecting(running.services, Plan(b""), AT).outcome() is None

    run(holds())


def test_work_that_is_cancelled_costs_the_model_of_the_cache_and_no_more() -> None:
    async def holds() -> None:
        running, plan = await planned()
        expecting = Expecting(running.services, plan, AT)
        [work] = [task for task in asyncio.all_tasks() if task.get_name() == "expectation"]
        work.cancel()
        assert await expecting.outcome() == unmodelled(plan)

    run(holds())
