"""Agents of many turns, on the official clients: what they come to, as one line of JSON.

    python -m tests.conformance.clients.agents_python AGENT URL

`codex` replays its whole input with encrypted reasoning and keeps nothing at the provider, `codex-chained`
names the response before; `claude` streams messages with thinking, and moves its cache breakpoint on with
every turn.
"""

# mypy: disable-error-code="import-not-found, import-untyped"
# Anthropic's client is installed in an environment of its own.

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

from tests.conformance.clients.agent_notes import (
    INSTRUCTIONS,
    N_TURNS,
    PAGE_SCHEMA,
    PAGE_TOOL,
    TASK,
    page,
)

MARK: Final = {"cache_control": {"type": "ephemeral"}}


def codex(url: str, key: str, *, is_chained: bool = False) -> str:
    """As Codex asks: streamed responses, `store: false`, the encrypted reasoning sent back."""
    client = importlib.import_module("openai").OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)
    tools = [{"type": "function", "name": PAGE_TOOL, "parameters": PAGE_SCHEMA, "strict": True}]
    same: dict[str, Any] = {
        "model": "gpt-5-codex",
        "instructions": INSTRUCTIONS,
        "tools": tools,
        "prompt_cache_key": key,
        "store": is_chained,
        "include": ["reasoning.encrypted_content"],
        "stream": True,
    }
    turns: list[Any] = [{"role": "user", "content": [{"type": "input_text", "text": TASK}]}]
    before: dict[str, Any] = {}
    with client:
        for _ in range(N_TURNS + 1):
            with client.responses.create(**same, **before, input=turns) as stream:
                [done] = [event.response for event in stream if event.type == "response.completed"]
            calls = [item for item in done.output if item.type == "function_call"]
            if not calls:
                return str(done.output_text)
            results = [
                {
                    "type": "function_call_output",
                    "call_id": call.call_id,
                    "output": page(json.loads(call.arguments)["page"]),
                }
                for call in calls
            ]
            if is_chained:
                turns, before = results, {"previous_response_id": done.id}
            else:
                turns = [*turns, *(item.to_dict() for item in done.output), *results]
    return "no answer"


def codex_chained(url: str, key: str) -> str:
    """The same with what the provider keeps."""
    return codex(url, key, is_chained=True)


def claude(url: str, key: str) -> str:
    """As Claude Code asks: streamed messages, thinking, a breakpoint on the last block of each turn."""
    client = importlib.import_module("anthropic").Anthropic(base_url=url, api_key=key, max_retries=0)
    same: dict[str, Any] = {
        "model": "claude-sonnet-4-6",
        "max_tokens": 8000,
        "system": [{"type": "text", "text": INSTRUCTIONS, **MARK}],
        "tools": [{"name": PAGE_TOOL, "description": "A page.", "input_schema": PAGE_SCHEMA}],
        "thinking": {"type": "enabled", "budget_tokens": 2000},
        "metadata": {"user_id": "u"},
    }
    turns: list[Any] = [{"role": "user", "content": [{"type": "text", "text": TASK}]}]
    for _ in range(N_TURNS + 1):
        with client.messages.stream(**same, messages=marked(turns)) as stream:
            answer = stream.get_final_message()
        calls = [block for block in answer.content if block.type == "tool_use"]
        if not calls:
            return "".join(block.text for block in answer.content if block.type == "text")
        content = [block.model_dump(exclude_none=True) for block in answer.content]
        results = [
            {
                "type": "tool_result",
                "tool_use_id": call.id,
                "content": [{"type": "text", "text": page(call.input["page"])}],
            }
            for call in calls
        ]
        turns = [*turns, {"role": "assistant", "content": content}, {"role": "user", "content": results}]
    return "no answer"


def marked(turns: list[Any]) -> list[Any]:
    """With the breakpoint on the last block of all."""
    *before, last = turns
    *blocks, end = last["content"]
    return [*before, {**last, "content": [*blocks, {**end, **MARK}]}]


AGENTS: Final[Mapping[str, Callable[[str, str], str]]] = {
    "codex": codex,
    "codex-chained": codex_chained,
    "claude": claude,
}


if __name__ == "__main__":
    print(json.dumps(AGENTS[sys.argv[1]](sys.argv[2], f"sk-agent-{sys.argv[1]}")))
