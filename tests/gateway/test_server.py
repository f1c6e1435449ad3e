"""What of uvicorn's log is passed on, and whose defaults hold; that it serves and stops is shown in e2e."""

from __future__ import annotations

import logging

import pytest

from gateway.downstream.silence import Limits
from gateway.server import is_news, serving_of
from gateway.settings import TimeoutsConfig


def record(message: str, fault: BaseException | None = None) -> logging.LogRecord:
    trace = (type(fault), fault, None) if fault is not None else None
    return logging.LogRecord("uvicorn.error", logging.ERROR, __file__, 1, message, None, trace)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (record("Traceback (most recent call last):\n  File …"), False),
        (record("Exception in 'lifespan' protocol\n", LookupError()), True),
        (record("Shutting down"), True),
    ],
)
def test_a_line_that_tells_something_is_news(line: logging.LogRecord, expected: bool) -> None:
    assert is_news(line) == expected


def test_the_configuration_and_the_server_agree_on_defaults() -> None:
    assert serving_of(TimeoutsConfig()).limits == Limits()


def test_what_is_configured_is_passed_on() -> None:
    limits = serving_of(TimeoutsConfig(header_read_s=1, body_read_s=2, write_stall_s=3)).limits
    assert (limits.header_read_s, limits.body_read_s, limits.write_stall_s) == (1, 2, 3)
