"""Anthropic's `/v1/messages` for providers that do not speak it, by litellm's own translation of it."""

from __future__ import annotations

import importlib
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from gateway.upstreams.messages_request import checked
from gateway.upstreams.providers import call_arguments, model_name
from gateway.upstreams.shape import Asked, Chunks


def translate(request: dict[str, Any], provider: str) -> Asked:
    """Raises Refusal. litellm is loaded by now."""
    sent = checked(request)
    model = model_name(sent.get("model"), provider)
    top_k = sent.pop("top_k", None)
    adapter = _adapter()
    asked = {**sent, "model": f"{provider}/{model}"}
    chat, names = adapter.translate_anthropic_to_openai(asked, custom_llm_provider=provider)
    if sent.get("tool_choice", {}).get("disable_parallel_tool_use"):
        chat["parallel_tool_calls"] = False
    if sent["stream"]:
        chat["stream_options"] = {"include_usage": True}
    arguments = call_arguments(chat, provider)
    if top_k is not None:
        arguments["top_k"] = top_k

    def whole(answer: Any) -> bytes:
        return _json(adapter.translate_openai_response_to_anthropic(answer, names))

    async def events(chunks: Chunks) -> AsyncIterator[bytes]:
        async for said in _streamed(chunks, model, names):
            if said["type"] == "message_delta":
                said["delta"].setdefault("stop_sequence", None)
            yield _event(said)

    return Asked(arguments, whole, events, _failed)


def _adapter() -> Any:
    module = importlib.import_module("litellm.llms.anthropic.pass_through.adapters.transformation")
    return module.LiteLLMAnthropicMessagesAdapter()


def _streamed(chunks: Chunks, model: str, names: Mapping[str, str]) -> Any:
    module = importlib.import_module("litellm.llms.anthropic.pass_through.adapters.streaming_iterator")
    return module.AnthropicStreamWrapper(chunks, model, names)


def _failed(message: str, kind: str) -> bytes:
    return _event({"type": "error", "error": {"type": kind, "message": message}})


def _event(said: Mapping[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (said["type"].encode(), _json(said))


def _json(said: Mapping[str, Any]) -> bytes:
    return json.dumps(said, ensure_ascii=False).encode("utf-8", "replace")
