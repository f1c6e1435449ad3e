"""A request keeps its place in an experiment, whatever becomes of it, and is exposed before it goes on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from starlette.types import Message

from gateway.accounts import Account
from gateway.config import load as load_config
from gateway.experiments.records import Exposure
from gateway.plan import Plan
from gateway.types import Entry, UpstreamRequest, UpstreamResponse
from tests.gateway.pipeline import ListLedger, Pipeline, PureCompressor, count, incoming, pipeline, policy_set

PROSE = "The committee of the city decided on the long agenda of the day, and it was fine with all of them. "
USAGE = {"usage": {"prompt_tokens": 200, "completion_tokens": 5}}


def running(mode: str = "on") -> Pipeline:
    variants = [{"name": "one", "weight": 1, "mode": mode}, {"name": "never", "weight": 0}]
    params = {"rate": 0.5, "min_tokens": 50}
    policies = policy_set(
        {
            "name": "rag",
            "benefit": "off",
            "params": params,
            "experiment": {"salt": "s", "variants": variants},
        },
        {"name": "last", "params": {}},
    )
    patient = load_config(None, {"PITH_COMPRESSOR__DEADLINE_MS": "60000"}, {})  # a busy machine is no reason
    return pipeline(policies, PureCompressor(), config=patient)


def body(text: str = PROSE * 10) -> bytes:
    return json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": text}]}).encode()


class Failing:
    """Texts that cannot be finished, for a reason nobody thought of."""

    async def finish(self, *args: Any) -> Sequence[Any]:
        raise ZeroDivisionError


@dataclass
class Watching:
    """An upstream that looks at what is on record when a request arrives."""

    ledger: ListLedger
    notes: tuple[object, ...] | None = None
    entries: tuple[Entry, ...] | None = None

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        self.notes, self.entries = tuple(self.ledger.notes), tuple(self.ledger.entries)
        return UpstreamResponse(200, [(b"content-type", b"application/json")], self._body())

    async def _body(self) -> AsyncIterator[bytes]:
        yield json.dumps(USAGE).encode()

    async def aclose(self) -> None:
        pass


async def never() -> Message:
    return await asyncio.Future()


async def ignore(message: Message) -> None:
    pass


async def test_where_compressing_fails_the_request_stays_in_its_arm() -> None:
    count(PROSE)  # the vocabulary is loaded
    well, broken = running(), running()
    broken.services = replace(broken.services, texts=Failing())  # type: ignore[arg-type]  # it is not looked into
    there, here = await well.plan(body()), await broken.plan(body())
    assert (here.skip, here.body) == ("scorer_down", body())
    assert here.enrolled == there.enrolled
    assert here.enrolled is not None
    assert here.size is not None
    assert there.size is not None
    assert here.size.is_eligible == there.size.is_eligible is True
    assert here.size.n_tokens == pytest.approx(there.size.n_tokens, rel=0.25), "estimated, not counted"


@pytest.mark.parametrize("mode", ["on", "shadow"])
async def test_what_is_eligible_is_so_in_every_mode(mode: str) -> None:
    for text, is_eligible in ((PROSE * 10, True), (PROSE, False)):
        plan = await running(mode).plan(body(text))
        assert plan.size is not None
        assert plan.size.is_eligible == is_eligible
        assert plan.size.n_tokens == plan.origin_tokens


async def test_a_user_who_joins_a_conversation_of_another_arm_is_in_no_second_one() -> None:
    variants = [{"name": "control", "weight": 1, "mode": "off"}, {"name": "half", "weight": 1}]
    experiment = {"salt": "s", "unit": "user", "variants": variants}
    policies = policy_set(
        {"name": "rag", "params": {"rate": 0.5, "min_tokens": 50}, "experiment": experiment}
    )
    gateway = pipeline(policies, PureCompressor())

    async def ask(user: str, first: str, *turns: str) -> Plan:
        roles = ("user", "assistant") * 2
        messages = [
            {"role": role, "content": text} for role, text in zip(roles, (first, *turns), strict=False)
        ]
        said = {"model": "gpt-4o", "user": user, "messages": messages}
        return await gateway.plan(json.dumps(said).encode())

    arms: dict[str, str] = {}
    for n in range(20):
        plan = await ask(f"user {n}", PROSE * 10 + str(n))
        assert plan.enrolled is not None
        arms.setdefault(plan.enrolled.arm, f"user {n}")
        if len(arms) == 2:
            break
    first = PROSE * 10 + "shared"
    begun = await ask(arms["half"], first)
    joined = await ask(arms["control"], first, "Well.", PROSE * 10)
    again = await ask(arms["half"], first, "Well.", PROSE * 10)
    for plan in (begun, joined, again):
        assert plan.decision is not None
        assert plan.decision.variant == "half", "the conversation keeps its arm, and its cached prefix"
    assert joined.enrolled is None
    assert begun.enrolled == again.enrolled is not None


async def test_an_exposure_is_on_record_when_the_request_arrives_upstream() -> None:
    count(PROSE)  # the vocabulary is loaded
    for text, n_exposed in ((PROSE * 10, 1), (PROSE, 0)):
        gateway = running()
        upstream = Watching(gateway.ledger)
        services = replace(gateway.services, upstreams={"openai": upstream})
        plan = await gateway.plan(body(text))
        account = Account.open(incoming([]), services)
        await account.answer(plan, never, ignore)
        assert upstream.notes == tuple(gateway.ledger.notes)
        assert (len(gateway.ledger.notes), upstream.entries) == (n_exposed, ())
        [entry] = gateway.ledger.entries
        assert plan.enrolled is not None
        assert plan.size is not None
        assert (entry.unit, entry.is_eligible) == (plan.enrolled.unit, plan.size.is_eligible)
        assert (entry.is_retry, entry.is_repeat, entry.is_slow) == (False, False, False)
        for note in gateway.ledger.notes:
            assert note == Exposure(
                "rag",
                entry.policy_version or "",
                entry.unit or "",
                "one",
                entry.created_at,
                plan.origin_tokens,
            )


async def test_outside_experiments_nothing_is_said_of_one() -> None:
    gateway = pipeline(policy_set({"name": "plain", "params": {"rate": 0.5}}), PureCompressor())
    services = replace(gateway.services, upstreams={"openai": Watching(gateway.ledger)})
    plan = await gateway.plan(body())
    await Account.open(incoming([]), services).answer(plan, never, ignore)
    [entry] = gateway.ledger.entries
    assert gateway.ledger.notes == []
    said = (entry.unit, entry.is_eligible, entry.is_retry, entry.is_repeat, entry.is_slow)
    assert said == (None,) * 5
