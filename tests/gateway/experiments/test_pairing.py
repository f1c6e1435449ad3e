"""Which requests are paired with which arm, and what is sent of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.dialects.chat_completions import parse
from gateway.experiments.pairing import (
    Pairing,
    carries_key,
    conversation_of,
    is_fit,
    mirrored_headers,
    pairing,
    unstreamed,
)
from gateway.splice import splice
from policies.decide import Decision
from policies.schema import Policy
from tests.gateway.pipeline import policy_set

ARMS: list[dict[str, Any]] = [
    {"name": "control", "weight": 1, "mode": "off"},
    {"name": "half", "weight": 1, "params": {"rate": 0.5}},
    {"name": "third", "weight": 1, "params": {"rate": 0.3}},
    {"name": "never", "weight": 0},
]


def policy(share: float = 1.0, **mirror: object) -> Policy:
    experiment = {"salt": "s", "variants": ARMS, "mirror": {"share": share, **mirror}}
    [one] = policy_set({"name": "rag", "experiment": experiment}).policies
    return one


def decision(given: Policy, variant: str | None = "control", **more: object) -> Decision:
    return Decision(policy=given.name, version=given.version, variant=variant, assigned="on", **more)  # type: ignore[arg-type]  # as tests name them


def pairs(given: Policy, decided: Decision, n: int = 400) -> list[Pairing]:
    found = (pairing(given, decided, f"pith-{i}") for i in range(n))
    return [one for one in found if one is not None]


def test_an_arm_is_paired_with_control() -> None:
    given = policy()
    [found] = pairs(given, decision(given, "half"), 1)
    assert (found.control, found.arm, found.is_control_sent) == ("control", "half", False)
    assert (found.other.variant, found.other.mode) == ("control", "off")


def test_control_is_paired_with_each_arm_that_is_dealt_alike() -> None:
    given = policy()
    found = pairs(given, decision(given))
    arms = [one.arm for one in found]
    assert set(arms) == {"half", "third"}
    assert 150 < arms.count("half") < 250
    assert all(one.is_control_sent and one.other.variant == one.arm for one in found)
    assert {one.other.params.rate for one in found} == {0.5, 0.3}


def test_arms_that_were_rolled_back_are_not_mirrored() -> None:
    given = policy()
    found = [pairing(given, decision(given), f"pith-{i}", frozenset({"half"})) for i in range(50)]
    assert {one.arm for one in found if one is not None} == {"third"}
    assert pairing(given, decision(given), "pith-1", frozenset({"half", "third"})) is None
    assert pairs(given, decision(given, "half", is_rolled_back=True)) == []


def test_the_share_is_of_requests() -> None:
    given = policy(0.25)
    assert 60 < len(pairs(given, decision(given))) < 140
    arms = {one.arm for one in pairs(given, decision(given))}
    assert arms == {"half", "third"}


@pytest.mark.parametrize(
    "more",
    [
        {"kill_mode": "shadow"},
        {"has_opted_out": True},
        {"is_overridden": True},
        {"variant": None},
        {"variant": "holdout"},
        {"variant": "gone"},
        {"version": "another"},
    ],
)
def test_who_did_not_get_their_arm_is_not_sampled(more: dict[str, object]) -> None:
    given = policy()
    assert pairs(given, decision(given).model_copy(update=more)) == []


def test_where_there_is_nothing_to_mirror() -> None:
    [plain] = policy_set({"name": "plain"}).policies
    assert pairing(plain, decision(plain), "pith-1") is None
    assert pairing(None, Decision(), "pith-1") is None
    silent = policy(per_minute=0)
    assert pairs(silent, decision(silent)) == []


@pytest.mark.parametrize(
    ("dialect", "body", "fit"),
    [
        ("chat_completions", {}, True),
        ("chat_completions", {"n": 1, "store": False}, True),
        ("chat_completions", {"n": 2}, False),
        ("chat_completions", {"store": True}, False),
        ("chat_completions", {"tools": [{"type": "function"}]}, True),
        ("chat_completions", {"tools": [{"type": "code_interpreter"}]}, False),
        ("anthropic_messages", {}, True),
        ("responses", {}, False),
        ("responses", {"store": False}, True),
        ("responses", {"store": False, "conversation": "conv_1"}, False),
    ],
)
def test_what_may_be_asked_twice(dialect: str, body: dict[str, object], fit: bool) -> None:
    assert is_fit(dialect, json.dumps(body).encode()) is fit


@pytest.mark.parametrize("body", [b"[]", b'{"a":1,"a":2}', b"no"])
def test_what_is_no_plain_object_may_not(body: bytes) -> None:
    assert not is_fit("chat_completions", body)


@pytest.mark.parametrize(
    ("body", "plain"),
    [
        (b'{"a":1}', b'{"a":1}'),
        (b'{"stream":false}', b'{"stream":false}'),
        (b'{"stream": true, "a":1.10}', b'{"stream": false, "a":1.10}'),
        (
            b'{"stream_options":{"include_usage":true},"stream":true}',
            b'{"stream_options":null,"stream":false}',
        ),
    ],
)
def test_a_plain_request_differs_in_nothing_else(body: bytes, plain: bytes) -> None:
    assert splice(body, unstreamed(body)) == plain


def test_header_fields() -> None:
    given = [
        (b"Authorization", b"Bearer k"),
        (b"Idempotency-Key", b"1"),
        (b"X-Pith-Unit", b"u"),
        (b"Accept-Encoding", b"br"),
        (b"X-Own", b"1"),
    ]
    names = [name for name, _ in mirrored_headers(given)]
    assert names == [b"Authorization", b"X-Own", b"accept-encoding"]
    assert carries_key(given)
    assert not carries_key([(b"authorization", b" "), (b"x-own", b"k")])


def test_the_conversation_is_its_texts_by_role() -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "How\nmany?"}]
    body = json.dumps({"messages": messages}).encode()
    request = parse(body)
    assert not isinstance(request, str)
    assert conversation_of(body, request) == "[system]\nBe brief.\n\n[user]\nHow\nmany?"
