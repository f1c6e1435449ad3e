"""What of uvicorn's log is passed on. That it serves and stops is tests/e2e/test_server.py's."""

from __future__ import annotations

import logging

import pytest

from gateway.server import is_news


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
