"""policies.written: reading what was written gives the same policy."""

from __future__ import annotations

import json
from typing import Any

import pytest

from policies.load import packaged
from policies.parse import parse
from policies.schema import Policy, PolicyDocument
from policies.validate import validate
from policies.written import written


def read(text: str) -> Policy:
    [policy] = validate(PolicyDocument, parse(text, "test")).policies
    return policy


@pytest.mark.parametrize(
    "said",
    [
        {"name": "bare"},
        {"name": "off", "mode": "off"},
        {"name": "123"},
        {"name": "null"},
        {
            "name": "all",
            "match": {"model": "gpt-*", "header": {"x-team": "*: #é\n"}},
            "params": {
                "rate": [{"rate": 0.75, "to_tokens": 1000}, {"rate": 0.5}],
                "roles": ["user", "tool"],
                "protect": {"json": True, "head_tokens": 0, "patterns": ["[A-Z]{2,4}-\\d+"]},
                "force_tokens": ["\n", "?", " ", "yes", "12", "\u2028"],
            },
            "experiment": {"salt": "a b", "variants": [{"name": "x", "weight": 50.5}]},
            "response_cache": {"ttl_s": 60.0},
        },
    ],
)
def test_a_policy_comes_back(said: dict[str, Any]) -> None:
    policy = read(json.dumps({"policies": [said]}))
    assert read(written(policy)) == policy


def test_the_default_policy_comes_back_and_defaults_are_left_out() -> None:
    policy = read(packaged().read_text(encoding="utf-8"))
    text = written(policy)
    assert read(text) == policy
    assert "cache_scope" not in text
    assert text.startswith("policies:\n  - name: default\n    params:\n      rate: 0.6\n")
