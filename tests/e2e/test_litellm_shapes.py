"""Responses and Anthropic's messages through providers that speak neither, and through one that does."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from gateway.types import UpstreamRequest
from gateway.upstreams.litellm import SHAPES, LitellmUpstream
from gateway.upstreams.providers import PROVIDERS
from tests.e2e.openai_upstream import Received
from tests.e2e.provider_server import PROVIDER_KEY
from tests.e2e.scripted_upstream import PATIENCE_S
from tests.e2e.test_litellm import MODEL, Pith, Telling, library, running
from tests.e2e.whole_gateway import LONG, PARAMS, rows

__all__ = ["library"]

pytestmark = [
    pytest.mark.filterwarnings("ignore:Item .* is using the `ReadOnly` qualifier:UserWarning"),
    pytest.mark.filterwarnings(
        "ignore:Accessing the 'model_.*' attribute on the instance:DeprecationWarning"
    ),
]

MODELS = {"anthropic": MODEL, "gemini": "gemini-2.5-flash", "groq": "openai/gpt-oss-20b"}
"""A provider of each wire: Anthropic's, Gemini's, OpenAI's chat completions."""
TRANSLATED = [name for name in MODELS if name != "anthropic"]
RESULT = "The committee of the city decided."
TOOL: Any = {
    "type": "function",
    "name": "weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
CALLED: list[Any] = [
    {"role": "user", "content": [{"type": "input_text", "text": "What is the weather?"}]},
    {"type": "function_call", "call_id": "call_9", "name": "weather", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "call_9", "output": RESULT},
]
USED: list[Any] = [
    {"role": "user", "content": "What is the weather?"},
    {
        "role": "assistant",
        "content": [
            {"type": "text", "text": "Let me see."},
            {"type": "tool_use", "id": "call_9", "name": "weather", "input": {}},
        ],
    },
    {
        "role": "user",
        "content": [
            {
                "type": "tool_result",
                "tool_use_id": "call_9",
                "content": [{"type": "text", "text": RESULT}],
                "cache_control": {"type": "ephemeral"},
            }
        ],
    },
]
HELLO: list[Any] = [{"role": "user", "content": "hi"}]


@pytest.fixture(params=MODELS)
def pith(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pith]:
    with running(tmp_path, request.param) as pith:
        yield pith


def model_of(pith: Pith) -> str:
    return MODELS[pith.name]


def respond(pith: Pith, **more: Any) -> Any:
    """The answer, or all events of a stream."""
    with pith.client() as client:
        answer = client.responses.create(**{"model": model_of(pith), "input": "hi", **more})
        return list(answer) if more.get("stream") else answer


def message(pith: Pith, **more: Any) -> httpx.Response:
    body = {"model": model_of(pith), "max_tokens": 2000, "messages": HELLO, **more}
    fields = {"x-api-key": "sk-client-canary", "anthropic-version": "2023-06-01"}
    return httpx.post(f"{pith.url}/v1/messages", json=body, headers=fields, timeout=PATIENCE_S)


def events(raw: bytes) -> list[dict[str, Any]]:
    """The data of an event stream, each named by its type."""
    found = []
    for event in raw.decode().split("\n\n")[:-1]:
        name, data = event.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    return found


def broken(url: str, body: dict[str, Any]) -> bytes:
    """What came of an answer before it broke."""
    parts: list[bytes] = []
    with httpx.stream("POST", url, json=body) as answer, pytest.raises(httpx.RemoteProtocolError):
        parts.extend(answer.iter_bytes())
    return b"".join(parts)


def texts_of(received: Received) -> str:
    """Everything a provider was sent, as it reads it."""
    return json.dumps(received.json, ensure_ascii=False)


def shortened(pith: Pith) -> str:
    """What the policy makes of the long text, as JSON spells it."""
    asked = {"texts": [LONG], "params": PARAMS}
    [result] = httpx.post(f"{pith.url}/pith/v1/compress", json=asked).raise_for_status().json()["results"]
    assert len(result["text"]) < 0.75 * len(LONG)
    return json.dumps(result["text"], ensure_ascii=False)


def has_calls(pith: Pith) -> bool:
    """Gemini's answers on loopback have none."""
    return pith.name != "gemini"


class TestResponses:
    def test_a_whole_answer(self, pith: Pith) -> None:
        answer = respond(pith, input=CALLED, tools=[TOOL], instructions="Be brief.")
        assert answer.output_text == "Hello there."
        assert (answer.object, answer.status, answer.store) == ("response", "completed", False)
        assert answer.id.startswith("resp_")
        assert answer.usage.input_tokens == 17
        assert answer.usage.input_tokens_details.cached_tokens == (5 if has_calls(pith) else 4)
        calls = [item for item in answer.output if item.type == "function_call"]
        assert [json.loads(call.arguments) for call in calls] == [{"city": "Rome"}] * has_calls(pith)
        sent = texts_of(pith.provider.received[-1])
        assert RESULT in sent
        assert "Be brief." in sent
        assert sent.count('"weather"') >= 2, "the call, and the tool"

    def test_a_stream(self, pith: Pith) -> None:
        stream = respond(pith, stream=True, tools=[TOOL])
        assert [event.sequence_number for event in stream] == list(range(len(stream)))
        assert stream[0].type == "response.created"
        assert stream[-1].type == "response.completed"
        said = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        assert said == stream[-1].response.output_text == "Hello there."
        done = [event for event in stream if event.type == "response.output_item.done"]
        calls = [event.item for event in done if event.item.type == "function_call"]
        assert [json.loads(call.arguments) for call in calls] == [{"city": "Rome"}] * has_calls(pith)
        assert stream[-1].response.usage.input_tokens == 17

    def test_texts_are_compressed_and_the_ledger_has_the_providers_counts(self, tmp_path: Path) -> None:
        for provider in MODELS:
            folder = tmp_path / provider
            folder.mkdir()
            with running(folder, provider) as pith:
                for is_streamed in (False, True):
                    respond(pith, input=LONG, stream=is_streamed)
                one, other = (texts_of(received) for received in pith.provider.received)
                assert len(one) < 0.75 * len(LONG)
                assert (
                    one.replace(', "stream": true', "")[:200] == other.replace(', "stream": true', "")[:200]
                )
            for row in rows(folder):
                assert (row["prompt_tokens"], row["is_estimated"], row["is_complete"]) == (17, 0, 1)
                assert row["cached_tokens"] == (4 if provider == "gemini" else 5)
                assert row["cost_usd"] > 0
                assert row["compressed_tokens"] < row["origin_tokens"]

    @pytest.mark.parametrize("is_streamed", [False, True])
    @pytest.mark.parametrize("status", [400, 401, 429, 500, 529])
    def test_a_refusal_is_the_providers(self, pith: Pith, status: int, is_streamed: bool) -> None:
        pith.provider.fault = status
        with pytest.raises(openai.APIStatusError) as caught:
            respond(pith, stream=is_streamed)
        assert caught.value.status_code == status
        assert PROVIDER_KEY not in caught.value.response.text
        assert len(pith.provider.received) == 1

    @pytest.mark.parametrize("fault", ["break", "end"])
    def test_a_stream_that_breaks_is_seen_to(self, tmp_path: Path, fault: str) -> None:
        with running(tmp_path, "anthropic") as pith:
            pith.provider.fault = fault
            raw = broken(f"{pith.url}/v1/responses", {"model": MODEL, "input": "hi", "stream": True})
            *_, last = events(raw)
            assert (last["type"], last["code"]) == ("error", "api_error")
            assert last["sequence_number"] == len(events(raw)) - 1

    @pytest.mark.parametrize(
        ("members", "named"),
        [
            ({"previous_response_id": "resp_1"}, "previous_response_id"),
            ({"conversation": "conv_1"}, "conversation"),
            ({"background": True}, "background"),
            ({"prompt": {"id": "p"}}, "prompt"),
            ({"api_base": "http://127.0.0.1:1"}, "api_base"),
            ({"tools": [{"type": "web_search"}]}, "tools[0]"),
            ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0]"),
        ],
    )
    def test_what_is_not_translated_is_refused_by_name(
        self, tmp_path: Path, members: dict[str, Any], named: str
    ) -> None:
        with running(tmp_path, "gemini") as pith:
            body = {"model": "gemini-2.5-flash", "input": "hi", **members}
            answer = httpx.post(f"{pith.url}/v1/responses", json=body)
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "not_translated")
            assert answer.json()["error"]["message"].startswith(named)
            assert pith.provider.received == []


class TestMessages:
    def test_a_whole_answer(self, pith: Pith) -> None:
        tools = [{"name": "weather", "input_schema": TOOL["parameters"]}]
        answer = message(pith, messages=USED, tools=tools, system="Be brief.").raise_for_status().json()
        assert (answer["type"], answer["role"]) == ("message", "assistant")
        assert answer["content"][0] == {"type": "text", "text": "Hello there."}
        assert answer["stop_reason"] == ("tool_use" if has_calls(pith) else "end_turn")
        calls = [block for block in answer["content"] if block["type"] == "tool_use"]
        assert [call["input"] for call in calls] == [{"city": "Rome"}] * has_calls(pith)
        counted = answer["usage"]
        assert sum(counted.get(name) or 0 for name in PROMPT) == 17
        sent = texts_of(pith.provider.received[-1])
        assert RESULT in sent
        assert "Be brief." in sent

    def test_a_stream(self, pith: Pith) -> None:
        answer = message(pith, stream=True)
        assert answer.headers["content-type"].startswith("text/event-stream")
        said = events(answer.content)
        assert (said[0]["type"], said[-1]["type"]) == ("message_start", "message_stop")
        deltas = [event["delta"] for event in said if event["type"] == "content_block_delta"]
        assert "".join(delta.get("text", "") for delta in deltas) == "Hello there."
        arguments = "".join(delta.get("partial_json", "") for delta in deltas)
        assert arguments == ('{"city": "Rome"}' if has_calls(pith) else "")
        [end] = [event for event in said if event["type"] == "message_delta"]
        assert end["delta"]["stop_reason"] == ("tool_use" if has_calls(pith) else "end_turn")

    def test_texts_are_compressed_and_the_ledger_has_the_providers_counts(self, tmp_path: Path) -> None:
        for provider in MODELS:
            folder = tmp_path / provider
            folder.mkdir()
            with running(folder, provider) as pith:
                for is_streamed in (False, True):
                    asked = [{"role": "user", "content": LONG}]
                    message(pith, messages=asked, stream=is_streamed).raise_for_status()
                assert all(shortened(pith) in texts_of(received) for received in pith.provider.received)
            for row in rows(folder):
                assert (row["prompt_tokens"], row["is_estimated"], row["is_complete"]) == (17, 0, 1)
                assert row["cached_tokens"] == (4 if provider == "gemini" else 5)
                assert row["cost_usd"] > 0

    @pytest.mark.parametrize("is_streamed", [False, True])
    @pytest.mark.parametrize("status", [400, 429, 500, 529])
    def test_a_refusal_is_the_providers(self, pith: Pith, status: int, is_streamed: bool) -> None:
        pith.provider.fault = status
        answer = message(pith, stream=is_streamed)
        assert (answer.status_code, answer.headers["retry-after"]) == (status, "7")
        assert answer.json()["type"] == "error"
        assert answer.json()["error"]["type"]
        assert len(pith.provider.received) == 1

    @pytest.mark.parametrize("fault", ["break", "end"])
    def test_a_stream_that_breaks_is_seen_to(self, tmp_path: Path, fault: str) -> None:
        with running(tmp_path, "groq") as pith:
            pith.provider.fault = fault
            body = {"model": MODELS["groq"], "max_tokens": 10, "messages": HELLO, "stream": True}
            raw = broken(f"{pith.url}/v1/messages", body)
            *_, last = events(raw)
            assert (last["type"], last["error"]["type"]) == ("error", "api_error")
        [row] = rows(tmp_path)
        assert (row["prompt_tokens"], row["is_estimated"], row["is_complete"]) == (row["origin_tokens"], 1, 0)
        assert row["prompt_tokens"] > 0

    @pytest.mark.parametrize(
        ("members", "named"),
        [
            ({"mcp_servers": []}, "mcp_servers"),
            ({"container": "c"}, "container"),
            ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0]"),
            ({"api_key": "sk-other"}, "api_key"),
            ({"max_tokens": None}, "max_tokens"),
            (
                {
                    "messages": [
                        {
                            "role": "user",
                            "content": [{"type": "image", "source": {"type": "url", "url": "http://a"}}],
                        }
                    ]
                },
                "messages[0].content[0].source",
            ),
        ],
    )
    def test_what_is_not_translated_is_refused_by_name(
        self, tmp_path: Path, members: dict[str, Any], named: str
    ) -> None:
        with running(tmp_path, "gemini") as pith:
            answer = message(pith, **members)
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "not_translated")
            assert answer.json()["error"]["message"].startswith(named)
            assert pith.provider.received == []


HALF = "half of a surrogate pair: \ud800"
NAMED: dict[str, Any] = {"type": "function_call_output", "call_id": ["c"], "output": "o"}


@pytest.mark.parametrize(
    ("path", "members"),
    [
        ("/v1/responses", {"input": [NAMED]}),
        ("/v1/responses", {"tools": [{"type": "function", "name": "f", "parameters": 5}]}),
        ("/v1/responses", {"input": HALF}),
        ("/v1/responses", {"user": True, "stream": True}),
        ("/v1/messages", {"thinking": {"type": "enabled", "budget_tokens": []}}),
        ("/v1/messages", {"tool_choice": {"type": "none of these"}}),
        ("/v1/messages", {"messages": [{"role": "user", "content": HALF}]}),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": HALF}]}),
    ],
)
def test_what_litellm_cannot_read_is_the_requests_fault_and_nobody_is_asked(
    tmp_path: Path, path: str, members: dict[str, Any]
) -> None:
    whole: dict[str, Any] = {
        "/v1/responses": {"input": "hi"},
        "/v1/messages": {"messages": HELLO, "max_tokens": 2000},
    }
    with running(tmp_path, "gemini") as pith:
        body = {"model": MODELS["gemini"], **whole.get(path, {}), **members}
        answer = httpx.post(
            pith.url + path,
            content=json.dumps(body).encode(),  # httpx spells no halves
            headers={"content-type": "application/json"},
            timeout=PATIENCE_S,
        )
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "not_translated")
        assert pith.provider.received == []


PROMPT = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("path", SHAPES)
async def test_every_provider_is_asked_where_the_table_says(
    path: str, provider: str, is_streamed: bool
) -> None:
    wire = Telling()
    url = None if PROVIDERS[provider] else "https://models.example"
    upstream = LitellmUpstream(provider, PROVIDER_KEY, wire, url=url)
    asked = {"model": "m", "stream": is_streamed, "messages": HELLO, "max_tokens": 9}
    if path == "/v1/responses":
        asked = {"model": "m", "stream": is_streamed, "input": "hi"}
    body = json.dumps(asked).encode()
    answer = await upstream.send(UpstreamRequest("POST", path.encode(), [], body))
    assert b"told" in b"".join([part async for part in answer.body])
    assert answer.status == 429
    [sent] = wire.requests
    assert PROVIDER_KEY.encode() in b" ".join(value for _, value in sent.headers)
    assert PROVIDER_KEY.encode() not in sent.target


async def test_a_call_of_one_answer_is_in_nobody_elses_request(tmp_path: Path) -> None:
    with running(tmp_path, "anthropic") as pith:
        respond(pith, tools=[TOOL])
        known = translated_calls("toolu_1")
    assert known is None


def translated_calls(call_id: str) -> object:
    """What litellm remembers under a call's id."""
    name = "litellm.responses.litellm_completion_transformation.transformation"
    return sys.modules[name].TOOL_CALLS_CACHE.get_cache(key=call_id)


def test_nothing_of_a_request_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with running(tmp_path, "groq") as pith:
        for pith.provider.fault in (None, 400, 500, "end"):
            for path, body in (
                ("/v1/responses", {"input": "prompt-canary"}),
                (
                    "/v1/messages",
                    {"messages": [{"role": "user", "content": "prompt-canary"}], "max_tokens": 9},
                ),
            ):
                for is_streamed in (False, True):
                    asked = {"model": MODELS["groq"], "stream": is_streamed, **body}
                    with suppress(httpx.RemoteProtocolError):
                        httpx.post(pith.url + path, json=asked, timeout=PATIENCE_S)
    written = caplog.text + "".join(capfd.readouterr())
    for canary in ("prompt-canary", PROVIDER_KEY, "Hello there", "LiteLLM", "litellm.ai"):
        assert canary not in written


class TestNative:
    """What a provider speaks itself goes on byte for byte, but for what is compressed."""

    BODY = b'{"model":"claude-sonnet-4-5", "max_tokens":1.0e1,"mcp_servers":[],"messages":[]}'

    @pytest.mark.parametrize("path", ["/v1/messages?beta=true", "/v1/messages/count_tokens"])
    def test_bytes_and_fields_pass_with_the_configured_key(self, tmp_path: Path, path: str) -> None:
        with running(tmp_path, "anthropic") as pith:
            fields = {
                "authorization": "Bearer sk-client-canary",
                "anthropic-beta": "b",
                "anthropic-version": "v",
            }
            httpx.post(pith.url + path, content=self.BODY, headers=fields).raise_for_status()
            [received] = pith.provider.received
            assert received.body == self.BODY
            assert received.path == path.partition("?")[0]
            sent = dict(received.headers)
            assert (sent["x-api-key"], sent["anthropic-beta"], sent["anthropic-version"]) == (
                PROVIDER_KEY,
                "b",
                "v",
            )
            assert "canary" not in str(sent).replace(PROVIDER_KEY, "")

    def test_a_refusal_passes_byte_for_byte(self, tmp_path: Path) -> None:
        with running(tmp_path, "anthropic") as pith:
            pith.provider.fault = 529
            answer = message(pith)
            assert answer.json()["error"] == {"type": "some_error", "message": f"no, {PROVIDER_KEY}"}

    def test_tokens_of_other_providers_are_not_counted(self, tmp_path: Path) -> None:
        with running(tmp_path, "gemini") as pith:
            answer = httpx.post(
                f"{pith.url}/v1/messages/count_tokens", json={"model": "m", "messages": HELLO}
            )
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_translated")
            assert "/v1/messages" in answer.json()["error"]["message"]
