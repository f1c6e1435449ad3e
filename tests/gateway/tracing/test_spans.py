"""gateway.tracing.spans: what a trace says of a request, and what it never says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.stopwatch import Lap
from gateway.tracing.spans import MAX_CHARS, Span, Traced, span_of
from gateway.types import Entry, Usage

ENTRY = Entry(
    "pith-1",
    1000.5,
    "/v1/chat/completions",
    200,
    key_id="search-prod",
    team="search",
    model="gpt-4o",
    policy="rag",
    policy_version="v7",
    variant="half",
    mode="on",
    is_streamed=True,
    origin_tokens=900,
    compressed_tokens=500,
    usage=Usage(503, 20, cached_tokens=128, reasoning_tokens=4),
    cost_usd=0.001,
    saved_usd=-0.0005,
    added_ms=12.5,
    timing_ms={"parse": 1.0, "compress": 10.0, "first_byte": 300.0, "upstream": 700.0, "total": 712.5},
)
TRACED = Traced(
    ENTRY,
    [Lap("compress", 0.002, 0.012), Lap("parse", 0.0, 0.001), Lap("upstream", 0.0125, 0.7125)],
    "POST",
    "main",
    "openai",
    response_model="gpt-4o-2024-08-06",
    response_id="chatcmpl-9",
)


def of(**changes: object) -> Span:
    return span_of(replace(TRACED, entry=replace(ENTRY, **changes)))  # type: ignore[arg-type]  # fields of Entry


def test_a_request_is_told_by_the_conventions() -> None:
    span = span_of(TRACED)
    assert (span.name, span.kind, span.error) == ("chat gpt-4o", "server", None)
    assert (span.began_ns, span.ended_ns) == (1000_500_000_000, 1001_212_500_000)
    assert span.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.request.stream": True,
        "gen_ai.response.id": "chatcmpl-9",
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "gen_ai.response.time_to_first_chunk": 0.3,
        "gen_ai.usage.cache_creation.input_tokens": 0,
        "gen_ai.usage.cache_read.input_tokens": 128,
        "gen_ai.usage.input_tokens": 503,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.usage.reasoning.output_tokens": 4,
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "http.route": "/v1/chat/completions",
        "pith.added_ms": 12.5,
        "pith.compressed_tokens": 500,
        "pith.cost_usd": 0.001,
        "pith.id": "pith-1",
        "pith.is_complete": True,
        "pith.is_estimated": False,
        "pith.key_id": "search-prod",
        "pith.mode": "on",
        "pith.origin_tokens": 900,
        "pith.policy": "rag",
        "pith.policy_version": "v7",
        "pith.saved_usd": -0.0005,
        "pith.team": "search",
        "pith.upstream": "main",
        "pith.variant": "half",
        "url.path": "/v1/chat/completions",
        "url.scheme": "http",
    }


def test_stages_stand_below_in_their_order_and_the_upstream_is_a_call() -> None:
    parse, compress, upstream = span_of(TRACED).children
    assert [span.name for span in (parse, compress, upstream)] == ["parse", "compress", "upstream"]
    assert (parse.kind, parse.attributes, parse.children) == ("internal", {}, ())
    assert (compress.began_ns, compress.ended_ns) == (1000_502_000_000, 1000_512_000_000)
    assert upstream.kind == "client"
    assert upstream.attributes == {"http.request.method": "POST", "pith.upstream": "main"}
    assert upstream.ended_ns == span_of(TRACED).ended_ns


def test_nothing_was_sent_on_where_the_answer_was_on_record() -> None:
    span = span_of(replace(TRACED, upstream=None))
    assert [child.name for child in span.children] == ["parse", "compress"]
    assert "pith.upstream" not in span.attributes


@pytest.mark.parametrize(
    ("path", "operation", "name"),
    [
        ("/v1/responses", "chat", "chat gpt-4o"),
        ("/anthropic/v1/messages", "chat", "chat gpt-4o"),
        ("/v1/completions", "text_completion", "text_completion gpt-4o"),
        ("/v1/embeddings", "embeddings", "embeddings gpt-4o"),
        ("/v1/messages/count_tokens", None, "POST /v1/messages/count_tokens"),
        ("/v1/responses/resp_0123456789", None, "POST /v1/responses/*"),
        ("/v1/files", None, "POST /v1/files"),
    ],
)
def test_only_what_asks_a_model_is_an_operation(path: str, operation: str | None, name: str) -> None:
    span = of(path=path)
    assert span.name == name
    assert span.attributes.get("gen_ai.operation.name") == operation
    assert any(key.startswith("gen_ai.") for key in span.attributes) == (operation is not None)


@pytest.mark.parametrize(
    ("provider", "path", "said"),
    [
        ("gemini", "/v1/chat/completions", "gcp.gemini"),
        ("bedrock", "/v1/chat/completions", "aws.bedrock"),
        ("some_new_one", "/v1/chat/completions", "some_new_one"),
        (None, "/v1/chat/completions", "openai"),
        (None, "/v1/messages", "anthropic"),
    ],
)
def test_providers_have_the_names_of_the_conventions(provider: str | None, path: str, said: str) -> None:
    span = span_of(replace(TRACED, provider=provider, entry=replace(ENTRY, path=path)))
    assert span.attributes["gen_ai.provider.name"] == said


@pytest.mark.parametrize(
    ("status", "is_complete", "error"),
    [
        (200, True, None),
        (200, False, "incomplete"),
        (404, True, None),
        (499, False, None),
        (502, True, "502"),
    ],
)
def test_a_span_fails_with_the_server_alone(status: int, is_complete: bool, error: str | None) -> None:
    span = of(status=status, is_complete=is_complete)
    assert span.error == error
    assert span.attributes.get("error.type") == error
    upstream = span.children[-1]
    assert (upstream.error, upstream.attributes.get("error.type")) == (error, error)
    assert span.children[0].error is None


def test_what_is_not_known_is_not_said() -> None:
    span = span_of(Traced(Entry("pith-2", 5.0, "/v1/chat/completions", 401), [], "GET", None, None))
    assert (span.began_ns, span.ended_ns) == (5_000_000_000, 5_000_000_000)
    assert not {name for name in span.attributes if name.startswith("gen_ai.usage")}
    assert span.name == "chat /v1/chat/completions"
    assert None not in span.attributes.values()


def test_a_name_from_outside_is_cut_and_is_text() -> None:
    span = of(model="\ud800" + "m" * 9999)
    model = span.attributes["gen_ai.request.model"]
    assert isinstance(model, str)
    assert len(model) == MAX_CHARS
    assert model[0] == "?"
    assert len(span.name) < 2 * MAX_CHARS
