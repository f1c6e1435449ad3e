"""OpenAI's client for Python: chat completions and responses, each blocking and on an event loop.

Runs with the release that Pith's own environment has, and with the next major one in another.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Generator, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

import openai

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

MODEL: Final = "gpt-4o-mini"
TRANSPORTS: Final = tuple(
    import_module(name).HTTPError for name in ("httpx", "httpx2") if find_spec(name) is not None
)
"""What a connection lost amid a stream raises: of releases before and from 3.0 on."""
ERRORS: Final = (openai.APIError, *TRANSPORTS)
MAJOR: Final = openai.__version__.partition(".")[0]

USER: Final[Any] = {"role": "user", "content": PROMPT}
ASKING: Final[Any] = {"role": "user", "content": QUESTION}
FUNCTION: Final = {"name": TOOL_NAME, "description": TOOL_TEXT, "parameters": PARAMETERS, "strict": True}
CHAT_TOOLS: Final[Any] = [{"type": "function", "function": FUNCTION}]
TOOLS: Final[Any] = [{"type": "function", **FUNCTION}]
NAMED_SCHEMA: Final = {"name": "facts", "schema": SCHEMA, "strict": True}
FORMAT: Final[Any] = {"type": "json_schema", "json_schema": NAMED_SCHEMA}
TEXT: Final[Any] = {"format": {"type": "json_schema", **NAMED_SCHEMA}}


def blocking(key: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url()}/v1", api_key=key, max_retries=0)


def on_a_loop(key: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{url()}/v1", api_key=key, max_retries=0)


def status(error: Exception) -> int | None:
    """As the client tells it, with the upstream's own words."""
    if not isinstance(error, openai.APIStatusError):
        return None
    expect((error.code, error.request_id), (f"code_{error.status_code}", "req_1"))
    return error.status_code


def saying(chunk: Any) -> str:
    """What a chunk says; it has a choice, or is not for who did not ask for usage."""
    [choice] = chunk.choices
    return choice.delta.content or ""


class Chat:
    """Chat completions."""

    errors = ERRORS

    def ask(self, key: str, timeout_s: float) -> str:
        raw = blocking(key).chat.completions.with_raw_response.create(
            model=MODEL, messages=[USER], timeout=timeout_s
        )
        expect_compressed(raw.headers)
        return raw.parse().choices[0].message.content or ""

    def stream(self, key: str) -> Generator[str, None, None]:
        with blocking(key).chat.completions.create(model=MODEL, messages=[USER], stream=True) as stream:
            for chunk in stream:
                if piece := saying(chunk):
                    yield piece

    def tools(self, key: str) -> str:
        """The call is streamed."""
        client = blocking(key)
        with client.chat.completions.stream(model=MODEL, messages=[ASKING], tools=CHAT_TOOLS) as stream:
            made: Any = stream.get_final_completion().choices[0].message.to_dict()
        made["tool_calls"][0]["function"].pop("parsed_arguments", None)
        made.pop("parsed", None)
        result: Any = {"role": "tool", "tool_call_id": made["tool_calls"][0]["id"], "content": DOCUMENT}
        answer = client.chat.completions.create(
            model=MODEL, messages=[ASKING, made, result], tools=CHAT_TOOLS
        )
        return answer.choices[0].message.content or ""

    def structured(self, key: str) -> Mapping[str, Any]:
        answer = blocking(key).chat.completions.create(model=MODEL, messages=[USER], response_format=FORMAT)
        read: Mapping[str, Any] = json.loads(answer.choices[0].message.content or "")
        return read

    status = staticmethod(status)


class AsyncChat:
    """The same on an event loop; usage is asked for."""

    errors = ERRORS

    async def ask(self, key: str) -> str:
        answer = await on_a_loop(key).chat.completions.create(model=MODEL, messages=[USER])
        return answer.choices[0].message.content or ""

    async def stream(self, key: str) -> AsyncGenerator[str, None]:
        usage = None
        async with await on_a_loop(key).chat.completions.create(
            model=MODEL, messages=[USER], stream=True, stream_options={"include_usage": True}
        ) as stream:
            async for chunk in stream:
                usage = chunk.usage
                if chunk.choices and (piece := chunk.choices[0].delta.content):
                    yield piece
        expect(usage is not None and usage.total_tokens, 980)

    async def tools(self, key: str) -> str:
        client = on_a_loop(key)
        first = await client.chat.completions.create(model=MODEL, messages=[ASKING], tools=CHAT_TOOLS)
        made: Any = first.choices[0].message
        result: Any = {"role": "tool", "tool_call_id": made.tool_calls[0].id, "content": DOCUMENT}
        answer = await client.chat.completions.create(
            model=MODEL, messages=[ASKING, made, result], tools=CHAT_TOOLS
        )
        return answer.choices[0].message.content or ""

    async def structured(self, key: str) -> Mapping[str, Any]:
        said = ""
        async with on_a_loop(key).chat.completions.stream(
            model=MODEL, messages=[USER], response_format=FORMAT
        ) as stream:
            said = (await stream.get_final_completion()).choices[0].message.content or ""
        read: Mapping[str, Any] = json.loads(said)
        return read

    status = staticmethod(status)


class Responses:
    """Responses."""

    errors = ERRORS

    def ask(self, key: str, timeout_s: float) -> str:
        raw = blocking(key).responses.with_raw_response.create(model=MODEL, input=PROMPT, timeout=timeout_s)
        expect_compressed(raw.headers)
        return raw.parse().output_text

    def stream(self, key: str) -> Generator[str, None, None]:
        with blocking(key).responses.create(model=MODEL, input=[USER], stream=True) as stream:
            for number, event in enumerate(stream):
                expect(event.sequence_number, number)
                if event.type == "response.output_text.delta":
                    yield event.delta

    def tools(self, key: str) -> str:
        """The call is streamed."""
        client = blocking(key)
        with client.responses.stream(model=MODEL, input=[ASKING], tools=TOOLS) as stream:
            made: Any = stream.get_final_response().output[0].to_dict()
        made.pop("parsed_arguments", None)
        result: Any = {"type": "function_call_output", "call_id": made["call_id"], "output": DOCUMENT}
        return client.responses.create(model=MODEL, input=[ASKING, made, result], tools=TOOLS).output_text

    def structured(self, key: str) -> Mapping[str, Any]:
        answer = blocking(key).responses.create(model=MODEL, input=PROMPT, text=TEXT)
        read: Mapping[str, Any] = json.loads(answer.output_text)
        return read

    status = staticmethod(status)


class AsyncResponses:
    """The same on an event loop; the document stands in a part of a message."""

    errors = ERRORS
    asked: Any = ({"type": "message", "role": "user", "content": [{"type": "input_text", "text": PROMPT}]},)

    async def ask(self, key: str) -> str:
        return (await on_a_loop(key).responses.create(model=MODEL, input=[*self.asked])).output_text

    async def stream(self, key: str) -> AsyncGenerator[str, None]:
        async with on_a_loop(key).responses.stream(model=MODEL, input=[*self.asked]) as stream:
            async for event in stream:
                if event.type == "response.output_text.delta":
                    yield event.delta

    async def tools(self, key: str) -> str:
        client = on_a_loop(key)
        first = await client.responses.create(model=MODEL, input=[ASKING], tools=TOOLS)
        made: Any = first.output[0]
        result: Any = {"type": "function_call_output", "call_id": made.call_id, "output": DOCUMENT}
        return (
            await client.responses.create(model=MODEL, input=[ASKING, made, result], tools=TOOLS)
        ).output_text

    async def structured(self, key: str) -> Mapping[str, Any]:
        answer = await on_a_loop(key).responses.create(model=MODEL, input=[*self.asked], text=TEXT)
        read: Mapping[str, Any] = json.loads(answer.output_text)
        return read

    status = staticmethod(status)


def expect_compressed(headers: Mapping[str, str]) -> None:
    """Pith says so itself, beside the upstream's own fields."""
    before, after = (int(headers[f"x-pith-{name}-tokens"]) for name in ("origin", "compressed"))
    expect((after < before, headers["x-request-id"]), (True, "req_1"))


if __name__ == "__main__":
    run(
        {
            f"openai-{MAJOR}-chat": Chat(),
            f"openai-{MAJOR}-chat-async": AsyncChat(),
            f"openai-{MAJOR}-responses": Responses(),
            f"openai-{MAJOR}-responses-async": AsyncResponses(),
        },
        "openai",
    )
