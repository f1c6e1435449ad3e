"""What one request counts for."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.ledger.schema import to_row
from gateway.ledger.unit_sums import contribution, sums_of
from gateway.types import Entry, Usage
from policies.outcomes import SUMS

FULL = {
    "id": "pith-1",
    "created_at": 100.0,
    "path": "/v1/chat/completions",
    "status": 200,
    "policy": "rag",
    "policy_version": "v1",
    "variant": "half",
    "unit": "u" * 64,
    "is_eligible": True,
    "mode": "on",
    "origin_tokens": 1000,
    "compressed_tokens": 500,
    "usage": Usage(510, 70, cached_tokens=256, cache_write_tokens=54, reasoning_tokens=20),
    "cost_usd": 0.5,
    "counterfactual_usd": 0.75,
    "compression_usd": 0.125,
    "saved_usd": 0.125,
    "added_ms": 5.0,
    "timing_ms": {"first_byte": 100.0, "total": 900.0},
    "finish": "stop",
}


def row(**said: Any) -> dict[str, object]:
    return to_row(Entry(**{**FULL, **said}))


def sums(**said: Any) -> dict[str, float]:
    """Those that are not nothing."""
    return {name: value for name, value in sums_of(row(**said)).items() if value}


def test_a_request_in_full() -> None:
    assert sums() == {
        "requests": 1,
        "eligible": 1,
        "applied": 1,
        "answered": 1,
        "origin_tokens": 1000,
        "uncached_tokens": 200,
        "cached_tokens": 256,
        "cache_write_tokens": 54,
        "output_tokens": 70,
        "reasoning_tokens": 20,
        "cost_usd": 0.5,
        "compression_usd": 0.125,
        "counterfactual_usd": 0.75,
        "saved_usd": 0.125,
        "first_byte_ms": 105.0,
        "total_ms": 900.0,
    }


def test_every_sum_is_counted_here_but_those_of_feedback() -> None:
    assert {*sums_of(row())} == {*SUMS} - {"feedback_n", "feedback_sum"}


NOTHING: dict[str, Any] = {
    "usage": None,
    "cost_usd": None,
    "counterfactual_usd": None,
    "compression_usd": None,
    "saved_usd": None,
    "origin_tokens": None,
    "compressed_tokens": None,
    "is_eligible": None,
    "timing_ms": {},
    "mode": "off",
}


def test_a_request_of_which_nothing_is_known() -> None:
    assert sums(**NOTHING, status=503) == {"requests": 1, "errors": 1}


@pytest.mark.parametrize(
    ("said", "name", "value"),
    [
        ({"status": 499}, "errors", 0),
        ({"status": 400}, "errors", 1),
        ({"status": 200, "is_broken": True}, "errors", 1),
        ({"finish": "failed"}, "errors", 1),
        ({"finish": "length"}, "truncated", 1),
        ({"finish": "max_tokens"}, "truncated", 1),
        ({"finish": "max_output_tokens"}, "truncated", 1),
        ({"finish": "tool_calls"}, "truncated", 0),
        ({"is_retry": True}, "retries", 1),
        ({"is_repeat": True}, "repeats", 1),
        ({"is_slow": True}, "slow", 1),
        ({"cost_usd": None}, "unpriced", 1),
        ({"mode": "shadow"}, "applied", 0),
        ({"compressed_tokens": 1000}, "applied", 0),
        ({"added_ms": None}, "first_byte_ms", 100),
    ],
)
def test_one_thing_at_a_time(said: dict[str, Any], name: str, value: float) -> None:
    assert sums_of(row(**said))[name] == value


@pytest.mark.parametrize("missing", ["policy", "policy_version", "variant", "unit"])
def test_outside_experiments_nothing_is_contributed(missing: str) -> None:
    assert contribution(row(**{missing: None})) is None
    whole = contribution(row())
    assert whole is not None
    assert (whole.key, whole.arm, whole.at) == (("rag", "v1", "u" * 64), "half", 100.0)
    assert (whole.first_tokens, whole.is_eligible) == (1000, True)
