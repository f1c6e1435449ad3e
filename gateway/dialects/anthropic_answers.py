"""What the answers of `/v1/messages` tell: a message, or events that begin, extend and end one.

Anthropic counts a prompt in three parts that add up: fresh (`input_tokens`), written to its cache and read
from it. A stream tells the prompt when it begins and the output so far with every `message_delta`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gateway.dialects.answers import FAILED, AnswerShape, Told, mapping, word

_PROMPT: Final = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
_KEPT: Final = (*_PROMPT, "cache_creation", "service_tier")
_DELTAS: Final = ("text", "thinking", "partial_json")


def usage(answer: Mapping[str, Any], earlier: Told | None) -> Told | None:
    """What is told anew replaces what was told before. `is_partial`: of a stream that has only begun."""
    event = answer.get("type")
    told = mapping(answer.get("message")).get("usage") if event == "message_start" else answer.get("usage")
    if told is None:
        return earlier
    counts = mapping(told)
    spelled: dict[str, Any] = dict(earlier or {}, is_partial=event == "message_start")
    spelled |= {name: counts[name] for name in _KEPT if counts.get(name) is not None}
    if "input_tokens" in spelled:
        spelled["prompt_tokens"] = _sum(spelled)
    if "output_tokens" in counts:
        spelled["completion_tokens"] = counts["output_tokens"]
    return spelled


def characters(event: Mapping[str, Any]) -> int:
    """Of text, thinking and arguments."""
    delta = mapping(event.get("delta")) if event.get("type") == "content_block_delta" else {}
    return sum(len(value) for name in _DELTAS if isinstance(value := delta.get(name), str))


def is_last(event: Mapping[str, Any]) -> bool:
    """Whether nothing comes after it."""
    return event.get("type") == "message_stop"


def _sum(counts: Mapping[str, Any]) -> object:
    """The whole prompt; whatever is no count makes it none."""
    parts = [counts.get(name) or 0 for name in _PROMPT]
    return sum(parts) if all(type(part) is int and part >= 0 for part in parts) else parts


def finish(answer: Mapping[str, Any]) -> str | None:
    """Of a message, or of the delta that ends it."""
    if answer.get("type") == "error":
        return FAILED
    holder = answer.get("delta") if answer.get("type") == "message_delta" else answer
    return word(mapping(holder).get("stop_reason"))


ANTHROPIC_ANSWERS = AnswerShape(usage, characters, is_last, finish)
COUNT_ANSWERS = AnswerShape(lambda answer, earlier: None, lambda event: 0, is_billed=False)
