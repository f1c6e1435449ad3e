"""What the configuration may say of traces. Silent: there are none, and OpenTelemetry is not imported."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BeforeValidator, Field

from gateway.upstreams.origin import parse_origin
from policies.params import Frozen, Number

TRACES_PATH: Final = "/v1/traces"


def _read_endpoint(url: object) -> object:
    """As OTEL_EXPORTER_OTLP_ENDPOINT: without the path of the traces, which may be there all the same."""
    if url is None:
        return None
    if not isinstance(url, str):
        raise ValueError("must be a plain URL such as http://collector:4318")
    base = url.rstrip("/").removesuffix(TRACES_PATH)
    parse_origin(base)
    return base


class TracingConfig(Frozen):
    """Where traces go."""

    endpoint: Annotated[str | None, BeforeValidator(_read_endpoint)] = None
    """A collector that takes OTLP over HTTP; None: nobody is told."""
    sample: Annotated[Number, Field(ge=0, le=1)] = 1.0
    """Share of the requests without a `traceparent` that are traced; one with it decides for itself."""
