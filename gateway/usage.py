"""Reading the upstream's own token counts from a chat completion answer (pure).

What is there is taken as it is, zero included; what is missing, null, negative, absurdly large or no
whole number counts as absent. Nothing here raises: an upstream's odd answer is no trouble of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import orjson

from gateway.types import Usage

MAX_TOKENS: Final = 10**9
"""A count above this is taken for garbage."""

CHARACTERS_PER_TOKEN: Final = 4
"""For estimates only: English prose in the current OpenAI vocabularies runs at 4 to 4.5."""

_Path: TypeAlias = tuple[str, ...]

# Several spellings of one count: the first that holds a valid number wins.
_CACHED: Final[tuple[_Path, ...]] = (
    ("prompt_tokens_details", "cached_tokens"),
    ("prompt_cache_hit_tokens",),  # DeepSeek
    ("cache_read_input_tokens",),  # Anthropic's word, kept by translating gateways
)
_CACHE_WRITE: Final[tuple[_Path, ...]] = (
    ("prompt_tokens_details", "cache_write_tokens"),
    ("prompt_tokens_details", "cache_creation_tokens"),
    ("cache_creation_input_tokens",),
)
_CACHE_WRITE_1H: Final[tuple[_Path, ...]] = (
    ("cache_creation", "ephemeral_1h_input_tokens"),  # Anthropic's
    ("prompt_tokens_details", "cache_creation_token_details", "ephemeral_1h_input_tokens"),  # litellm's
)
_REASONING: Final[tuple[_Path, ...]] = (("completion_tokens_details", "reasoning_tokens"),)
_WHOLE: Final[tuple[_Path, ...]] = (("prompt_tokens",), ("completion_tokens",))
_ALL: Final = (*_WHOLE, *_CACHED, *_CACHE_WRITE, *_CACHE_WRITE_1H, *_REASONING)
_MAX_TIER: Final = 32
_TEXT_FIELDS: Final = ("content", "reasoning_content", "reasoning", "refusal")


def read_usage(obj: object) -> Usage | None:
    """Counts from a `usage` object, None when it does not say how long the prompt was.

    Parts never exceed their whole: cached and written tokens are cut to `prompt_tokens`, reasoning
    tokens to `completion_tokens`.
    """
    if not isinstance(obj, Mapping):
        return None
    prompt = _count(obj.get("prompt_tokens"))
    if prompt is None:
        return None
    completion = _count(obj.get("completion_tokens")) or 0
    cached = min(_first(obj, _CACHED), prompt)
    written = min(_first(obj, _CACHE_WRITE), prompt - cached)
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        cached_tokens=cached,
        cache_write_tokens=written,
        cache_write_1h_tokens=min(_first(obj, _CACHE_WRITE_1H), written),
        reasoning_tokens=min(_first(obj, _REASONING), completion),
        service_tier=_tier(obj.get("service_tier")),
    )


def is_absurd(obj: object) -> bool:
    """Whether a `usage` says what cannot be: no counts where counts belong, or parts above their whole."""
    if obj is None:
        return False
    usage = read_usage(obj)
    if usage is None or not isinstance(obj, Mapping):
        return True
    said = [value for path in _ALL if (value := _at(obj, path)) is not None]
    if any(_count(value) is None for value in said):
        return True
    parts = _first(obj, _CACHED) + _first(obj, _CACHE_WRITE)
    return parts > usage.prompt_tokens or _first(obj, _REASONING) > usage.completion_tokens


def _tier(value: object) -> str | None:
    return value[:_MAX_TIER] if isinstance(value, str) and value else None


def read_object(data: bytes) -> dict[str, Any]:
    """A JSON object, or an empty one for anything else."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def estimated_usage(prompt_tokens: int, output_characters: int) -> Usage:
    """Our own counts, where the stream broke off or the upstream sent none: caching is unknown, so none."""
    completion = -(-output_characters // CHARACTERS_PER_TOKEN)
    return Usage(prompt_tokens=prompt_tokens, completion_tokens=completion, estimated=True)


def output_characters(chunk: Mapping[str, Any]) -> int:
    """Characters a streamed chunk adds to the answer: text, reasoning, refusals and tool arguments."""
    choices = chunk.get("choices")
    if not isinstance(choices, list):
        return 0
    return sum(_choice_characters(choice) for choice in choices if isinstance(choice, Mapping))


def _choice_characters(choice: Mapping[str, Any]) -> int:
    delta = choice.get("delta")
    if not isinstance(delta, Mapping):
        return _length(choice.get("text"))  # the older completions endpoint
    total = sum(_length(delta.get(name)) for name in _TEXT_FIELDS)
    calls = delta.get("tool_calls")
    if isinstance(calls, list):
        total += sum(_arguments_length(call) for call in calls)
    return total


def _arguments_length(call: object) -> int:
    function = call.get("function") if isinstance(call, Mapping) else None
    return _length(function.get("arguments")) if isinstance(function, Mapping) else 0


def _length(value: object) -> int:
    return len(value) if isinstance(value, str) else 0


def _first(obj: Mapping[str, Any], paths: tuple[_Path, ...]) -> int:
    for path in paths:
        count = _count(_at(obj, path))
        if count is not None:
            return count
    return 0


def _at(obj: object, path: _Path) -> object:
    for name in path:
        obj = obj.get(name) if isinstance(obj, Mapping) else None
    return obj


def _count(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= MAX_TOKENS else None
