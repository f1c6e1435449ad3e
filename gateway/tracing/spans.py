"""What a trace says of one request (pure): a span for the request, and one below it for each stage.

Law: only what the ledger's row may hold is told, and what the answer says of itself. Never a text, a key or
the value of a header, but for the ids of the trace that the client is in.

Names are OpenTelemetry's semantic conventions for HTTP servers and for generative AI, as of release 1.41, and
`pith.*` for what those have no name for. docs/tracing.md lists them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final, Literal, TypeAlias

from gateway.ledger.schema import route_of
from gateway.passthrough import CLIENT_GONE
from gateway.stopwatch import Lap
from gateway.types import Entry

Attributes: TypeAlias = dict[str, str | int | float | bool]

MAX_CHARS: Final = 512
NS: Final = 10**9

TRACE_CONTEXT: Final = ("traceparent", "tracestate")
"""Header fields that say in which trace a request is (W3C)."""

UPSTREAM: Final = "upstream"
"""The stage that is a call of somebody else."""

_OPERATIONS: Final = {
    "chat/completions": "chat",
    "responses": "chat",
    "messages": "chat",
    "completions": "text_completion",
    "embeddings": "embeddings",
}
"""By how the path ends; any other request has no operation, and nothing of `gen_ai.*`."""

_PROVIDERS: Final = {
    "azure": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "bedrock": "aws.bedrock",
    "bedrock_converse": "aws.bedrock",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "vertex_ai": "gcp.vertex_ai",
    "watsonx": "ibm.watsonx.ai",
    "xai": "x_ai",
}
"""litellm's name to the conventions', where they differ."""

_TOLD: Final = (
    ("pith.id", "id"),
    ("pith.policy", "policy"),
    ("pith.policy_version", "policy_version"),
    ("pith.variant", "variant"),
    ("pith.mode", "mode"),
    ("pith.skip", "skip"),
    ("pith.cache", "cache"),
    ("pith.key_id", "key_id"),
    ("pith.team", "team"),
    ("pith.conversation", "conversation"),
    ("pith.origin_tokens", "origin_tokens"),
    ("pith.compressed_tokens", "compressed_tokens"),
    ("pith.cost_usd", "cost_usd"),
    ("pith.counterfactual_usd", "counterfactual_usd"),
    ("pith.saved_usd", "saved_usd"),
    ("pith.added_ms", "added_ms"),
    ("pith.device_ms", "device_ms"),
    ("pith.is_complete", "is_complete"),
    ("http.response.status_code", "status"),
)
"""Attribute, and where in the row it stands."""

_USED: Final = (
    ("gen_ai.usage.input_tokens", "prompt_tokens"),
    ("gen_ai.usage.output_tokens", "completion_tokens"),
    ("gen_ai.usage.cache_read.input_tokens", "cached_tokens"),
    ("gen_ai.usage.cache_creation.input_tokens", "cache_write_tokens"),
    ("gen_ai.usage.reasoning.output_tokens", "reasoning_tokens"),
    ("pith.is_estimated", "estimated"),
)

_told = attrgetter(*(name for _, name in _TOLD))
_used = attrgetter(*(name for _, name in _USED))


@dataclass(frozen=True, slots=True)
class Traced:
    """One request that ended, as the accounts know it."""

    entry: Entry
    laps: Sequence[Lap]
    method: str
    upstream: str | None
    """By its name here; None where nothing was sent on."""
    provider: str | None
    """Whose model it is, in litellm's words."""
    response_model: str | None = None
    response_id: str | None = None
    parent: Mapping[str, str] | None = None
    """The fields of TRACE_CONTEXT that the client sent."""


@dataclass(frozen=True, slots=True)
class Span:
    """One stretch of time."""

    name: str
    kind: Literal["server", "client", "internal"]
    began_ns: int
    """Unix time."""
    ended_ns: int
    attributes: Attributes
    error: str | None = None
    """Why it failed; None where it did not."""
    children: tuple[Span, ...] = ()


def span_of(traced: Traced) -> Span:
    """The request's span, with those of its stages below."""
    entry, began_ns = traced.entry, round(traced.entry.created_at * NS)
    attributes = _attributes(traced)
    error = _failure(entry)
    if error is not None:
        attributes["error.type"] = error
    return Span(
        name=_name(traced.method, attributes),
        kind="server",
        began_ns=began_ns,
        ended_ns=began_ns + round(entry.timing_ms.get("total", 0.0) * 1e6),
        attributes=attributes,
        error=error,
        children=tuple(_stage(traced, lap, began_ns, error) for lap in _laps(traced)),
    )


def _laps(traced: Traced) -> list[Lap]:
    laps = [lap for lap in traced.laps if lap.stage != UPSTREAM or traced.upstream is not None]
    return sorted(laps, key=lambda lap: lap.began_s)


def _stage(traced: Traced, lap: Lap, request_began_ns: int, error: str | None) -> Span:
    is_call = lap.stage == UPSTREAM
    said: Attributes = {}
    if is_call:
        said = {"http.request.method": traced.method, "pith.upstream": str(traced.upstream)}
        if error is not None:
            said["error.type"] = error
    return Span(
        name=lap.stage,
        kind="client" if is_call else "internal",
        began_ns=request_began_ns + round(lap.began_s * NS),
        ended_ns=request_began_ns + round(lap.ended_s * NS),
        attributes=said,
        error=error if is_call else None,
    )


def _attributes(traced: Traced) -> Attributes:
    entry = traced.entry
    said: dict[str, Any] = dict(zip((name for name, _ in _TOLD), _told(entry), strict=True))
    said |= {
        "http.request.method": traced.method,
        "http.route": route_of(entry.path),
        "url.path": entry.path,
        "url.scheme": "http",
        "pith.upstream": traced.upstream,
    }
    if (operation := _operation(entry.path)) is not None:
        said |= {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": _provider(traced),
            "gen_ai.request.model": entry.model,
            "gen_ai.request.stream": entry.is_streamed,
            "gen_ai.response.model": traced.response_model,
            "gen_ai.response.id": traced.response_id,
        }
        if "first_byte" in entry.timing_ms:
            said["gen_ai.response.time_to_first_chunk"] = entry.timing_ms["first_byte"] / 1e3
        if entry.usage is not None:
            said.update(zip((name for name, _ in _USED), _used(entry.usage), strict=True))
    return {name: _value(value) for name, value in said.items() if value is not None}


def _value(value: Any) -> Any:
    """Half of a surrogate pair is no text, and a client's names are as long as it likes."""
    if not isinstance(value, str):
        return value
    return value[:MAX_CHARS].encode("utf-8", "replace").decode()


def _name(method: str, attributes: Attributes) -> str:
    """As the conventions have it: operation and model, else method and route."""
    first = attributes.get("gen_ai.operation.name", method)
    return f"{first} {attributes.get('gen_ai.request.model', attributes['http.route'])}"


def _operation(path: str) -> str | None:
    return next((name for end, name in _OPERATIONS.items() if path.endswith(f"/{end}")), None)


def _provider(traced: Traced) -> str:
    """Where the map does not know the model: whose dialect is spoken."""
    if traced.provider is not None:
        return _PROVIDERS.get(traced.provider, traced.provider)
    return "anthropic" if traced.entry.path.endswith("/messages") else "openai"


def _failure(entry: Entry) -> str | None:
    """A server's span fails with the server, not by what clients ask wrongly. Who broke off an answer
    that had begun is not known.
    """
    if entry.status >= 500:
        return str(entry.status)
    return None if entry.is_complete or entry.status == CLIENT_GONE else "incomplete"
