"""LiteLLM as a client: it speaks chat completions, responses and messages with the upstream."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Generator, Mapping
from typing import Any, Final

import httpx
import litellm
import openai

from tests.conformance.clients.facts import (
    ARGUMENTS,
    DOCUMENT,
    PARAMETERS,
    PROMPT,
    QUESTION,
    SCHEMA,
    TOOL_NAME,
    TOOL_TEXT,
)
from tests.conformance.clients.harness import expect, run, url

ERRORS: Final[tuple[type[Exception], ...]] = (openai.APIError, httpx.HTTPError)
USER: Final[Any] = {"role": "user", "content": PROMPT}
ASKING: Final[Any] = {"role": "user", "content": QUESTION}
FUNCTION: Final = {"name": TOOL_NAME, "description": TOOL_TEXT, "parameters": PARAMETERS}
TOOLS: Final = [{"type": "function", "function": FUNCTION}]
FORMAT: Final = {"type": "json_schema", "json_schema": {"name": "facts", "schema": SCHEMA, "strict": True}}


def status(error: Exception) -> int | None:
    """Anthropic's by the upstream's own words, since LiteLLM makes its 529 a 500."""
    told = re.search(r"code_(\d{3})", str(error))
    found: int | None = int(told[1]) if told else getattr(error, "status_code", None)
    return found


def turns(made: Any) -> list[Any]:
    [call] = made.tool_calls
    expect((call.function.name, json.loads(call.function.arguments)), (TOOL_NAME, ARGUMENTS))
    return [ASKING, made.model_dump(), {"role": "tool", "tool_call_id": call.id, "content": DOCUMENT}]


class Model:
    """From a thread."""

    errors = ERRORS
    status = staticmethod(status)

    def __init__(self, model: str, path: str) -> None:
        self._asked: dict[str, Any] = {"model": model, "max_retries": 0, "num_retries": 0}
        self._path = path

    def ask(self, key: str, timeout_s: float) -> str:
        text: str = self._complete(key, [USER], timeout=timeout_s).choices[0].message.content
        return text

    def stream(self, key: str) -> Generator[str, None, None]:
        """A blocking stream has no way to close it: whoever leaves lets it go."""
        stream = self._complete(key, [USER], stream=True)
        yield from (piece for chunk in stream if (piece := chunk.choices[0].delta.content))

    def tools(self, key: str) -> str:
        """The call is streamed."""
        chunks = list(self._complete(key, [ASKING], tools=TOOLS, stream=True))
        whole: Any = litellm.stream_chunk_builder(chunks)
        text: str = (
            self._complete(key, turns(whole.choices[0].message), tools=TOOLS).choices[0].message.content
        )
        return text

    def structured(self, key: str) -> Mapping[str, Any]:
        said = self._complete(key, [USER], response_format=FORMAT).choices[0].message.content
        read: Mapping[str, Any] = json.loads(said)
        return read

    def _complete(self, key: str, messages: list[Any], **more: Any) -> Any:
        return litellm.completion(
            **self._asked, api_base=url() + self._path, api_key=key, messages=messages, **more
        )


class AsyncModel:
    """On an event loop."""

    errors = ERRORS
    status = staticmethod(status)

    def __init__(self, model: str, path: str) -> None:
        self._asked: dict[str, Any] = {"model": model, "max_retries": 0, "num_retries": 0}
        self._path = path

    async def ask(self, key: str) -> str:
        text: str = (await self._complete(key, [USER])).choices[0].message.content
        return text

    async def stream(self, key: str) -> AsyncGenerator[str, None]:
        stream = await self._complete(key, [USER], stream=True)
        try:
            async for chunk in stream:
                if piece := chunk.choices[0].delta.content:
                    yield piece
        finally:
            await stream.aclose()

    async def tools(self, key: str) -> str:
        first = await self._complete(key, [ASKING], tools=TOOLS)
        asked = turns(first.choices[0].message)
        text: str = (await self._complete(key, asked, tools=TOOLS)).choices[0].message.content
        return text

    async def structured(self, key: str) -> Mapping[str, Any]:
        said = (await self._complete(key, [USER], response_format=FORMAT)).choices[0].message.content
        read: Mapping[str, Any] = json.loads(said)
        return read

    async def _complete(self, key: str, messages: list[Any], **more: Any) -> Any:
        return await litellm.acompletion(
            **self._asked, api_base=url() + self._path, api_key=key, messages=messages, **more
        )


if __name__ == "__main__":
    litellm.suppress_debug_info = True
    run(
        {
            "litellm-openai": Model("openai/gpt-4o-mini", "/v1"),
            "litellm-openai-async": AsyncModel("openai/gpt-4o-mini", "/v1"),
            "litellm-anthropic": Model("anthropic/claude-sonnet-4-6", ""),
            "litellm-anthropic-async": AsyncModel("anthropic/claude-sonnet-4-6", ""),
        },
        "litellm",
    )
