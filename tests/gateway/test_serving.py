"""gateway.serving: a start that is refused says why. That it serves is tests/e2e's."""

from __future__ import annotations

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors import ConfigError
from gateway.serving import starting


def failing(fault: Exception) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise fault

    return app


async def receive() -> Message:
    return {}


async def send(message: Message) -> None:
    pass


async def test_a_fault_of_the_start_comes_out_instead_of_an_exit_code() -> None:
    fault = ConfigError("no")
    with pytest.raises(ConfigError) as raised, starting(failing(fault)) as watched:  # noqa: PT012  # as uvicorn does: the application raises, then the server exits
        with pytest.raises(ConfigError):
            await watched({"type": "lifespan"}, receive, send)
        raise SystemExit(3)
    assert raised.value is fault


async def test_other_exits_and_faults_of_requests_stay_what_they_are() -> None:
    with pytest.raises(SystemExit), starting(failing(LookupError())) as watched:  # noqa: PT012  # the same
        with pytest.raises(LookupError):
            await watched({"type": "http"}, receive, send)
        raise SystemExit(1)
