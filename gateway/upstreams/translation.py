"""litellm's answers in OpenAI's words, and its failures in words for every client (pure).

Laws: no key is in what is said; a provider's answer keeps its status and what it says of trying again; what
litellm itself says of a failure stays here: it may hold a traceback or an address.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.errors import UpstreamBroken, UpstreamError
from gateway.refusal import Refusal, error_body
from gateway.types import RawHeaders
from gateway.usage import read_object

DONE: Final = b"data: [DONE]\n\n"
MAX_MESSAGE_CHARACTERS: Final = 2_000

_KEPT_FIELDS: Final = frozenset({b"retry-after", b"retry-after-ms", b"x-should-retry", b"x-request-id"})
_USAGE: Final = (
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "prompt_tokens_details",
    "completion_tokens_details",
)
_MASK: Final = "[key]"
_ENOUGH: Final = 8
"""Characters of a key that would be a part of it worth hiding."""


@dataclass(slots=True)
class ProviderRefusal(Exception):
    """What a provider answered by another status than 2xx."""

    status: int
    headers: RawHeaders
    body: bytes


def completion(said: Mapping[str, Any]) -> bytes:
    """A whole answer, from litellm's as data."""
    answer = _without_internals(said)
    for choice in answer.get("choices", []):
        message = choice.get("message", {})
        message.setdefault("content", None)
        message.setdefault("refusal", None)
        for call in message.get("tool_calls") or []:
            call.pop("index", None)
        choice.setdefault("logprobs", None)
    return json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace")


def event(said: Mapping[str, Any]) -> bytes:
    """One chunk of a stream. The one that only counts has no choices, as OpenAI writes it."""
    chunk = _without_internals(said)
    choices = chunk.get("choices", [])
    if chunk.get("usage") and not any(
        choice.get("delta") or choice.get("finish_reason") for choice in choices
    ):
        chunk["choices"] = []
    for choice in chunk["choices"]:
        choice.setdefault("delta", {})
        choice.setdefault("finish_reason", None)
    return data(chunk)


def late_failure(error: Exception, name: str, key: str) -> tuple[str, str]:
    """Message and type of error to tell in a stream that cannot be gone on with."""
    refusal = _refusal_behind(error)
    message, kind = f"upstream {name!r} broke off its answer", "api_error"
    if refusal is not None:
        message, kind = _words(refusal, key)
    elif said := _said_midway(error):
        message = _masked(said, key)
    return message, kind


def answer_of(
    error: Exception, name: str, key: str, *, has_asked: bool = True
) -> tuple[int, RawHeaders, bytes]:
    """The provider's refusal as status, header fields and body. Raises UpstreamError where there was none,
    and Refusal where the request is at fault: so it is where nobody was asked.
    """
    refusal = _refusal_behind(error)
    if refusal is None:
        raise failure(error, name, key) if has_asked else unasked(error, name, key)
    if refusal.status == 401:
        message, kind = f"upstream {name!r} does not accept its key: see its `key`", "authentication_error"
    else:
        message, kind = _words(refusal, key)
    # With the one member more that makes it Anthropic's, as `Refusal` has it.
    body = json.dumps({"type": "error", **error_body(message, kind, None)}).encode()
    kept = [(name.lower(), value) for name, value in refusal.headers if name.lower() in _KEPT_FIELDS]
    head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    return refusal.status, [*head, *kept], body


def failure(error: Exception, name: str, key: str) -> Exception:
    """What is raised for an error without an answer behind it: a Refusal where the request is at fault."""
    for found in chain(error):
        if isinstance(found, UpstreamError | UpstreamBroken):
            return found
    status = getattr(error, "status_code", None)
    if status in (400, 404, 413, 422):
        said = str(getattr(error, "message", error)).splitlines()[0].partition(" To drop these")[0]
        return Refusal(400, code="not_translated", message=_masked(said.removeprefix("litellm."), key))
    return UpstreamError(f"upstream {name!r} gave no answer: {type(error).__name__} while translating")


def unasked(error: Exception, name: str, key: str) -> Exception:
    """What is raised for an error before the provider was asked."""
    found = failure(error, name, key)
    is_ours = isinstance(found, Refusal) or found in chain(error)
    return found if is_ours else not_understood(error)


def not_understood(error: Exception) -> Refusal:
    """400 for a request that litellm does not take. What it says of it stays here, as of any failure."""
    if any(isinstance(found, UnicodeEncodeError) for found in chain(error)):
        message = "the request is not translated: half of a surrogate pair is no text; remove it"
    else:
        message = (
            "the request is not translated: a member has a value of a kind that its API does not know "
            f"({type(error).__name__}); see the API's reference"
        )
    return Refusal(400, code="not_translated", message=message)


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and those behind it, the first one last."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _refusal_behind(error: Exception) -> ProviderRefusal | None:
    return next((found for found in chain(error) if isinstance(found, ProviderRefusal)), None)


def _said_midway(error: Exception) -> str | None:
    """The provider's own words, where it told of its trouble within the stream."""
    for found in chain(error):
        said = getattr(found, "message", None)
        if type(found).__module__.startswith("litellm.llms.") and isinstance(said, str):
            return said
    return None


def _words(refusal: ProviderRefusal, key: str) -> tuple[str, str]:
    """The provider's message and type of error, wherever it put them."""
    body = read_object(refusal.body)
    error = body.get("error", body)
    said = error if isinstance(error, Mapping) else {"message": error}
    message = said.get("message") or refusal.body.decode("utf-8", "replace") or f"status {refusal.status}"
    kind = said.get("type") or said.get("status")
    is_plain = isinstance(kind, str) and re.fullmatch(r"\w{1,64}", kind)
    fallback = "invalid_request_error" if refusal.status < 500 else "api_error"
    return _masked(str(message), key), str(kind).lower() if is_plain else fallback


def _masked(text: str, key: str) -> str:
    """`text` without the key, or its beginning or end where a provider shows a part."""
    for part in (key, key[:-4], key[:_ENOUGH], key[-_ENOUGH:]):
        if len(part) >= _ENOUGH:
            text = text.replace(part, _MASK)
    return text[:MAX_MESSAGE_CHARACTERS]


def _without_internals(said: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is litellm's own, and without fields that are not there."""
    answer = {name: _present(value) for name, value in said.items() if value is not None}
    if usage := answer.get("usage"):
        answer["usage"] = {name: usage[name] for name in _USAGE if name in usage}
    return answer


def _present(value: Any) -> Any:
    """Without members that are None, at any depth, and objects that are empty for that."""
    if isinstance(value, Mapping):
        members = {name: _present(inner) for name, inner in value.items() if inner is not None}
        return {
            name: inner for name, inner in members.items() if inner != {} or name in ("delta", "arguments")
        }
    return [_present(item) for item in value] if isinstance(value, list) else value


def data(said: Mapping[str, Any]) -> bytes:
    """An event without a name."""
    return b"data: " + json.dumps(said, ensure_ascii=False).encode("utf-8", "replace") + b"\n\n"
