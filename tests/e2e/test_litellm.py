"""Other providers through the whole gateway, with the official client in front and a provider on loopback."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from gateway.app import create_app
from gateway.config import load as load_config
from gateway.types import RawHeaders, UpstreamRequest, UpstreamResponse
from gateway.upstreams.litellm import SMALL_BODY_BYTES, LitellmUpstream, load
from gateway.upstreams.providers import PROVIDERS, origin_of
from tests.e2e.conftest import serving
from tests.e2e.provider_server import ARGUMENTS, PROVIDER_KEY, ProviderServer
from tests.e2e.scripted_upstream import PATIENCE_S
from tests.e2e.whole_gateway import LONG, POLICY, rows
from tests.fakes import LengthScorer
from tests.tracked import ROOT

pytestmark = pytest.mark.filterwarnings("ignore:Item .* is using the `ReadOnly` qualifier:UserWarning")

MODEL = "claude-sonnet-4-5"
HELLO: list[Any] = [{"role": "user", "content": "hi"}]
TOOLS: list[Any] = [
    {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
]


@pytest.fixture(scope="module", autouse=True)
def library() -> None:
    """Imported once: what it warns of then is not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        load()


@dataclass
class Pith:
    url: str
    provider: ProviderServer
    name: str
    """The provider's."""

    def client(self) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key="sk-client-canary", max_retries=0)

    def ask(self, **more: Any) -> Any:
        return self.client().chat.completions.create(**{"model": MODEL, "messages": HELLO, **more})

    def post(self, **more: Any) -> httpx.Response:
        body = {"model": MODEL, "messages": HELLO, **more}
        return httpx.post(f"{self.url}/v1/chat/completions", json=body, timeout=PATIENCE_S)


@contextmanager
def running(folder: Path, provider: str = "anthropic", **settings: Any) -> Iterator[Pith]:
    server = ProviderServer()
    with serving(server.app()) as provider_port:
        upstream = {"kind": "litellm", "provider": provider, "key": "env:PROVIDER_KEY"}
        config = {
            "upstreams": {"other": {**upstream, "url": f"http://127.0.0.1:{provider_port}"}},
            "ledger": f"sqlite:///{folder / 'ledger.db'}",
            "policies": [POLICY],
            **settings,
        }
        file = folder / "pith.yaml"
        file.write_text(json.dumps(config))
        loaded = load_config(file, {"PROVIDER_KEY": PROVIDER_KEY}, {})
        with serving(create_app(loaded, LengthScorer())) as port:
            yield Pith(f"http://127.0.0.1:{port}", server, provider)


@pytest.fixture
def pith(tmp_path: Path) -> Iterator[Pith]:
    with running(tmp_path) as pith:
        yield pith


def test_a_whole_answer_with_a_tool_call(pith: Pith) -> None:
    answer = pith.ask(tools=TOOLS)
    [choice] = answer.choices
    [call] = choice.message.tool_calls
    assert (choice.message.content, choice.finish_reason) == ("Hello there.", "tool_calls")
    assert (call.id, call.function.name, json.loads(call.function.arguments)) == (
        "toolu_1",
        "weather",
        {"city": "Rome"},
    )
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (17, 15)
    assert answer.usage.prompt_tokens_details.cached_tokens == 5
    assert pith.provider.received[-1].path == "/v1/messages"
    assert pith.provider.received[-1].json["model"] == MODEL


def test_a_stream_with_tool_call_deltas(pith: Pith) -> None:
    chunks = list(pith.ask(tools=TOOLS, stream=True))
    assert all(chunk.choices for chunk in chunks), "the usage event that we asked for is hidden"
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert "".join(delta.content or "" for delta in deltas) == "Hello there."
    calls = [call for delta in deltas for call in delta.tool_calls or []]
    assert [call.index for call in calls] == [0] * len(calls)
    assert (calls[0].id, calls[0].function.name) == ("toolu_1", "weather")
    assert [call.function.arguments for call in calls if call.function.arguments] == list(ARGUMENTS)
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_a_stream_counts_for_those_who_ask(pith: Pith) -> None:
    *_, last = pith.ask(stream=True, stream_options={"include_usage": True})
    assert (last.choices, last.usage.prompt_tokens) == ([], 17)
    assert last.usage.prompt_tokens_details.cached_tokens == 5
    raw = pith.post(stream=True)
    assert raw.headers["content-type"] == "text/event-stream"
    assert raw.content.endswith(b"data: [DONE]\n\n")


def test_texts_are_compressed_and_the_ledger_has_the_providers_counts(tmp_path: Path) -> None:
    with running(tmp_path) as pith:
        pith.ask(messages=[{"role": "user", "content": LONG}])
        pith.ask(stream=True).close()
        list(pith.ask(stream=True))
        sent = pith.provider.received[0].json["messages"][0]["content"][0]["text"]
    assert len(sent) < 0.75 * len(LONG)
    whole, _, streamed = rows(tmp_path)
    assert (whole["prompt_tokens"], whole["cached_tokens"], whole["is_estimated"]) == (17, 5, 0)
    assert whole["cost_usd"] > 0
    assert (streamed["prompt_tokens"], streamed["is_complete"]) == (17, 1)


def test_another_provider(tmp_path: Path) -> None:
    with running(tmp_path, "gemini") as pith:
        whole = pith.ask(model="gemini-2.5-flash")
        assert (whole.choices[0].message.content, whole.usage.prompt_tokens) == ("Hello there.", 17)
        chunks = list(pith.ask(model="gemini/gemini-2.5-flash", stream=True))
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Hello there."
        assert chunks[-1].choices[0].finish_reason == "stop"
        assert [one.path for one in pith.provider.received] == [
            "/models/gemini-2.5-flash:generateContent",
            "/models/gemini-2.5-flash:streamGenerateContent",
        ]
        pith.provider.fault = 429
        with pytest.raises(openai.RateLimitError):
            pith.ask(model="gemini-2.5-flash", stream=True)


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (529, openai.InternalServerError),
    ],
)
def test_a_refusal_is_the_providers(
    pith: Pith, status: int, kind: type[openai.APIStatusError], is_streamed: bool
) -> None:
    pith.provider.fault = status
    with pytest.raises(kind) as caught:
        pith.ask(stream=is_streamed)
    assert caught.value.status_code == status
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.response.headers["x-pith-id"]
    assert PROVIDER_KEY not in caught.value.response.text
    assert ("no, [key]" in caught.value.message) == (status != 401)
    assert len(pith.provider.received) == 1, "nothing is tried again"


@pytest.mark.parametrize("fault", ["break", "end", "error"])
def test_a_stream_that_breaks_is_seen_to(pith: Pith, fault: str) -> None:
    pith.provider.fault = fault
    chunks = iter(pith.ask(stream=True))
    assert next(chunks).choices[0].delta.content == "Hello "
    with pytest.raises(openai.APIError) as caught:
        list(chunks)
    assert PROVIDER_KEY not in str(caught.value)
    assert ("Overloaded [key]" in str(caught.value)) == (fault == "error")
    with pytest.raises(httpx.RemoteProtocolError):
        pith.post(stream=True)


@pytest.mark.parametrize(("fault", "is_streamed"), [("hang", False), ("hang", True), ("hang within", True)])
def test_a_client_that_leaves_ends_the_call(pith: Pith, fault: str, is_streamed: bool) -> None:
    pith.ask(stream=is_streamed)  # the library's first call takes its time
    pith.provider.fault = fault
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            f"{pith.url}/v1/chat/completions",
            json={"model": MODEL, "messages": HELLO, "stream": is_streamed},
            timeout=2,
        )
    assert pith.provider.is_left.wait(PATIENCE_S), "the provider was not told"


def test_a_provider_that_is_not_there(tmp_path: Path, unused_tcp_port: int) -> None:
    upstream = {"kind": "litellm", "provider": "anthropic", "key": "env:PROVIDER_KEY"}
    nowhere = {"other": {**upstream, "url": f"http://127.0.0.1:{unused_tcp_port}"}}
    with running(tmp_path, upstreams=nowhere) as pith:
        for is_streamed in (False, True):
            answer = pith.post(stream=is_streamed)
            assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_unavailable")


def test_a_provider_that_says_nothing(tmp_path: Path) -> None:
    with running(tmp_path, timeouts={"first_byte_s": 0.2}) as pith:
        pith.provider.fault = "hang"
        answer = pith.post()
        assert (answer.status_code, answer.json()["error"]["code"]) == (504, "upstream_timeout")


@pytest.mark.parametrize(
    "members",
    [
        {"api_base": "http://127.0.0.1:1"},
        {"base_url": "http://127.0.0.1:1"},
        {"api_key": "sk-other"},
        {"extra_headers": {"x-api-key": "sk-other"}},
        {"mock_response": "x"},
        {"seed": 1},
        {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "image_url", "image_url": {"url": "http://127.0.0.1:1"}}],
                }
            ]
        },
    ],
)
def test_what_is_not_translated_is_refused_and_nothing_is_sent(pith: Pith, members: dict[str, Any]) -> None:
    answer = pith.post(**members)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "not_translated")
    assert pith.provider.received == []


def test_only_the_configured_key_goes_on(pith: Pith) -> None:
    httpx.post(
        f"{pith.url}/v1/chat/completions",
        json={"model": "openai/" + MODEL, "messages": HELLO, "metadata": {"a": "b"}, "user": "u"},
        headers={
            "authorization": "Bearer sk-client-canary",
            "x-custom": "client-canary",
            "cookie": "a=client-canary",
        },
    ).raise_for_status()
    [received] = pith.provider.received
    assert dict(received.headers)["x-api-key"] == PROVIDER_KEY
    assert "canary" not in str(received.headers).replace(PROVIDER_KEY, "")
    assert received.json["model"] == "openai/" + MODEL


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/models"), ("POST", "/v1/embeddings"), ("GET", "/v1/chat/completions")]
)
def test_other_endpoints_are_not_served(pith: Pith, method: str, path: str) -> None:
    answer = httpx.request(method, pith.url + path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_translated")
    assert pith.provider.received == []


def test_nothing_of_a_request_is_logged(pith: Pith, caplog: pytest.LogCaptureFixture, capfd: Any) -> None:
    caplog.set_level(logging.DEBUG)
    for pith.provider.fault in (None, 400, 500, "error"):
        for is_streamed in (False, True):
            with (
                httpx.Client() as client,
                client.stream(
                    "POST",
                    f"{pith.url}/v1/chat/completions",
                    json={
                        "model": MODEL,
                        "messages": [{"role": "user", "content": "prompt-canary"}],
                        "stream": is_streamed,
                    },
                ) as answer,
                suppress(httpx.RemoteProtocolError),
            ):
                answer.read()
    written = caplog.text + "".join(capfd.readouterr())
    for canary in ("prompt-canary", PROVIDER_KEY, "Hello there", "LiteLLM", "litellm.ai"):
        assert canary not in written


class Telling:
    """A wire that notes where it was asked, and refuses."""

    def __init__(self) -> None:
        self.requests: list[UpstreamRequest] = []

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        self.requests.append(request)
        headers: RawHeaders = [(b"content-type", b"application/json")]
        return UpstreamResponse(429, headers, self._body())

    async def _body(self) -> Any:
        yield b'{"error":{"message":"told"}}'

    async def aclose(self) -> None:
        pass


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_every_provider_of_the_table_is_asked_where_the_table_says(
    provider: str, is_streamed: bool
) -> None:
    wire = Telling()
    url = None if PROVIDERS[provider] else "https://models.example"
    upstream = LitellmUpstream(provider, PROVIDER_KEY, wire, url=url)
    body = json.dumps({"model": "m", "messages": HELLO, "stream": is_streamed}).encode()
    answer = await upstream.send(UpstreamRequest("POST", b"/v1/chat/completions", [], body))
    assert b"".join([part async for part in answer.body]).find(b"told") > 0
    assert answer.status == 429
    [asked] = wire.requests
    assert PROVIDER_KEY.encode() in b" ".join(value for _, value in asked.headers)
    assert PROVIDER_KEY.encode() not in asked.target
    assert origin_of(provider, url).startswith("https://")


class TestBodies:
    BODY = json.dumps({"model": "m", "messages": HELLO}).encode()

    async def sent(
        self, body: bytes | AsyncIterator[bytes], *headers: tuple[bytes, bytes]
    ) -> tuple[int, int]:
        """The status of the answer, and how often the provider was asked."""
        wire = Telling()
        upstream = LitellmUpstream("anthropic", PROVIDER_KEY, wire)
        answer = await upstream.send(
            UpstreamRequest("POST", b"/v1/chat/completions?a=b", list(headers), body)
        )
        await answer.aclose()
        return answer.status, len(wire.requests)

    async def test_a_body_that_comes_in_pieces_is_read_to_its_end(self) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            yield self.BODY[:9]
            yield self.BODY[9:]

        assert await self.sent(pieces()) == (429, 1)

    async def test_a_large_one_is_read_beside_the_loop(self) -> None:
        hello = [{"role": "user", "content": "hi " * SMALL_BODY_BYTES}]
        assert await self.sent(json.dumps({"model": "m", "messages": hello}).encode()) == (429, 1)
        assert await self.sent(json.dumps({"model": "m", "x": "y" * SMALL_BODY_BYTES}).encode()) == (400, 0)

    async def test_one_without_end_is_not(self) -> None:
        async def endless() -> AsyncIterator[bytes]:
            while True:
                yield b" " * (1 << 20)

        assert await self.sent(endless()) == (413, 0)

    @pytest.mark.parametrize(("coding", "status"), [(b"gzip", 415), (b"Identity", 429)])
    async def test_an_encoded_one_is_refused(self, coding: bytes, status: int) -> None:
        found, n_asked = await self.sent(self.BODY, (b"content-encoding", coding))
        assert (found, n_asked) == (status, status == 429)


async def test_a_library_that_would_ask_elsewhere_is_stopped() -> None:
    wire = Telling()
    upstream = LitellmUpstream("anthropic", PROVIDER_KEY, wire, name="claude")
    os.environ["ANTHROPIC_API_BASE"] = "http://127.0.0.1:1"
    try:
        body = json.dumps({"model": "m", "messages": HELLO}).encode()
        with pytest.raises(Exception, match="another host"):
            await upstream.send(UpstreamRequest("POST", b"/v1/chat/completions", [], body))
    finally:
        del os.environ["ANTHROPIC_API_BASE"]
    assert wire.requests == []


async def test_many_calls_that_are_cancelled_leave_nothing_behind() -> None:
    class Hanging(Telling):
        n_waiting = 0
        all_wait = asyncio.Event()

        async def send(self, request: UpstreamRequest) -> UpstreamResponse:
            self.n_waiting += 1
            if self.n_waiting == len(calls):
                self.all_wait.set()
            try:
                await asyncio.Event().wait()
            finally:
                self.n_waiting -= 1
            raise AssertionError

    wire = Hanging()
    upstream = LitellmUpstream("anthropic", PROVIDER_KEY, wire)
    body = json.dumps({"model": "m", "messages": HELLO}).encode()
    calls = [
        asyncio.create_task(upstream.send(UpstreamRequest("POST", b"/v1/chat/completions", [], body)))
        for _ in range(20)
    ]
    async with asyncio.timeout(PATIENCE_S):
        await wire.all_wait.wait()
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)
    assert wire.n_waiting == 0


def test_without_such_an_upstream_litellm_is_not_imported() -> None:
    heavy = ("litellm", "httpx", "openai")
    code = f"import sys, gateway.app; print([name for name in {heavy} if name in sys.modules])"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout == "[]\n"
