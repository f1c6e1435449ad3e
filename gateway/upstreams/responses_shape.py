"""`/v1/responses` for providers that do not speak it, by litellm's own translation of it.

litellm remembers each tool call of each answer under its id, for whoever names that id later: that memory is
taken away, since it would cross tenants; a request brings its calls itself.
"""

from __future__ import annotations

import functools
import importlib
import itertools
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from gateway.errors import UpstreamBroken
from gateway.upstreams.providers import call_arguments, model_name
from gateway.upstreams.responses_request import checked
from gateway.upstreams.shape import Asked, Chunks

_NOT_OPENAIS: Final = ("provider_specific_fields",)
_USAGE_DETAILS: Final = ("cached_tokens", "cache_write_tokens", "reasoning_tokens")
_ENDS: Final = ("response.completed", "response.incomplete")
_NOT_SENT: Final = ("custom_llm_provider", "reasoning_summary")


def translate(request: dict[str, Any], provider: str) -> Asked:
    """Raises Refusal. litellm is loaded by now."""
    sent = checked(request)
    model = model_name(sent.pop("model", None), provider)
    given, is_streamed = sent.pop("input"), sent.pop("stream")
    bridge = _bridge()
    chat = bridge.transform_responses_api_request_to_chat_completion_request(
        f"{provider}/{model}", given, sent, custom_llm_provider=provider, stream=is_streamed
    )
    arguments = call_arguments({name: chat[name] for name in chat if name not in _NOT_SENT}, provider)
    numbers = itertools.count()

    def whole(answer: Any) -> bytes:
        said = bridge.transform_chat_completion_response_to_responses_api_response(given, sent, answer)
        response = _response(said.model_dump(mode="json", warnings=False))
        return _json({**response, "id": f"resp_{response['id']}"})

    async def events(chunks: Chunks) -> AsyncIterator[bytes]:
        kind = ""
        async for said in _streamed()(model, chunks, given, sent, provider):
            event = said.model_dump(mode="json", exclude_none=True, warnings=False)
            kind = event["type"]
            if "response" in event:
                event["response"] = _response(event["response"])
            yield _event({**event, "sequence_number": next(numbers)})
        if kind not in _ENDS:
            raise UpstreamBroken("the answer ended without saying why")

    def failed(message: str, kind: str) -> bytes:
        said = {"type": "error", "code": kind, "message": message, "param": None}
        return _event({**said, "sequence_number": next(numbers)})

    return Asked(arguments, whole, events, failed)


@functools.cache
def _bridge() -> Any:
    module = importlib.import_module("litellm.responses.litellm_completion_transformation.transformation")
    vars(module)["TOOL_CALLS_CACHE"] = _Forgetful()
    return module.LiteLLMCompletionResponsesConfig


def _streamed() -> Any:
    module = importlib.import_module("litellm.responses.litellm_completion_transformation.streaming_iterator")
    return module.LiteLLMCompletionStreamingIterator


class _Forgetful:
    """In the place of litellm's memory of tool calls."""

    def get_cache(self, key: str, **options: object) -> None:
        return None

    def set_cache(self, key: str, value: object, **options: object) -> None:
        return None


def _response(said: Mapping[str, Any]) -> dict[str, Any]:
    """As OpenAI's clients know it. Nothing is stored."""
    response = {name: value for name, value in said.items() if name not in _NOT_OPENAIS}
    if usage := response.get("usage"):
        response["usage"] = {name: _detail(value) for name, value in usage.items() if value is not None}
    return {**response, "store": False}


def _detail(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {name: count for name, count in value.items() if name in _USAGE_DETAILS and count is not None}


def _event(said: Mapping[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (said["type"].encode(), _json(said))


def _json(said: Mapping[str, Any]) -> bytes:
    return json.dumps(said, ensure_ascii=False).encode("utf-8", "replace")
