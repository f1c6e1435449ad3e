"""What the answers of `/v1/responses` tell: one object, or typed events that carry it (`response`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gateway.dialects.answers import FAILED, AnswerShape, Told, mapping, word

# Tuples, not sets: a type may be anything, and what cannot be hashed is in no set but raises.
_ENDS: Final = ("response.completed", "response.incomplete", "response.failed")
_GOING_ON: Final = ("queued", "in_progress")
_DELTAS: Final = (
    "response.output_text.delta",
    "response.refusal.delta",
    "response.reasoning_text.delta",
    "response.reasoning_summary_text.delta",
    "response.function_call_arguments.delta",
    "response.custom_tool_call_input.delta",
    "response.mcp_call_arguments.delta",
    "response.code_interpreter_call_code.delta",
)


def usage(answer: Mapping[str, Any], earlier: Told | None) -> Told | None:
    """Told once, by the answer or by the event that ends it; what is said before (zeros, by some) is none."""
    response = _response(answer)
    told = response.get("usage")
    if told is None or response.get("status") in _GOING_ON:
        return earlier
    counts = mapping(told)
    return {
        "prompt_tokens": counts.get("input_tokens"),
        "prompt_tokens_details": counts.get("input_tokens_details"),
        "completion_tokens": counts.get("output_tokens"),
        "completion_tokens_details": counts.get("output_tokens_details"),
        "service_tier": response.get("service_tier"),
    }


def characters(event: Mapping[str, Any]) -> int:
    """Of text, reasoning and arguments; binary output is not counted."""
    delta = event.get("delta")
    return len(delta) if event.get("type") in _DELTAS and isinstance(delta, str) else 0


def is_last(event: Mapping[str, Any]) -> bool:
    """Whether nothing comes after it."""
    return event.get("type") in _ENDS


def response_id(answer: Mapping[str, Any]) -> str | None:
    """What a later request names as `previous_response_id`."""
    name = _response(answer).get("id")
    return name if isinstance(name, str) else None


def _response(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    return answer if answer.get("object") == "response" else mapping(answer.get("response"))


def finish(answer: Mapping[str, Any]) -> str | None:
    """Its status, or of one that is incomplete the reason; nothing while it goes on."""
    if answer.get("type") == "error":
        return FAILED
    response = _response(answer)
    status = word(response.get("status"))
    if status == "incomplete":
        return word(mapping(response.get("incomplete_details")).get("reason")) or status
    return None if status in _GOING_ON else status


RESPONSES_ANSWERS = AnswerShape(usage, characters, is_last, finish, response_id)
