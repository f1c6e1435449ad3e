"""Traces to a collector, as OTLP over HTTP: the one module that imports OpenTelemetry, which is an extra.

Law: a request costs a deque's append, and never waits. One thread makes the spans and sends them, a second's
worth at a time; what a collector does not take, and what comes while MAX_WAITING wait, is counted and lost.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from importlib.metadata import version
from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from gateway.tracing.settings import TRACES_PATH, TracingConfig
from gateway.tracing.spans import Span, Traced, span_of
from gateway.tracing.tracer import Counts

SERVICE: Final = "pith"
FLUSH_S: Final = 1.0
MAX_WAITING: Final = 4096
"""Traces; some 8 MB."""
BATCH: Final = 128
"""Traces sent at once: some thousand spans."""
CLOSE_S: Final = 3.0
"""How long the last ones may take when Pith stops."""

logger = logging.getLogger(__name__)

_KINDS: Final = {"server": SpanKind.SERVER, "client": SpanKind.CLIENT, "internal": SpanKind.INTERNAL}


class Tracing:
    """The traces of this process, on their way out."""

    def __init__(self, exporter: SpanExporter, version: str, sample: float = 1.0) -> None:
        self.counts = Counts()
        self._waiting: deque[Traced] = deque()
        self._exporter = exporter
        self._made = _Made()
        own = Resource({SERVICE_NAME: SERVICE, SERVICE_VERSION: version})
        sampler = ParentBased(TraceIdRatioBased(sample))
        provider = TracerProvider(resource=own.merge(OTELResourceDetector().detect()), sampler=sampler)
        provider.add_span_processor(self._made)
        self._tracer = provider.get_tracer(SERVICE, version)
        self._is_failing = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="traces", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def record(self, traced: Traced) -> None:
        """Have one request told. Never waits, never raises."""
        if len(self._waiting) >= MAX_WAITING:
            self.counts.dropped += 1
        else:
            self._waiting.append(traced)

    async def aclose(self) -> None:
        """Send what waits, but not for long."""
        self._stopping.set()
        await asyncio.to_thread(self._thread.join, CLOSE_S)
        self._exporter.shutdown()

    def _work(self) -> None:
        while not self._stopping.wait(FLUSH_S):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            for traced in batch:
                self._make(span_of(traced), self._context(traced))
            self._send(self._made.take())

    def _context(self, traced: Traced) -> Context:
        """The trace that the client is in, if any: broken ids are none."""
        return TraceContextTextMapPropagator().extract(traced.parent or {}, Context())

    def _make(self, span: Span, context: Context) -> None:
        made = self._tracer.start_span(
            span.name, context, _KINDS[span.kind], span.attributes, start_time=span.began_ns
        )
        if span.error is not None:
            made.set_status(Status(StatusCode.ERROR))
        if made.is_recording():
            below = set_span_in_context(made, context)
            for child in span.children:
                self._make(child, below)
        made.end(span.ended_ns)

    def _send(self, spans: list[ReadableSpan]) -> None:
        if not spans:  # none of them is in the sample
            return
        n_traces = sum(span.kind is SpanKind.SERVER for span in spans)
        is_taken = self._exporter.export(spans) is SpanExportResult.SUCCESS
        if is_taken:
            self.counts.sent += n_traces
        else:
            self.counts.failed += n_traces
        if is_taken and self._is_failing:
            logger.info("traces are taken again")
        elif not is_taken and not self._is_failing:
            logger.error("traces are not taken by the collector and are lost; requests go on without")
        self._is_failing = not is_taken


class _Made(SpanProcessor):
    """Keeps spans that have ended until they are taken; for one thread."""

    def __init__(self) -> None:
        self._spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self._spans.append(span)

    def take(self) -> list[ReadableSpan]:
        """All of them."""
        taken, self._spans = self._spans, []
        return taken


def open_tracing(config: TracingConfig) -> Tracing:
    """As configured. What OpenTelemetry's own variables say of the exporter (`OTEL_EXPORTER_OTLP_HEADERS`,
    `OTEL_EXPORTER_OTLP_TIMEOUT`, …) holds too."""
    # It logs every attempt; what there is to say, `Tracing` says once.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    exporter = OTLPSpanExporter(f"{config.endpoint}{TRACES_PATH}")
    tracing = Tracing(exporter, version("pith-gateway"), config.sample)
    tracing.start()
    return tracing
