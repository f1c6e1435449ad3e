"""gateway.dashboard.trial: a text, or a request of any dialect, under a policy with another rate."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.dashboard.trial import MAX_CHARACTERS, Part, Trial, read_trial
from gateway.refusal import Refusal
from tests.gateway.pipeline import policy_set

POLICIES = policy_set(
    {"name": "rag", "params": {"rate": 0.6, "min_rate": 0.3, "min_tokens": 7}},
    {"name": "sharp", "params": {"threshold": 0.25}},
    {"name": "exact", "params": {"fidelity": "compat"}},
).policies


def trial(**body: Any) -> Trial:
    return read_trial(body, POLICIES)


def test_a_text_goes_through_the_first_policy() -> None:
    asked = trial(input="Hello.", model="gpt-4o")
    assert (asked.kind, asked.model, asked.parts) == ("text", "gpt-4o", (Part("user", "Hello."),))
    assert asked.policy == POLICIES[0]


def test_a_scorer_may_be_asked_where_there_is_one_of_that_name() -> None:
    body = {"input": "x", "scorer": "frequency"}
    assert read_trial(body, POLICIES, {"loaded": "", "frequency": ""}).scorer == "frequency"
    assert trial(input="x", scorer=None).scorer == trial(input="x").scorer == "loaded"
    for unknown in ("frequency", "/etc", ["loaded"], 7):
        with pytest.raises(Refusal, match=r"scorer is .*: use one of loaded"):
            trial(input="x", scorer=unknown)


def test_the_slider_changes_the_rate_or_the_way() -> None:
    params = trial(input="x", rate=0.4).policy.params
    assert (params.rate, params.min_rate, params.min_tokens) == (0.4, 0.3, 7)
    params = trial(input="x", threshold=0.1).policy.params
    assert (params.rate, params.min_rate, params.threshold, params.min_tokens) == (None, None, 0.1, 7)
    assert trial(input="x", policy="sharp", rate=0.5).policy.params.threshold is None


@pytest.mark.parametrize(
    ("kind", "request_body"),
    [
        (
            "chat_completions",
            {"messages": [{"role": "system", "content": "Be."}, {"role": "user", "content": "Go."}]},
        ),
        ("responses", {"instructions": "Be.", "input": "Go."}),
        ("messages", {"system": "Be.", "messages": [{"role": "user", "content": "Go."}]}),
    ],
)
def test_a_request_is_read_as_its_dialect_reads_it(kind: str, request_body: dict[str, Any]) -> None:
    asked = trial(input=json.dumps({"model": "gpt-4o", "max_tokens": 5, **request_body}), model="other")
    assert asked.model == "gpt-4o"
    assert Part("user", "Go.") in asked.parts
    if kind != "messages":  # which looks like a chat, and has the same texts but for the instructions
        assert asked.kind == kind


@pytest.mark.parametrize("pasted", ['{"a": 1}', "{", "{not json", '["x"]', '{"messages": []}'])
def test_what_is_no_request_is_a_text(pasted: str) -> None:
    assert trial(input=pasted) == Trial("text", None, (Part("user", pasted),), POLICIES[0])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ([], "body is not an object"),
        ({}, "input: send a text"),
        ({"input": 5}, "input: send a text"),
        ({"input": "x" * (MAX_CHARACTERS + 1)}, "at most 200,000 characters"),
        ({"input": "\ud800"}, "half of a surrogate pair"),
        ({"input": "x", "model": 5}, "model is 5"),
        ({"input": "x", "policy": "none"}, "policy is 'none': .* there are rag, sharp, exact"),
        ({"input": "x", "policy": "exact"}, "fidelity compat"),
        ({"input": "x", "rate": 0}, "rate"),
        ({"input": "x", "rate": "0.5"}, "rate"),
        ({"input": "x", "rate": 0.5, "threshold": 0.5}, "keep one"),
        ({"input": "x", "<b>": 1}, "body has '<b>': send input, model, policy"),
    ],
)
def test_what_is_wrong_is_named(body: object, said: str) -> None:
    with pytest.raises(Refusal, match=said) as raised:
        read_trial(body, POLICIES)
    assert (raised.value.status, raised.value.code) == (400, "invalid_request")
