"""A conversation in the shape of `/v1/messages`, marked as agents mark it: the system, and the last block."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

Json = dict[str, Any]

MARK: Final = {"cache_control": {"type": "ephemeral"}}


def messages_body(model: str, messages: Sequence[Json]) -> Json:
    """The request."""
    system = [message["content"] for message in messages if message["role"] == "system"]
    turns = [_message(message) for message in messages if message["role"] != "system"]
    last = turns[-1]["content"]
    turns[-1] = {**turns[-1], "content": [*last[:-1], {**last[-1], **MARK}]}
    body: Json = {"model": model, "max_tokens": 1000, "messages": turns}
    if system:
        body["system"] = [{"type": "text", "text": "\n".join(system), **MARK}]
    return body


def _message(message: Json) -> Json:
    role = "assistant" if message["role"] == "assistant" else "user"
    return {"role": role, "content": [_block(message)]}


def _block(message: Json) -> Json:
    if message["role"] == "tool":
        content = message["content"]
        return {"type": "tool_result", "tool_use_id": message["tool_call_id"], "content": content}
    if calls := message.get("tool_calls"):
        function = calls[0]["function"]
        given = json.loads(function["arguments"])
        return {"type": "tool_use", "id": calls[0]["id"], "name": function["name"], "input": given}
    return {"type": "text", "text": message["content"]}
