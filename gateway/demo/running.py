"""Servers on threads of this process, for the demo and the benchmarks: up on entering, gone on leaving."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.types import ASGIApp

from gateway.server import make_server
from gateway.settings import DrainConfig

START_S = 30.0


@contextmanager
def running(app: ASGIApp) -> Iterator[str]:
    """Serve `app` on a free loopback port; yields its base URL."""
    is_up = threading.Event()
    server = make_server(app, "127.0.0.1", 0, drain=DrainConfig(limit_s=1), on_ready=lambda port: is_up.set())
    thread = threading.Thread(target=server.run, name="pith-demo-server", daemon=True)
    thread.start()
    try:
        if not is_up.wait(START_S):
            raise RuntimeError(f"the server did not start within {START_S:g} s: see the log above")
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.should_exit = True
        thread.join(START_S)
