"""LangChain: its models of OpenAI (chat completions, responses) and of Anthropic, on a loop and without."""

# mypy: disable-error-code="import-not-found, import-untyped"
# It is installed in an environment of its own.

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

import anthropic
import openai
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI

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

TRANSPORTS: Final = tuple(
    import_module(name).HTTPError for name in ("httpx", "httpx2") if find_spec(name) is not None
)
ERRORS: Final = (openai.APIError, anthropic.APIError, *TRANSPORTS)
TOOL: Final = {"name": TOOL_NAME, "description": TOOL_TEXT, "parameters": PARAMETERS}
SHAPE: Final = {"title": "facts", "description": "The facts.", **SCHEMA}

MakeModel = Callable[..., Any]


def of_openai(key: str, **more: Any) -> Any:
    return ChatOpenAI(model="gpt-4o-mini", base_url=f"{url()}/v1", api_key=key, max_retries=0, **more)


def of_responses(key: str, **more: Any) -> Any:
    return of_openai(key, use_responses_api=True, **more)


def of_anthropic(key: str, **more: Any) -> Any:
    return ChatAnthropic(model="claude-sonnet-4-6", base_url=url(), api_key=key, max_retries=0, **more)


def status(error: Exception) -> int | None:
    found: int | None = getattr(error, "status_code", None)
    return found


def result_of(made: Any) -> Any:
    [call] = made.tool_calls
    expect((call["name"], call["args"]), (TOOL_NAME, ARGUMENTS))
    return ToolMessage(DOCUMENT, tool_call_id=call["id"])


class Model:
    """From a thread."""

    errors = ERRORS
    status = staticmethod(status)

    def __init__(self, make: MakeModel, method: str) -> None:
        self._make = make
        self._method = method

    def ask(self, key: str, timeout_s: float) -> str:
        text: str = self._make(key, timeout=timeout_s).invoke([HumanMessage(PROMPT)]).text
        return text

    def stream(self, key: str) -> Generator[str, None, None]:
        stream = self._make(key).stream([HumanMessage(PROMPT)])
        try:
            yield from (chunk.text for chunk in stream if chunk.text)
        finally:
            stream.close()

    def tools(self, key: str) -> str:
        """The call is streamed."""
        model = self._make(key).bind_tools([TOOL])
        asked = HumanMessage(QUESTION)
        first, *others = list(model.stream([asked]))
        for chunk in others:
            first = first + chunk
        text: str = model.invoke([asked, first, result_of(first)]).text
        return text

    def structured(self, key: str) -> Mapping[str, Any]:
        model = self._make(key).with_structured_output(SHAPE, method=self._method)
        found: Mapping[str, Any] = model.invoke([HumanMessage(PROMPT)])
        return found


class AsyncModel:
    """On an event loop."""

    errors = ERRORS
    status = staticmethod(status)

    def __init__(self, make: MakeModel) -> None:
        self._make = make

    async def ask(self, key: str) -> str:
        text: str = (await self._make(key).ainvoke([HumanMessage(PROMPT)])).text
        return text

    async def stream(self, key: str) -> AsyncGenerator[str, None]:
        stream = self._make(key).astream([HumanMessage(PROMPT)])
        try:
            async for chunk in stream:
                if chunk.text:
                    yield chunk.text
        finally:
            await stream.aclose()

    async def tools(self, key: str) -> str:
        model = self._make(key).bind_tools([TOOL])
        asked = HumanMessage(QUESTION)
        made = await model.ainvoke([asked])
        text: str = (await model.ainvoke([asked, made, result_of(made)])).text
        return text

    async def structured(self, key: str) -> Mapping[str, Any]:
        model = self._make(key).with_structured_output(SHAPE, method="function_calling")
        found: Mapping[str, Any] = await model.ainvoke([HumanMessage(PROMPT)])
        return found


if __name__ == "__main__":
    run(
        {
            "langchain-openai": Model(of_openai, "json_schema"),
            "langchain-openai-async": AsyncModel(of_openai),
            "langchain-openai-responses": Model(of_responses, "json_schema"),
            "langchain-anthropic": Model(of_anthropic, "json_schema"),
            "langchain-anthropic-async": AsyncModel(of_anthropic),
        },
        "langchain-core",
        "langchain-openai",
        "langchain-anthropic",
    )
