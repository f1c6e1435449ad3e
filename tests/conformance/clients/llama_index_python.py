"""LlamaIndex: its model of OpenAI, blocking and on an event loop."""

# mypy: disable-error-code="import-not-found, import-untyped"
# It is installed in an environment of its own.

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

import openai
from llama_index.core.llms import ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai import OpenAI
from pydantic import BaseModel

from tests.conformance.clients.facts import ARGUMENTS, DOCUMENT, PROMPT, QUESTION, TOOL_NAME, TOOL_TEXT
from tests.conformance.clients.harness import ENOUGH_S, expect, run, url

TRANSPORTS: Final = tuple(
    import_module(name).HTTPError for name in ("httpx", "httpx2") if find_spec(name) is not None
)
ERRORS: Final = (openai.APIError, *TRANSPORTS)


class Facts(BaseModel):
    """The facts."""

    case: str
    total: str


def read_notes(case: str) -> str:
    """Stands for the tool: its result is handed over by hand."""
    return case


TOOL: Final = FunctionTool.from_defaults(read_notes, name=TOOL_NAME, description=TOOL_TEXT)
ASKED: Final = ChatMessage(role="user", content=PROMPT)
ASKING: Final = ChatMessage(role="user", content=QUESTION)


def model(key: str, timeout_s: float = ENOUGH_S) -> Any:
    return OpenAI(model="gpt-4o-mini", api_base=f"{url()}/v1", api_key=key, max_retries=0, timeout=timeout_s)


def status(error: Exception) -> int | None:
    found: int | None = getattr(error, "status_code", None)
    return found


def turns(used: Any, made: Any) -> list[Any]:
    """The question, the call and its result."""
    [call] = used.get_tool_calls_from_response(made)
    expect((call.tool_name, call.tool_kwargs), (TOOL_NAME, ARGUMENTS))
    told = {"tool_call_id": call.tool_id}
    return [
        ASKING,
        made.message,
        ChatMessage(role="tool", content=DOCUMENT, additional_kwargs=told),
    ]


class Model:
    """From a thread."""

    errors = ERRORS
    status = staticmethod(status)

    def ask(self, key: str, timeout_s: float) -> str:
        text: str = model(key, timeout_s).chat([ASKED]).message.content
        return text

    def stream(self, key: str) -> Generator[str, None, None]:
        stream = model(key).stream_chat([ASKED])
        try:
            yield from (chunk.delta for chunk in stream if chunk.delta)
        finally:
            stream.close()

    def tools(self, key: str) -> str:
        """The call is streamed."""
        used = model(key)
        *_, made = used.stream_chat_with_tools([TOOL], chat_history=[ASKING])
        text: str = used.chat_with_tools([TOOL], chat_history=turns(used, made)).message.content
        return text

    def structured(self, key: str) -> Mapping[str, Any]:
        found: Facts = model(key).structured_predict(Facts, PromptTemplate("{notes}"), notes=PROMPT)
        return found.model_dump()


class AsyncModel:
    """On an event loop."""

    errors = ERRORS
    status = staticmethod(status)

    async def ask(self, key: str) -> str:
        text: str = (await model(key).achat([ASKED])).message.content
        return text

    async def stream(self, key: str) -> AsyncGenerator[str, None]:
        stream = await model(key).astream_chat([ASKED])
        try:
            async for chunk in stream:
                if chunk.delta:
                    yield chunk.delta
        finally:
            await stream.aclose()

    async def tools(self, key: str) -> str:
        used = model(key)
        made = await used.achat_with_tools([TOOL], chat_history=[ASKING])
        text: str = (await used.achat_with_tools([TOOL], chat_history=turns(used, made))).message.content
        return text

    async def structured(self, key: str) -> Mapping[str, Any]:
        found: Facts = await model(key).astructured_predict(Facts, PromptTemplate("{notes}"), notes=PROMPT)
        return found.model_dump()


if __name__ == "__main__":
    run(
        {"llama-index": Model(), "llama-index-async": AsyncModel()},
        "llama-index-core",
        "llama-index-llms-openai",
    )
