"""Traces of the whole gateway: what a collector gets, what the upstream gets, and that neither waits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.e2e.conftest import serving
from tests.e2e.openai_upstream import OpenAIUpstream
from tests.e2e.whole_gateway import LONG, chat, gateway, rows
from tests.gateway.tracing.collector import Collector, collecting, plain

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CONTEXT = {"traceparent": TRACEPARENT, "tracestate": "vendor=1,other=2"}
CANARY = "canary-9431"


@contextmanager
def traced(folder: Path, collector_url: str) -> Iterator[tuple[str, OpenAIUpstream]]:
    upstream = OpenAIUpstream()
    with (
        serving(upstream.app()) as port,
        gateway(folder, f"http://127.0.0.1:{port}", tracing={"endpoint": collector_url}) as pith,
    ):
        yield f"http://127.0.0.1:{pith}", upstream


def ask(url: str, body: dict[str, Any], **headers: str) -> httpx.Response:
    credentials = {"authorization": f"Bearer sk-{CANARY}"}
    return httpx.post(f"{url}/v1/chat/completions", json=body, headers=credentials | headers, timeout=30)


def roots(collector: Collector) -> list[Span]:
    return [span for span in collector.spans if span.kind == Span.SPAN_KIND_SERVER]


def test_a_request_is_one_trace_that_goes_on_with_the_clients(tmp_path: Path) -> None:
    with collecting() as collector, traced(tmp_path, collector.url) as (url, upstream):
        answer = ask(url, chat(f"{LONG} {CANARY}"), **CONTEXT)
        assert answer.status_code == 200
        collector.wait(5)
        sent = dict(upstream.last.headers)
    assert {name: sent[name] for name in CONTEXT} == CONTEXT, "what goes on is what came"
    (root,) = roots(collector)
    assert root.trace_id.hex() == TRACEPARENT.split("-")[1]
    assert root.parent_span_id.hex() == TRACEPARENT.split("-")[2]
    told = plain(root.attributes)
    (row,) = rows(tmp_path)
    assert told["pith.id"] == row["id"] == answer.headers["x-pith-id"]
    assert told["pith.policy"] == "test"
    assert told["pith.mode"] == "on"
    assert told["pith.compressed_tokens"] == row["compressed_tokens"] < told["pith.origin_tokens"]
    assert told["gen_ai.usage.input_tokens"] == row["prompt_tokens"]
    assert told["gen_ai.response.model"] == json.loads(answer.content)["model"]
    assert told["gen_ai.provider.name"] == "openai"
    stages = {span.name: span for span in collector.spans if span is not root}
    assert {"parse", "decide", "compress", "splice", "upstream"} <= stages.keys()
    assert stages["upstream"].kind == Span.SPAN_KIND_CLIENT
    for span in collector.spans:
        assert root.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano
        assert span.end_time_unix_nano <= root.end_time_unix_nano
    assert stages["compress"].end_time_unix_nano <= stages["upstream"].start_time_unix_nano


def test_no_text_no_key_and_no_answer_is_told(tmp_path: Path) -> None:
    with collecting() as collector, traced(tmp_path, collector.url) as (url, _):
        ask(url, chat(f"{CANARY} {LONG}"), **{"x-canary": CANARY})
        httpx.get(f"{url}/v1/files?key={CANARY}", headers={"authorization": CANARY})
        httpx.post(f"{url}/v1/chat/completions", content=b"{" + CANARY.encode())
    assert len(roots(collector)) == 3
    assert not [body for body in collector.bodies if CANARY.encode() in body]
    assert not [body for body in collector.bodies if b"committee" in body]


def test_a_collector_that_is_away_costs_no_request_anything(tmp_path: Path, unused_tcp_port: int) -> None:
    with traced(tmp_path, f"http://127.0.0.1:{unused_tcp_port}") as (url, _):
        answers = [ask(url, chat(), **CONTEXT) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200] * 5
    assert len(rows(tmp_path)) == 5
