"""gateway.tracing.exporting: spans as a collector gets them over a real socket, and one that is away."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from gateway.config import load
from gateway.errors import ConfigError
from gateway.services import open_services
from gateway.tracing.exporting import BATCH, MAX_WAITING, Tracing, open_tracing
from gateway.tracing.settings import TracingConfig
from tests.fakes import LengthScorer
from tests.gateway.tracing.collector import collecting, plain
from tests.gateway.tracing.test_spans import ENTRY, TRACED

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@asynccontextmanager
async def tracing_to(url: str, sample: float = 1.0) -> AsyncIterator[Tracing]:
    tracing = open_tracing(TracingConfig(endpoint=url, sample=sample))
    try:
        yield tracing
    finally:
        await tracing.aclose()


def context(flags: str = "01", trace: str = TRACE) -> dict[str, str]:
    return {"traceparent": f"00-{trace}-{PARENT}-{flags}", "tracestate": "vendor=1"}


async def test_a_collector_gets_the_request_and_its_stages() -> None:
    with collecting() as collector:
        async with tracing_to(collector.url) as tracing:
            tracing.record(TRACED)
        assert tracing.counts.sent == 1
    assert collector.paths == ["/v1/traces"]
    assert collector.resource["service.name"] == "pith"
    spans = {span.name: span for span in collector.spans}
    root = spans.pop("chat gpt-4o")
    assert root.kind == Span.SPAN_KIND_SERVER
    assert root.parent_span_id == b""
    assert (root.start_time_unix_nano, root.end_time_unix_nano) == (1000_500_000_000, 1001_212_500_000)
    told = plain(root.attributes)
    assert told["gen_ai.usage.input_tokens"] == 503
    assert told["pith.saved_usd"] == -0.0005
    assert told["gen_ai.request.stream"] is True
    assert root.status.code == Status.STATUS_CODE_UNSET
    assert spans.keys() == {"parse", "compress", "upstream"}
    for span in spans.values():
        assert (span.trace_id, span.parent_span_id) == (root.trace_id, root.span_id)
    assert spans["upstream"].kind == Span.SPAN_KIND_CLIENT


async def test_the_clients_trace_is_gone_on_with() -> None:
    with collecting() as collector:
        async with tracing_to(collector.url, sample=0.0) as tracing:
            tracing.record(replace(TRACED, laps=[], parent=context()))
    (span,) = collector.spans
    assert span.trace_id.hex() == TRACE
    assert span.parent_span_id.hex() == PARENT
    assert span.trace_state == "vendor=1"


@pytest.mark.parametrize("parent", [None, {"traceparent": "00-rubbish"}, {"tracestate": "a=1"}])
async def test_what_names_no_trace_begins_one(parent: dict[str, str] | None) -> None:
    with collecting() as collector:
        async with tracing_to(collector.url) as tracing:
            tracing.record(replace(TRACED, laps=[], parent=parent))
    (span,) = collector.spans
    assert span.parent_span_id == b""
    assert any(span.trace_id)


async def test_what_the_client_or_the_sample_leaves_out_is_not_sent() -> None:
    with collecting() as collector:
        async with tracing_to(collector.url, sample=0.0) as tracing:
            tracing.record(TRACED)
            tracing.record(replace(TRACED, parent=context("00")))
        assert collector.bodies == []
        assert (tracing.counts.sent, tracing.counts.failed) == (0, 0)


async def test_a_failure_is_told_as_one() -> None:
    with collecting() as collector:
        async with tracing_to(collector.url) as tracing:
            tracing.record(replace(TRACED, entry=replace(ENTRY, status=502)))
    spans = {span.name: span for span in collector.spans}
    assert spans["chat gpt-4o"].status.code == Status.STATUS_CODE_ERROR
    assert plain(spans["upstream"].attributes)["error.type"] == "502"
    assert spans["parse"].status.code == Status.STATUS_CODE_UNSET


async def test_what_waits_is_sent_before_the_end_in_several_goes() -> None:
    with collecting() as collector:
        async with tracing_to(collector.url) as tracing:
            for _ in range(2 * BATCH + 1):
                tracing.record(replace(TRACED, laps=[]))
        assert len(collector.spans) == tracing.counts.sent == 2 * BATCH + 1
        assert len(collector.bodies) >= 3


async def test_a_collector_that_refuses_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    with collecting() as collector, caplog.at_level(logging.INFO):
        collector.status = 400
        async with tracing_to(collector.url) as tracing:
            for _ in range(2):
                n_seen = len(collector.bodies)
                tracing.record(replace(TRACED, laps=[]))
                collector.wait(n_seen + 1)
            collector.status = 200
            tracing.record(replace(TRACED, laps=[]))
    assert (tracing.counts.sent, tracing.counts.failed) == (1, 2)
    said = [record.getMessage() for record in caplog.records if record.name.startswith("gateway")]
    assert said == [
        "traces are not taken by the collector and are lost; requests go on without",
        "traces are taken again",
    ]
    assert not [record for record in caplog.records if record.name.startswith("opentelemetry")]


async def test_nobody_there_loses_traces_and_nothing_else(unused_tcp_port: int) -> None:
    async with tracing_to(f"http://127.0.0.1:{unused_tcp_port}") as tracing:
        tracing.record(TRACED)
    assert (tracing.counts.sent, tracing.counts.dropped) == (0, 0)


class Unused(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        raise AssertionError("not started")

    def shutdown(self) -> None:
        pass


def test_what_waits_is_bounded() -> None:
    tracing = Tracing(Unused(), "1")
    for _ in range(MAX_WAITING + 3):
        tracing.record(TRACED)
    assert tracing.counts.dropped == 3


async def test_services_have_a_tracer_where_one_is_configured(tmp_path: object) -> None:
    flags = {"ledger": f"sqlite:///{tmp_path}/l.db", "tracing.endpoint": "http://127.0.0.1:9"}
    config = load(None, {}, flags)
    async with open_services(config, LengthScorer(), lambda: "on") as services:
        assert isinstance(services.tracer, Tracing)
    silent = load(None, {}, {"ledger": flags["ledger"]})
    async with open_services(silent, LengthScorer(), lambda: "on") as services:
        assert services.tracer is None


async def test_without_the_extra_the_start_says_what_to_install(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "gateway.tracing.exporting", None)
    config = load(None, {}, {"ledger": f"sqlite:///{tmp_path}/l.db", "tracing.endpoint": "http://c"})
    with pytest.raises(ConfigError, match=r"pip install 'pith-gateway\[otel\]'"):
        async with open_services(config, LengthScorer(), lambda: "on"):
            pass
