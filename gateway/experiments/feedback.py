"""Feedback on an answer, as `POST /pith/v1/feedback` takes it (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gateway.experiments.records import MAX_REASON, Feedback
from gateway.refusal import Refusal
from policies.validate import shown, suggestion

_KEYS: Final = ("id", "score", "reason")


def read_feedback(body: Mapping[str, Any], at: float, *, keeps_reasons: bool) -> Feedback:
    """What the body says. Raises Refusal (400) naming what is wrong."""
    for key in body:
        if key not in _KEYS:
            raise _wrong(f"{key[:64]!r} is no key of feedback{suggestion(key, _KEYS)}")
    request_id, score, reason = (body.get(key) for key in _KEYS)
    if not isinstance(request_id, str) or not request_id:
        raise _wrong("id is missing: send the x-pith-id of the answer")
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
        raise _wrong(f"score is {shown(score)}: send a number from 0 (bad) to 1 (good)")
    if reason is not None and not isinstance(reason, str):
        raise _wrong("reason is no text: send some, or leave it out")
    return Feedback(request_id, at, float(score), reason[:MAX_REASON] if keeps_reasons and reason else None)


def _wrong(message: str) -> Refusal:
    return Refusal(400, code="invalid_request", message=message)
