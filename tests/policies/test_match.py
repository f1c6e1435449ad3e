from __future__ import annotations

import pytest

from policies.load import load_policies
from policies.match import PolicySet, RequestFacts, header_map, match
from policies.schema import Match, Policy

PATH = "/v1/chat/completions"


def named(name: str, **conditions: object) -> Policy:
    return Policy(name=name, match=Match.model_validate(conditions))


def chosen(policy_set: PolicySet, facts: RequestFacts) -> str | None:
    policy, _ = match(policy_set, facts)
    return None if policy is None else policy.name


@pytest.mark.parametrize(
    ("conditions", "facts", "holds"),
    [
        ({}, RequestFacts(PATH), True),
        ({"path": "/v1/chat/*"}, RequestFacts(PATH), True),
        ({"path": "/v1/Chat/*"}, RequestFacts(PATH), False),
        ({"path": "/v1/*"}, RequestFacts(PATH), True),  # a star spans slashes, as in a shell's case pattern
        ({"model": "gpt-*"}, RequestFacts(PATH, "gpt-5"), True),
        ({"model": "gpt-?"}, RequestFacts(PATH, "gpt-5"), True),
        ({"model": "gpt-[45]"}, RequestFacts(PATH, "gpt-5"), True),
        ({"model": "gpt-*"}, RequestFacts(PATH, "GPT-5"), False),
        ({"model": "*"}, RequestFacts(PATH), False),
        ({"key": "search-*"}, RequestFacts(PATH, key_id="search-prod"), True),
        ({"key": "search-*"}, RequestFacts(PATH, key_id="chat"), False),
        ({"team": "search"}, RequestFacts(PATH, team="search"), True),
        ({"team": "search"}, RequestFacts(PATH, team="Search"), False),
        ({"header": {"X-App": "rag*"}}, RequestFacts(PATH, headers={"x-app": "rag2"}), True),
        ({"header": {"X-App": "rag"}}, RequestFacts(PATH, headers={"x-app": "Rag"}), False),
        ({"header": {"x-app": "*"}}, RequestFacts(PATH), False),
        ({"header": {"x-a": "1", "x-b": "2"}}, RequestFacts(PATH, headers={"x-a": "1"}), False),
        ({"path": "/v1/*", "model": "x"}, RequestFacts(PATH, "y"), False),
    ],
)
def test_conditions(conditions: dict[str, object], facts: RequestFacts, holds: bool) -> None:
    assert chosen(PolicySet((named("p", **conditions),), "t"), facts) == ("p" if holds else None)


def test_first_match_wins_and_the_trace_says_why() -> None:
    policy_set = PolicySet(
        (named("a", model="x-*"), named("b", header={"x-app": "z"}), named("c", path="/v1/*"), named("d")),
        "t",
    )
    policy, trace = match(policy_set, RequestFacts(PATH, "m", headers={"x-app": "secret"}))
    assert policy is policy_set.policies[2]
    assert trace == (
        "policy 'a' does not match: model 'm' is not 'x-*'",
        "policy 'b' does not match: header x-app is not 'z'",
        "policy 'c' matches: every condition holds",
    )


def test_the_last_policy_is_the_default_only_without_conditions() -> None:
    facts = RequestFacts("/other")
    assert chosen(PolicySet((named("a", path="/v1/*"), named("d")), "t"), facts) == "d"
    policy, trace = match(PolicySet((named("a", path="/v1/*"), named("b", model="x", team="y")), "t"), facts)
    assert policy is None
    assert trace == (
        "policy 'a' does not match: path '/other' is not '/v1/*'",
        "policy 'b' does not match: model (none) is not 'x'",
        "no policy matches, and there is no default",
    )
    assert chosen(PolicySet((), "t"), facts) is None


def test_absent_header_in_the_trace() -> None:
    _, trace = match(PolicySet((named("a", header={"x-app": "z"}), named("d")), "t"), RequestFacts(PATH))
    assert trace == (
        "policy 'a' does not match: header x-app is absent",
        "policy 'd' matches: it has no conditions",
    )


def test_the_trace_stays_short_whatever_a_request_says() -> None:
    _, trace = match(PolicySet((named("a", model="x"), named("d")), "t"), RequestFacts(PATH, "m" * 10**6))
    assert sum(map(len, trace)) < 200


def test_credentials_are_not_in_the_repr() -> None:
    assert "sk-1" not in repr(RequestFacts(PATH, headers={"authorization": "Bearer sk-1"}))


def test_named() -> None:
    policy_set = load_policies("policies: [{name: a}, {name: b, match: {path: x}}]", "t")
    assert policy_set.named("b") is policy_set.policies[1]
    assert policy_set.named("c") is None


def test_header_map() -> None:
    raw = [(b"X-App", b"rag"), (b"x-app", b"two"), (b"Accept", b"caf\xe9")]
    assert header_map(raw) == {"x-app": "rag, two", "accept": "café"}
