"""Anthropic's client for Python: messages, blocking and on an event loop."""

# mypy: disable-error-code="import-not-found, import-untyped"
# It is installed in an environment of its own.

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Generator, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

import anthropic

from tests.conformance.clients.facts import (
    DOCUMENT,
    PARAMETERS,
    PROMPT,
    QUESTION,
    SCHEMA,
    TOOL_NAME,
    TOOL_TEXT,
)
from tests.conformance.clients.harness import expect, run, url

TRANSPORTS: Final = tuple(
    import_module(name).HTTPError for name in ("httpx", "httpx2") if find_spec(name) is not None
)
ERRORS: Final = (anthropic.APIError, *TRANSPORTS)
MODEL: Final[Any] = {"model": "claude-sonnet-4-6", "max_tokens": 500}
MARK: Final = {"cache_control": {"type": "ephemeral"}}
USER: Final[Any] = {"role": "user", "content": [{"type": "text", "text": PROMPT, **MARK}]}
ASKING: Final[Any] = {"role": "user", "content": QUESTION}
TOOLS: Final[Any] = [{"name": TOOL_NAME, "description": TOOL_TEXT, "input_schema": PARAMETERS}]
FORMAT: Final[Any] = {"format": {"type": "json_schema", "schema": SCHEMA}}


def status(error: Exception) -> int | None:
    """As the client tells it, with the upstream's own words."""
    if not isinstance(error, anthropic.APIStatusError):
        return None
    told: Any = error.body
    expect((told["error"]["type"], error.request_id), (f"code_{error.status_code}", "req_1"))
    found: int = error.status_code
    return found


def result(made: Any) -> Any:
    """The tool's result, in blocks."""
    [call] = [block for block in made if block.type == "tool_use"]
    content = [{"type": "text", "text": DOCUMENT, **MARK}]
    return {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": call.id, "content": content}],
    }


class Messages:
    """From a thread."""

    errors = ERRORS
    status = staticmethod(status)

    def ask(self, key: str, timeout_s: float) -> str:
        answer = self._client(key).messages.create(**MODEL, messages=[USER], timeout=timeout_s)
        text: str = answer.content[0].text
        return text

    def stream(self, key: str) -> Generator[str, None, None]:
        with self._client(key).messages.stream(**MODEL, messages=[USER]) as stream:
            yield from stream.text_stream

    def tools(self, key: str) -> str:
        """The call is streamed."""
        client = self._client(key)
        with client.messages.stream(**MODEL, messages=[ASKING], tools=TOOLS) as stream:
            made = stream.get_final_message().content
        turns = [ASKING, {"role": "assistant", "content": made}, result(made)]
        text: str = client.messages.create(**MODEL, messages=turns, tools=TOOLS).content[0].text
        return text

    def structured(self, key: str) -> Mapping[str, Any]:
        answer = self._client(key).messages.create(**MODEL, messages=[USER], output_config=FORMAT)
        read: Mapping[str, Any] = json.loads(answer.content[0].text)
        return read

    def _client(self, key: str) -> Any:
        return anthropic.Anthropic(base_url=url(), api_key=key, max_retries=0)


class AsyncMessages:
    """On an event loop."""

    errors = ERRORS
    status = staticmethod(status)

    async def ask(self, key: str) -> str:
        answer = await self._client(key).messages.create(**MODEL, messages=[USER])
        text: str = answer.content[0].text
        return text

    async def stream(self, key: str) -> AsyncGenerator[str, None]:
        async with await self._client(key).messages.create(**MODEL, messages=[USER], stream=True) as stream:
            async for event in stream:
                if event.type == "content_block_delta":
                    yield event.delta.text

    async def tools(self, key: str) -> str:
        client = self._client(key)
        made = (await client.messages.create(**MODEL, messages=[ASKING], tools=TOOLS)).content
        turns = [ASKING, {"role": "assistant", "content": made}, result(made)]
        text: str = (await client.messages.create(**MODEL, messages=turns, tools=TOOLS)).content[0].text
        return text

    async def structured(self, key: str) -> Mapping[str, Any]:
        """By a tool that must be called, as clients did before there was another way."""
        tool = {"name": "facts", "input_schema": SCHEMA}
        forced = {"tools": [tool], "tool_choice": {"type": "tool", "name": "facts"}}
        answer = await self._client(key).messages.create(**MODEL, messages=[USER], **forced)
        read: Mapping[str, Any] = answer.content[0].input
        return read

    def _client(self, key: str) -> Any:
        return anthropic.AsyncAnthropic(base_url=url(), api_key=key, max_retries=0)


if __name__ == "__main__":
    run({"anthropic": Messages(), "anthropic-async": AsyncMessages()}, "anthropic")
