"""Real servers on loopback. Swap `make_app` to run the same tests against another gateway."""

from __future__ import annotations

import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TypeAlias

import pytest
from starlette.types import ASGIApp

from gateway.downstream.connection import Serving
from gateway.downstream.silence import Limits
from gateway.server import make_server
from gateway.settings import DrainConfig
from gateway.upstreams.http import HttpUpstream
from tests.e2e.relay_app import relay_app
from tests.e2e.scripted_upstream import PATIENCE_S, Peer, ScriptedUpstream, connected

MakeApp: TypeAlias = Callable[[str], ASGIApp]
"""From an upstream's URL to the application under test."""


@contextmanager
def serving(app: ASGIApp, limits: Limits | None = None) -> Iterator[int]:
    """The application behind our real server, in a thread with a loop of its own; yields the port."""
    port: Future[int] = Future()
    server = make_server(
        app,
        "127.0.0.1",
        0,
        drain=DrainConfig(limit_s=1),
        serving=Serving(limits or Limits()),
        on_ready=port.set_result,
    )
    thread = threading.Thread(target=server.run, name="gateway under test")
    thread.start()
    try:
        yield port.result(PATIENCE_S)
    finally:
        server.should_exit = True
        thread.join(PATIENCE_S)
        assert not thread.is_alive(), "the server did not stop"


@pytest.fixture
def make_app() -> MakeApp:
    return lambda url: relay_app(HttpUpstream(url, name="scripted"))


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with ScriptedUpstream() as upstream:
        yield upstream


@pytest.fixture
async def gateway(upstream: ScriptedUpstream, make_app: MakeApp) -> AsyncIterator[int]:
    """Port of a running gateway in front of `upstream`."""
    with serving(make_app(upstream.url)) as port:
        yield port


@pytest.fixture
def unused_tcp_port() -> int:
    """A port of loopback on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
async def client(gateway: int) -> AsyncIterator[Peer]:
    """A connection to the gateway."""
    async with connected(gateway) as client:
        yield client
