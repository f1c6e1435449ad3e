"""gateway.tracing.settings: where traces go, as the configuration says it."""

from __future__ import annotations

import pytest

from gateway.config import load
from gateway.errors import ConfigError
from gateway.tracing.settings import TracingConfig


def read(endpoint: object, **more: object) -> TracingConfig:
    flags = {"tracing.endpoint": endpoint} | {f"tracing.{name}": value for name, value in more.items()}
    return load(None, {}, flags).tracing


def test_there_are_none_by_default() -> None:
    assert load(None, {}, {}).tracing == TracingConfig(endpoint=None, sample=1.0)


@pytest.mark.parametrize("written", ["http://c:4318", "http://c:4318/", "http://c:4318/v1/traces"])
def test_the_path_of_the_traces_may_be_there_or_not(written: str) -> None:
    assert read(written).endpoint == "http://c:4318"
    assert read("https://c/otlp").endpoint == "https://c/otlp"


@pytest.mark.parametrize(
    "endpoint", ["collector:4318", "grpc://c:4317", "http://user:pw@c", "http://c?x=1", 7]
)
def test_what_is_no_url_is_refused(endpoint: object) -> None:
    with pytest.raises(ConfigError, match=r"tracing\.endpoint"):
        read(endpoint)


@pytest.mark.parametrize("sample", [-0.1, 1.1, "all"])
def test_a_sample_is_a_share(sample: object) -> None:
    with pytest.raises(ConfigError, match=r"tracing\.sample"):
        read("http://c", sample=sample)


def test_a_variable_sets_it() -> None:
    assert load(None, {"PITH_TRACING__ENDPOINT": "http://c"}, {}).tracing.endpoint == "http://c"
