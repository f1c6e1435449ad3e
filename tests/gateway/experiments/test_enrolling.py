"""What a request is to an experiment, from the request alone."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from gateway.dialects import ChatRequest
from gateway.dialects.anthropic_messages import MESSAGES
from gateway.dialects.chat_completions import CHAT_COMPLETIONS
from gateway.experiments.enrolling import Enrolled, enrol, question_of, size_of
from gateway.hashing import Secret
from gateway.texts import Finished
from policies.decide import Decision, Enrolment, decide
from policies.match import RequestFacts
from policies.overrides import Overrides
from tests.gateway.pipeline import policy_set

SECRET = Secret(b"s" * 32)
ENROLLED = Enrolled("rag", "v1", "u", "half", 2000.0, (("user", 50), ("tool", 10)))
FACTS = RequestFacts("/v1/chat/completions", "m", "key-1", user="me")
EXPERIMENT = {"salt": "s", "variants": [{"name": "a", "weight": 1}]}


def parsed(*messages: dict[str, Any], dialect: Any = CHAT_COMPLETIONS) -> tuple[bytes, ChatRequest]:
    body = json.dumps({"model": "m", "messages": messages}).encode()
    request = dialect.parse(body)
    assert isinstance(request, ChatRequest)
    return body, request


def said(role: str, text: object) -> dict[str, Any]:
    return {"role": role, "content": text}


def decision(unit: str = "conversation") -> Decision:
    policies = policy_set({"name": "rag", "experiment": {**EXPERIMENT, "unit": unit}})
    return decide(policies, FACTS, Overrides(), "c" * 64, "on")


def place(
    given: Decision, *, header: str | None = None, conversation: str = "c" * 64, tenant: str = "t"
) -> Any:
    return enrol(given, FACTS, Overrides(unit=header), conversation, tenant, SECRET)


def test_a_place_has_a_unit_that_tells_nothing() -> None:
    found = place(decision(), header="Jane Doe")
    assert (found.experiment, found.version, found.arm) == ("rag", decision().version, "a")
    assert len(found.unit) == 64
    assert "Jane" not in repr(found)
    assert found.reach == (("user", 1), ("tool", 1))


def test_units_differ_by_tenant_kind_and_name() -> None:
    units = [
        place(decision()).unit,
        place(decision(), conversation="d" * 64).unit,
        place(decision(), header="me").unit,
        place(decision(), header="me", tenant="other").unit,
        place(decision("user")).unit,
        place(decision("key"), header="me").unit,
    ]
    assert len(set(units)) == len(units)
    assert place(decision("user"), conversation="d" * 64).unit == units[4]
    assert place(decision("key"), header="you").unit == units[5]
    assert place(decision(), header="\ud800").unit


@pytest.mark.parametrize(
    "change",
    [
        {"enrolment": None},
        {"kill_mode": "shadow"},
        {"has_opted_out": True},
        {"variant": None},
        {"policy": None},
        {"version": None},
    ],
)
def test_who_has_no_place(change: dict[str, Any]) -> None:
    assert place(decision().model_copy(update=change)) is None


def test_without_the_unit_of_its_kind_there_is_no_place() -> None:
    given = decision().model_copy(update={"enrolment": Enrolment(unit="user", slo_ms=1, reach=())})
    nobody = replace(FACTS, user=None)
    assert enrol(given, nobody, Overrides(), "c", "t", SECRET) is None


def counted(*tokens: int) -> list[Finished]:
    return [Finished(None, count, count) for count in tokens]


@pytest.mark.parametrize(
    ("tokens", "is_eligible"),
    [((49, 9, 999), False), ((50, 0, 0), True), ((0, 10, 0), True), ((0, 0, 0), False)],
)
def test_a_request_is_eligible_by_one_text_of_its_role(tokens: tuple[int, ...], is_eligible: bool) -> None:
    """By its length, whatever was counted: one arm may have been too late to count."""
    roles = ("user", "tool", "system")
    _, request = parsed(*(said(role, "x" * 4 * n) for role, n in zip(roles, tokens, strict=True)))
    assert size_of(ENROLLED, request, None).is_eligible == is_eligible
    for counts in ((0, 0, 0), (500, 500, 500)):
        size = size_of(ENROLLED, request, counted(*counts))
        assert (size.is_eligible, size.n_tokens) == (is_eligible, sum(counts))


def test_where_nobody_counted_lengths_tell() -> None:
    _, request = parsed(said("user", "x" * 199))
    assert not size_of(ENROLLED, request, None).is_eligible
    _, request = parsed(said("user", "x" * 200))
    assert size_of(ENROLLED, request, None) == size_of(ENROLLED, request, counted(50))


LONG = "Which of them was against it?"
LONG_AND_MORE = f"{LONG.casefold()} say!"


@pytest.mark.parametrize(
    ("messages", "question"),
    [
        ([said("user", LONG)], LONG.casefold()),
        ([said("user", "\n WHICH  of them\twas\n against it? ")], LONG.casefold()),
        ([said("user", LONG), said("assistant", LONG)], None),
        ([said("user", LONG), said("tool", LONG)], None),
        ([said("user", "Go on.")], None),
        ([{"role": "user", "content": None}], None),
        ([said("user", [{"type": "text", "text": LONG}, {"type": "text", "text": "Say!"}])], LONG_AND_MORE),
        ([], None),
    ],
)
def test_what_is_asked(messages: list[dict[str, Any]], question: str | None) -> None:
    body, request = parsed(*messages)
    assert question_of(body, request) == question


def test_results_of_tools_are_no_question() -> None:
    block = {"type": "tool_result", "tool_use_id": "t", "content": LONG}
    body, request = parsed(
        {"role": "user", "content": [block, {"type": "text", "text": LONG}]}, dialect=MESSAGES
    )
    assert question_of(body, request) is None
