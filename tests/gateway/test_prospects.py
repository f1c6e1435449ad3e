"""What is learnt from each answer for the verdicts to come."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from gateway.accounting import Price
from gateway.outlooks import TURNS
from gateway.plan import Plan
from gateway.prospects import learn
from gateway.types import Usage
from tests.gateway.pipeline import Pipeline, PureCompressor, pipeline, policy_set

POLICY = policy_set({"name": "half", "params": {"rate": 0.5, "min_tokens": 4}})
QUESTION = {"role": "user", "content": "The committee of the city decided on the long agenda of the day."}
USAGE = Usage(2000, 1, cached_tokens=1024)


async def planned(*messages: dict[str, str]) -> tuple[Pipeline, Plan]:
    running = pipeline(POLICY, PureCompressor())
    plan = await running.plan(json.dumps({"model": "m", "messages": messages}).encode())
    assert plan.treated is not None
    return running, plan


def turns(running: Pipeline) -> float:
    outlook = running.services.outlooks.outlook(("openai", "m"), "half", Price(2.0, 0.5, 2.5, 10.0), None)
    assert outlook is not None
    return outlook.turns


async def test_a_question_begins_a_conversation() -> None:
    running, plan = await planned(QUESTION)
    learn(running.services, plan, "openai", USAGE)
    assert turns(running) < TURNS


async def test_an_earlier_answer_tells_that_it_goes_on() -> None:
    running, plan = await planned(QUESTION, {"role": "assistant", "content": "Fine."}, QUESTION)
    learn(running.services, plan, "openai", USAGE)
    assert turns(running) > TURNS


async def test_so_does_one_that_the_upstream_keeps() -> None:
    running, plan = await planned(QUESTION)
    assert plan.treated is not None
    continued = replace(plan.treated, request=replace(plan.treated.request, chain="resp_1"))
    learn(running.services, replace(plan, treated=continued), "openai", USAGE)
    assert turns(running) > TURNS


@pytest.mark.parametrize("usage", [None, USAGE])
async def test_without_usage_or_treatment_nothing_is_learnt(usage: Usage | None) -> None:
    running, plan = await planned(QUESTION)
    learn(running.services, replace(plan, treated=None) if usage else plan, "openai", usage)
    assert turns(running) == TURNS
