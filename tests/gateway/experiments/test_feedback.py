"""What feedback may say."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.experiments.feedback import read_feedback
from gateway.experiments.records import MAX_REASON, Feedback
from gateway.refusal import Refusal


def read(keeps_reasons: bool = False, **body: Any) -> Feedback:
    return read_feedback(body, 5.0, keeps_reasons=keeps_reasons)


@pytest.mark.parametrize("score", [0, 1, 0.25, 1.0])
def test_a_score(score: float) -> None:
    assert read(id="pith-1", score=score) == Feedback("pith-1", 5.0, score)


def test_a_reason_is_kept_where_that_is_wanted_and_not_at_any_length() -> None:
    assert read(id="pith-1", score=1, reason="good").reason is None
    assert read(True, id="pith-1", score=1, reason="good").reason == "good"
    assert read(True, id="pith-1", score=1, reason="").reason is None
    assert read(True, id="pith-1", score=1, reason="x" * 9_999).reason == "x" * MAX_REASON


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "id is missing"),
        ({"id": 5, "score": 1}, "id is missing"),
        ({"id": "", "score": 1}, "id is missing"),
        ({"id": "a"}, "score is nothing"),
        ({"id": "a", "score": True}, "score is True"),
        ({"id": "a", "score": "1"}, "score is '1': send a number from 0"),
        ({"id": "a", "score": -1}, "score is -1"),
        ({"id": "a", "score": 1.5}, "score is 1.5"),
        ({"id": "a", "score": float("nan")}, "score is nan"),
        ({"id": "a", "score": 1, "reason": 5}, "reason is no text"),
        ({"id": "a", "score": 1, "raeson": "x"}, "'raeson' is no key of feedback; did you mean 'reason'?"),
    ],
)
def test_what_is_wrong_is_named(body: dict[str, Any], message: str) -> None:
    with pytest.raises(Refusal) as caught:
        read(**body)
    assert message in caught.value.message
    assert (caught.value.status, caught.value.code) == (400, "invalid_request")
