"""Responses and Anthropic's messages through the whole gateway: what changes, and what is on record."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tests.e2e.conftest import serving
from tests.e2e.dialects_upstream import DialectsUpstream
from tests.e2e.whole_gateway import LONG, POLICY, gateway, rows

CLAUDE = {"model": "claude-sonnet-4-5", "max_tokens": 100}
TOOL_POLICY = {**POLICY, "params": {**POLICY["params"], "roles": ["user", "tool"]}}  # type: ignore[dict-item]


@dataclass
class Place:
    """A gateway in front of two upstreams; `claude-*` goes to the second."""

    url: str
    folder: Path
    first: DialectsUpstream = field(default_factory=DialectsUpstream)
    second: DialectsUpstream = field(default_factory=DialectsUpstream)

    def post(self, path: str, body: dict[str, Any] | bytes, **headers: str) -> httpx.Response:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return httpx.post(f"{self.url}{path}", content=raw, headers=headers, timeout=30)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place("", tmp_path)
    with serving(place.first.app()) as one, serving(place.second.app()) as two:
        upstreams = {
            "first": {"url": f"http://127.0.0.1:{one}"},
            "second": {"url": f"http://127.0.0.1:{two}"},
        }
        routes = [{"model": "claude-*", "upstream": "second"}, {"upstream": "first"}]
        with gateway(tmp_path, "", upstreams=upstreams, routes=routes, policies=[TOOL_POLICY]) as port:
            place.url = f"http://127.0.0.1:{port}"
            yield place


def is_cut(sent: str) -> bool:
    rest = iter(LONG)
    return len(sent) < 0.8 * len(LONG) and all(char in rest for char in sent)


def test_a_response_is_compressed_and_read_by_the_official_client(place: Place) -> None:
    client = openai.OpenAI(base_url=f"{place.url}/v1", api_key="sk-1", max_retries=0)
    calls: list[Any] = [
        {"role": "user", "content": LONG},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": json.dumps({"text": LONG})},
        {"type": "function_call_output", "call_id": "c", "output": LONG},
    ]
    answer = client.responses.create(model="gpt-4o-mini", instructions=LONG, input=calls)
    assert (answer.output_text, answer.id) == ("Hello there.", "resp_1")
    sent = place.first.last.json
    assert sent["instructions"] == LONG, "roles the policy does not name are left alone"
    assert sent["input"][1] == calls[1]
    assert is_cut(sent["input"][0]["content"])
    assert is_cut(sent["input"][2]["output"])


def test_a_streamed_response_passes_byte_for_byte(place: Place) -> None:
    body = {"model": "gpt-4o-mini", "input": LONG, "stream": True}
    answer = place.post("/v1/responses", body)
    direct = b"".join(piece for piece in stream_of(place.first, "/v1/responses", body))
    assert answer.content == direct
    assert is_cut(place.first.received[0].json["input"])
    assert "stream_options" not in place.first.received[0].json


def stream_of(upstream: DialectsUpstream, path: str, body: dict[str, Any]) -> list[bytes]:
    with serving(upstream.app()) as port:
        return [httpx.post(f"http://127.0.0.1:{port}{path}", json=body, timeout=30).content]


def test_messages_change_in_their_texts_alone(place: Place) -> None:
    literal = json.dumps(LONG).replace("committee", "commit\\u0074ee")
    body = (
        '{ "model":"claude-sonnet-4-5" ,"max_tokens": 1.0e2,"thinking":{"type":"enabled"},\n'
        '"system":[{"type":"text","text":"be kind","cache_control":{"type":"ephemeral"}}],'
        '"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":%s,"cache_control":'
        '{"type":"ephemeral","ttl":"1h"}}]},{"type":"image","source":{"type":"base64","data":"AAAA"}}]},'
        '{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"c2ln"}]}],"metadata":null}'
    )
    headers = {
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "context-1m-2025-08-07",
        "x-api-key": "sk-ant",
    }
    answer = place.post("/v1/messages?beta=true", (body % literal).encode(), **headers)
    assert answer.json()["content"][0]["text"] == "Hello there."
    received = place.second.last
    assert received.path == "v1/messages?beta=true"
    assert headers.items() <= dict(received.headers).items()
    before, after = (part.encode() for part in body.split("%s"))
    assert received.body.startswith(before)
    assert received.body.endswith(after)
    text = received.body[len(before) : len(received.body) - len(after)]
    assert is_cut(json.loads(text))
    assert b"commit\\u0074ee" in text, "kept characters keep their spelling"


def blocks(text: str, **more: Any) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text, **more}]


def test_a_breakpoint_is_no_input_to_compression_and_the_conversation_is_recognised(place: Place) -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    first = {"role": "user", "content": blocks(LONG, **mark)}
    place.post("/v1/messages", {**CLAUDE, "messages": [first]})
    later = [
        {"role": "user", "content": blocks(LONG)},
        {"role": "assistant", "content": "Hello there."},
        {"role": "user", "content": blocks(LONG + " And now?", **mark)},
    ]
    place.post("/v1/messages", {**CLAUDE, "messages": later})
    one, two = (received.json["messages"] for received in place.second.received)
    assert one[0]["content"][0]["text"] == two[0]["content"][0]["text"]
    assert one[0]["content"][0]["cache_control"] == mark["cache_control"]


def test_what_is_counted_is_what_would_be_sent(place: Place) -> None:
    body = {**CLAUDE, "messages": [{"role": "user", "content": LONG}]}
    place.post("/v1/messages", body)
    place.post("/v1/messages/count_tokens", body)
    sent, counted = place.second.received
    assert counted.json == sent.json


def test_an_azure_deployment_is_the_model(tmp_path: Path) -> None:
    upstream = DialectsUpstream()
    target = "/openai/deployments/gpt-4o-mini/chat/completions?api-version=2024-10-21"
    body = {"messages": [{"role": "user", "content": LONG}]}
    with serving(upstream.app()) as port, gateway(tmp_path, f"http://127.0.0.1:{port}") as own:
        httpx.post(f"http://127.0.0.1:{own}{target}", json=body, headers={"api-key": "k"}, timeout=30)
    assert f"/{upstream.last.path}" == target
    assert ("api-key", "k") in upstream.last.headers
    assert is_cut(upstream.last.json["messages"][0]["content"])
    [row] = rows(tmp_path)
    assert (row["model"], row["tokenizer"], row["cost_usd"] > 0) == ("gpt-4o-mini", "o200k_base", True)


@pytest.mark.parametrize("fetched_as", [None, "resp_by_another_name"])
def test_an_answer_made_in_the_background_is_priced_once_when_it_is_fetched(
    tmp_path: Path, fetched_as: str | None
) -> None:
    upstream = DialectsUpstream()
    upstream.fetched_as = fetched_as
    with (
        serving(upstream.app()) as port,
        gateway(tmp_path, f"http://127.0.0.1:{port}") as own,
        openai.OpenAI(base_url=f"http://127.0.0.1:{own}/v1", api_key="k", max_retries=0) as client,
    ):
        asked = client.responses.create(model="gpt-4o", input=LONG, background=True)
        assert asked.usage is None
        upstream.is_done = False
        assert client.responses.retrieve(asked.id).status == "queued"
        upstream.is_done = True
        for _ in range(2):
            assert client.responses.retrieve(asked.id).usage is not None
        client.responses.retrieve("resp_of_nobody")
    begun, early, fetched, again, unknown = rows(tmp_path)
    assert (fetched["model"], fetched["prompt_tokens"], fetched["cached_tokens"]) == ("gpt-4o", 900, 300)
    assert fetched["cost_usd"] > 0
    assert fetched["conversation"] == begun["conversation"]
    assert [row["cost_usd"] for row in (begun, early, again, unknown)] == [None] * 4


@pytest.mark.parametrize("api", ["chat", "stream", "responses"])
def test_a_deployment_with_a_name_of_its_own_is_priced_as_its_model(tmp_path: Path, api: str) -> None:
    """OpenAI's client for Azure, which puts the deployment into the path of what is older."""
    upstream = DialectsUpstream()
    models = {"prod-chat": "gpt-4o-mini"}
    with (
        serving(upstream.app()) as port,
        gateway(tmp_path, f"http://127.0.0.1:{port}", models=models) as own,
        openai.AzureOpenAI(
            azure_endpoint=f"http://127.0.0.1:{own}", api_key="k", api_version="2024-10-21", max_retries=0
        ) as client,
    ):
        asked: Any = [{"role": "user", "content": LONG}]
        if api == "chat":
            assert client.chat.completions.create(model="prod-chat", messages=asked).choices
        elif api == "stream":
            assert list(client.chat.completions.create(model="prod-chat", messages=asked, stream=True))
        else:
            assert client.responses.create(model="prod-chat", input=asked).id
    assert upstream.last.json["model"] == "prod-chat", "what is forwarded is what the client wrote"
    [row] = rows(tmp_path)
    assert (row["model"], row["tokenizer"], row["cost_usd"] > 0) == ("gpt-4o-mini", "o200k_base", True)
    assert row["compressed_tokens"] < row["origin_tokens"]


def test_what_continues_an_answer_goes_where_it_is_kept(place: Place) -> None:
    """The model says where the first goes; what follows names another model, or none."""
    kept = place.post("/v1/responses", {"model": "claude-x", "input": LONG, "store": True}).json()["id"]
    place.post("/v1/responses", {"model": "gpt-4o", "input": "And?", "previous_response_id": kept})
    httpx.get(f"{place.url}/v1/responses/{kept}?include[]=x", timeout=30)
    httpx.post(f"{place.url}/v1/responses/{kept}/cancel", json={}, timeout=30)
    place.post("/v1/responses", {"model": "gpt-4o", "input": "And?", "previous_response_id": "resp_unknown"})
    assert [received.path.partition("?")[0] for received in place.second.received] == [
        "v1/responses", "v1/responses", "v1/responses/resp_1", "v1/responses/resp_1/cancel"
    ]  # fmt: skip
    assert len(place.first.received) == 1


def test_a_chain_is_one_conversation(tmp_path: Path) -> None:
    upstream = DialectsUpstream()
    with serving(upstream.app()) as port, gateway(tmp_path, f"http://127.0.0.1:{port}") as own:
        for more in ({}, {"previous_response_id": "resp_1"}, {"previous_response_id": "resp_1"}):
            body = {"model": "gpt-4o", "input": LONG, **more}
            httpx.post(f"http://127.0.0.1:{own}/v1/responses", json=body, timeout=30)
    assert len({row["conversation"] for row in rows(tmp_path)}) == 1


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_the_ledger_has_the_upstreams_own_counts(tmp_path: Path, stream: bool) -> None:
    upstream = DialectsUpstream()
    message = {"role": "user", "content": LONG}
    with serving(upstream.app()) as port, gateway(tmp_path, f"http://127.0.0.1:{port}") as own:
        base = f"http://127.0.0.1:{own}"
        httpx.post(
            f"{base}/v1/responses", json={"model": "gpt-4o", "input": LONG, "stream": stream}, timeout=30
        )
        httpx.post(
            f"{base}/v1/messages", json={**CLAUDE, "messages": [message], "stream": stream}, timeout=30
        )
        httpx.post(f"{base}/v1/messages/count_tokens", json={**CLAUDE, "messages": [message]}, timeout=30)
    response, sent, counted = rows(tmp_path)
    for row in (response, sent):
        assert (row["prompt_tokens"], row["completion_tokens"], row["is_complete"]) == (900, 20, 1)
        assert row["compressed_tokens"] < row["origin_tokens"]
        assert row["cost_usd"] > 0
    assert (response["cached_tokens"], sent["cached_tokens"], sent["cache_write_tokens"]) == (300, 600, 200)
    assert [counted[name] for name in ("prompt_tokens", "cost_usd", "origin_tokens", "usage_problem")] == [
        None
    ] * 4
